package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/o2fa/o2fa"
	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/internal/atomicfile"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

// drainTime is how long requests in flight may take when the daemon ends.
const drainTime = 3 * time.Second

// Config says what a daemon serves and how. Only Profile is required.
type Config struct {
	Profile socket.Profile
	// Keystore is O2FA_KEYSTORE: how a new vault is keyed, auto, keyring,
	// passphrase, keyfile or credential. None leaves it to config.toml.
	Keystore string
	// PassphraseFile is O2FA_PASSPHRASE_FILE: where a passphrase is read from.
	// None leaves it to config.toml.
	PassphraseFile string
	// Credentials is CREDENTIALS_DIRECTORY, where systemd puts the credentials of a
	// unit. None means that no unit started the daemon, or one that has none.
	Credentials string
	// UUID is OPEN2FA_UUID; it beats the file open2fa.uuid. May be empty.
	UUID string
	// APIURL is OPEN2FA_API_URL; empty means open2fa's default.
	APIURL string
	// Log receives what the daemon has to say; none means the profile's log file.
	Log *slog.Logger
	// Warnings are shown in every status: what the process could not do for its
	// own protection.
	Warnings []ipc.Warning
	// Getenv reads the environment for the OS keyring's sake (D-Bus address,
	// display), and for that of the buses that tell of the person's session. None
	// means an empty environment, and no session.
	Getenv func(string) string
	// Now is the clock; none means time.Now.
	Now func() time.Time
	// Uptime is the clock that nobody sets: the time since some point in the past,
	// with the time that the machine slept; none means that of the system.
	Uptime func() time.Duration
	// Resting is called with true when nobody has asked for anything for ten
	// seconds, and with false when somebody does again, at the latest when Run
	// returns. None means that nobody wants to know.
	Resting func(resting bool)
	// Relaunch executes o2fad again in this process, with what the next image
	// passes to ParseHandover; it returns only if that fails. On Windows it starts
	// o2fad, and returns when that waits for the end of this process, nil, or when
	// it will not come. None means that a lock wipes what can be wiped, and the
	// process goes on.
	Relaunch func(handover string) error
	// Handover is what the image before has left. With it the daemon does not
	// unlock by itself. None means a start.
	Handover *Handover
	// Keyring takes the OS keyring's place, for tests.
	Keyring keystore.Store
	// Cost of new passphrase slots; its zero value is the default. Only tests
	// can make another.
	Cost keystore.Cost
}

// Daemon serves one profile. It is made by New and lives for one Run.
type Daemon struct {
	cfg      Config
	log      *slog.Logger
	file     *logFile // of log; nil where Config has another
	now      func() time.Time
	started  time.Time
	exe      *executable
	settings *settings
	desktop  *desktop
	keeper   *keeper
	intake   *intake
	backups  *backups
	rest     *rest
	autolock *autolock
	watch    *watch
	pid      int
	audit    *audit

	stop     chan struct{} // closed when it is time to end, or to replace the image
	halt     func()        // closes stop, once
	quit     atomic.Bool   // it is time to end
	again    atomic.Bool   // it is time to replace the image
	requests sync.WaitGroup
	cleared  atomic.Bool // a reset has removed the vault, and the rest goes at the end

	askersMu sync.Mutex // guards what follows
	askers   []net.Conn // of requests that the next image answers
}

// New returns a daemon that has not touched anything yet.
func New(cfg Config) *Daemon {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Uptime == nil {
		cfg.Uptime = uptime
	}
	stop := make(chan struct{})
	d := &Daemon{cfg: cfg, log: cfg.Log, now: cfg.Now, settings: newSettings(cfg), desktop: newDesktop(cfg.Getenv), pid: os.Getpid(),
		stop: stop, halt: sync.OnceFunc(func() { close(stop) })}
	d.rest = newRest(d.resting)
	d.autolock, d.watch = newAutolock(d.settings, d.moment, d.lock), newWatch()
	d.audit = newAudit(d.settings.logs, d.storeLog, d.now)
	if cfg.Handover != nil {
		d.audit.rows = cfg.Handover.rows()
	}
	if h := cfg.Handover; h != nil {
		d.autolock.memory, d.watch.held = h.memory(), h.Held
	}
	return d
}

// end makes Run return.
func (d *Daemon) end() {
	d.quit.Store(true)
	d.halt()
}

// resting is told when a rest begins and ends.
func (d *Daemon) resting(resting bool) {
	if resting {
		d.audit.flush(context.Background()) // now, and not later: nobody wakes for it then
		d.keeper.rest()
	}
	d.cfg.Resting(resting)
}

// Run serves until ctx ends, a client asks for the end, or a newer executable
// takes over; then it returns nil within five seconds. It returns a
// *socket.HeldError when another daemon has the profile, and any other
// error when it cannot serve at all. Trouble with vault, keyring or secrets
// file is no reason to return: status tells it.
func (d *Daemon) Run(ctx context.Context) error {
	for {
		next, err := d.run(ctx)
		if next == nil {
			return err
		}
		d = next
	}
}

// run is Run for one image of the process. It returns the daemon that goes on if
// the image was to be replaced, and could not be.
func (d *Daemon) run(ctx context.Context) (next *Daemon, err error) {
	in, err := d.enter()
	if err != nil {
		return nil, err
	}
	if d.file != nil {
		defer d.file.Close()
	}
	err = d.serve(ctx, in)
	if d.leaves() {
		if next = d.relaunch(in); next != nil && ctx.Err() == nil {
			return next, nil
		}
	}
	if d.again.Load() { // the listener was left open, and the process ends after all
		in.dismiss(d.refuse)
		if in.listener != nil {
			in.listener.Close()
		}
	}
	if d.cleared.Load() {
		d.vanish(in.lock)
	}
	in.lock.Close()
	return nil, err
}

// enter takes the profile: from the image before, or as the first one there.
func (d *Daemon) enter() (in *heritage, err error) {
	p := &d.cfg.Profile
	if d.cfg.Handover != nil {
		in, err = d.cfg.Handover.take(p)
	} else {
		in, err = d.acquire(p)
	}
	if err != nil {
		return nil, err
	}
	d.openLog()
	// The lock makes sure that nobody is writing one of them.
	if err := atomicfile.RemoveLeftovers(p.Dir); err != nil {
		d.log.Warn("removing what an interrupted daemon left", "error", err.Error())
	}
	if in.listener == nil {
		if in.listener, err = p.Listen(); err != nil {
			if d.file != nil {
				d.file.Close()
			}
			in.lock.Close()
			return nil, err
		}
	}
	d.started, d.exe = d.now(), thisExecutable()
	if h := d.cfg.Handover; h != nil {
		d.started = h.Started
	}
	err = in.lock.Write(socket.LockInfo{PID: d.pid, Release: o2fa.Version(), API: ipc.Version, Socket: p.Socket, Started: d.started})
	if err != nil {
		d.log.Warn("writing lock file", "error", err.Error())
	}
	return in, nil
}

// acquire takes a profile that nobody has.
func (d *Daemon) acquire(p *socket.Profile) (*heritage, error) {
	if err := p.MakeDir(); err != nil {
		return nil, err
	}
	lock, err := socket.AcquireLock(*p)
	if err != nil {
		return nil, err
	}
	return &heritage{lock: lock}, nil
}

func (d *Daemon) openLog() {
	if d.log == nil {
		d.file = openLog(d.cfg.Profile.LogFile())
		d.log = slog.New(slog.NewTextHandler(d.file, nil))
	}
}

// serve runs the long tasks: the API, the opening of the vault and the watch
// over the secrets file, and the watch for a time without anything to do.
func (d *Daemon) serve(ctx context.Context, in *heritage) error {
	p := d.cfg.Profile
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.keeper = newKeeper(profileFiles{
		vault:   p.VaultFile(),
		marker:  filepath.Join(p.Dir, "vault.id"),
		keyfile: d.keyfile(),
	}, d.store, d.policy, d.log, d.now)
	d.keeper.moved = d.autolock.moved
	d.succeed(ctx)
	d.keeper.screen = d.desktop.screen
	d.intake = newIntake(p.SecretsFile(), d.keeper, d.log)
	d.intake.took = func(n int) { d.audit.note(event{What: ipc.LogSecretsFile, Count: n}) }
	d.audit.log, d.keeper.rows = d.log, d.audit.waiting
	d.intake.stir, d.intake.mode = d.rest.stir, d.settings.secretsFile
	d.settings.begin(d.log, d.configured)
	d.audit.wasOn = d.settings.logs()
	d.backups = d.newBackups()
	d.keeper.notice = func() {
		d.backups.nudge()
		d.intake.changed()
	}

	door := newDoor(in.listener, in.early(), d.log)
	server := d.server(ctx)
	d.log.Info("serving", "release", o2fa.Version(), "pid", d.pid, "socket", p.Socket)
	var tasks sync.WaitGroup
	served := make(chan error, 1)
	tasks.Go(func() {
		served <- server.Serve(door)
		close(served)
	})
	tasks.Go(func() { d.settings.watch(ctx) })
	tasks.Go(func() { d.backups.run(ctx) })
	tasks.Go(func() { d.autolock.run(ctx) })
	tasks.Go(func() { d.watchSession(ctx) })
	tasks.Go(func() { d.reopen(ctx) })
	tasks.Go(func() {
		if d.cfg.Handover != nil {
			d.keeper.startLocked(ctx)
		} else {
			d.keeper.start(ctx)
			d.noteOpened("the daemon's start")
		}
		d.intake.run(ctx)
	})
	tasks.Go(func() { d.keeper.reopen(ctx, func() { d.noteOpened("the keyring's dialog") }) })
	if d.cfg.Resting != nil {
		tasks.Go(func() { d.rest.run(ctx) })
	}

	var err error
	select {
	case <-ctx.Done():
	case <-d.stop:
	case err = <-served:
		err = fmt.Errorf("serving on %s: %w", p.Socket, err)
	}
	d.halt() // also for those who wait for their code to become valid
	if err != nil || ctx.Err() != nil {
		d.quit.Store(true)
	}
	back := d.drain(server, door, served)
	if ctx.Err() != nil {
		d.quit.Store(true)
	}
	cancel()
	d.keeper.interruptAll()
	d.requests.Wait()
	tasks.Wait()
	d.audit.close()
	d.backups.atEnd()
	d.keeper.close()
	d.exe.wait()
	in.inherit(d.askers, back)
	if d.leaves() {
		d.log.Info("executing anew, locked")
	} else {
		d.log.Info("stopped")
	}
	return err
}

// server answers requests until it is told to end.
func (d *Daemon) server(ctx context.Context) *http.Server {
	return &http.Server{
		Handler:           d.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(d.log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       withCaller,
	}
}

// drain waits until the requests in flight have their replies, for a time. Where
// the next image of the process goes on it returns the connections that it is to
// have, and leaves the listener open.
func (d *Daemon) drain(server *http.Server, door *door, served <-chan error) (back []net.Conn) {
	limit := drainTime
	if d.leaves() {
		limit = relaunchTime
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if d.leaves() {
		door.hold()
		for range served { // nobody is let in any more
		}
		back = door.takeBack()
		// Shutdown alone drops a request that was read and has no handler yet.
		server.SetKeepAlivesEnabled(false)
		_ = door.wait(ctx)
	}
	if err := server.Shutdown(ctx); err != nil {
		server.Close()
	}
	return back
}

// configured is told when another configuration comes into force.
func (d *Daemon) configured() {
	d.audit.turned(d.settings.logs())
	d.intake.nudge()
	d.autolock.nudge()
	notify(d.watch.again)
}

// policy is what the keeper goes by now.
func (d *Daemon) policy() policy {
	p := d.settings.policy()
	p.onlyTyped = d.autolock.onlyTyped()
	return p
}

func (d *Daemon) keyfile() string { return filepath.Join(d.cfg.Profile.Dir, "vault.key") }

// store makes the keystore of one type, as the keeper asks for it.
func (d *Daemon) store(t keystore.Type, g given, waiting func(bool)) (keystore.Store, error) {
	if t != keystore.TypeKeyring || g.pass.Len() > 0 || d.cfg.Keyring != nil {
		d.keeper.held.Store(true)
	}
	if d.cfg.Keyring != nil && (t == keystore.TypeKeyring || t == keystore.TypeMemory) {
		return d.cfg.Keyring, nil
	}
	switch t {
	case keystore.TypeKeyring:
		return keystore.NewKeyring(keystore.KeyringConfig{Getenv: d.desktop.getenv, Waiting: waiting, Answered: d.keeper.late,
			Reading: func() { d.keeper.held.Store(true) }}), nil
	case keystore.TypePassphrase:
		return keystore.NewPassphrase(g.pass, d.cfg.Cost), nil
	case keystore.TypeKeyfile:
		if g.spare {
			return keystore.NewKeyfile(keystore.SpareKeyfile(d.keyfile())), nil
		}
		return keystore.NewKeyfile(d.keyfile()), nil
	case keystore.TypeCredential:
		return keystore.NewCredential(d.cfg.Credentials, g.credential), nil
	case keystore.TypeRecovery:
		return keystore.NewRecovery(g.pass), nil
	}
	return nil, fmt.Errorf("key slot of unknown type %q: %w", t, keystore.ErrUnavailable)
}
