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
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

// drainTime is how long requests in flight may take when the daemon ends.
const drainTime = 3 * time.Second

// Config says what a daemon serves and how. Only Profile is required.
type Config struct {
	Profile socket.Profile
	// Keystore is O2FA_KEYSTORE: how a new vault is keyed, auto, keyring,
	// passphrase or keyfile. None leaves it to config.toml.
	Keystore string
	// PassphraseFile is O2FA_PASSPHRASE_FILE: where a passphrase is read from.
	// None leaves it to config.toml.
	PassphraseFile string
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
	// display). None means an empty environment.
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
	keeper   *keeper
	intake   *intake
	rest     *rest
	autolock *autolock

	stop     chan struct{} // closed when it is time to end
	end      func()        // closes stop, once
	requests sync.WaitGroup
	cleared  atomic.Bool // a reset has removed the vault, and the rest goes at the end
}

// New returns a daemon that has not touched anything yet.
func New(cfg Config) *Daemon {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Uptime == nil {
		cfg.Uptime = uptime
	}
	if cfg.Getenv == nil {
		cfg.Getenv = func(string) string { return "" }
	}
	stop := make(chan struct{})
	d := &Daemon{cfg: cfg, log: cfg.Log, now: cfg.Now, settings: newSettings(cfg),
		stop: stop, end: sync.OnceFunc(func() { close(stop) })}
	d.rest = newRest(d.resting)
	d.autolock = newAutolock(d.settings, d.moment, d.lock)
	return d
}

// resting is told when a rest begins and ends.
func (d *Daemon) resting(resting bool) {
	if resting {
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
	p := d.cfg.Profile
	if err := p.MakeDir(); err != nil {
		return err
	}
	lock, err := socket.AcquireLock(p)
	if err != nil {
		return err
	}
	defer lock.Close()
	if d.log == nil {
		d.file = openLog(p.LogFile())
		defer d.file.Close()
		d.log = slog.New(slog.NewTextHandler(d.file, nil))
	}
	// The lock makes sure that nobody is writing one of them.
	if err := atomicfile.RemoveLeftovers(p.Dir); err != nil {
		d.log.Warn("removing what an interrupted daemon left", "error", err.Error())
	}
	listener, err := p.Listen()
	if err != nil {
		return err
	}
	d.started, d.exe = d.now(), thisExecutable()
	err = lock.Write(socket.LockInfo{PID: os.Getpid(), Release: o2fa.Version(), API: ipc.Version, Socket: p.Socket, Started: d.started})
	if err != nil {
		d.log.Warn("writing lock file", "error", err.Error())
	}
	err = d.serve(ctx, listener)
	if d.cleared.Load() {
		d.vanish(lock)
	}
	return err
}

// serve runs the long tasks: the API, the opening of the vault and the watch
// over the secrets file, and the watch for a time without anything to do.
func (d *Daemon) serve(ctx context.Context, listener net.Listener) error {
	p := d.cfg.Profile
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.keeper = newKeeper(profileFiles{
		vault:   p.VaultFile(),
		marker:  filepath.Join(p.Dir, "vault.id"),
		keyfile: d.keyfile(),
	}, d.store, d.policy, d.log, d.now)
	d.keeper.moved = d.autolock.moved
	d.intake = newIntake(p.SecretsFile(), d.keeper, d.log)
	d.intake.stir = d.rest.stir
	d.settings.begin(d.log, d.configured)

	server := &http.Server{
		Handler:           d.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(d.log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	d.log.Info("serving", "release", o2fa.Version(), "pid", os.Getpid(), "socket", p.Socket)
	var tasks sync.WaitGroup
	served := make(chan error, 1)
	tasks.Go(func() { served <- server.Serve(&checkedListener{Listener: listener, log: d.log}) })
	tasks.Go(func() { d.settings.watch(ctx) })
	tasks.Go(func() { d.autolock.run(ctx) })
	tasks.Go(func() {
		d.keeper.start(ctx)
		d.intake.run(ctx)
	})
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
	d.end() // also for those who wait for their code to become valid
	drain, stopDraining := context.WithTimeout(context.Background(), drainTime)
	defer stopDraining()
	if shutErr := server.Shutdown(drain); shutErr != nil {
		server.Close()
	}
	cancel()
	d.keeper.interruptAll()
	d.requests.Wait()
	tasks.Wait()
	d.keeper.close()
	d.exe.wait()
	d.log.Info("stopped")
	return err
}

// configured is told when another configuration comes into force.
func (d *Daemon) configured() {
	d.intake.nudge()
	d.autolock.nudge()
}

// policy is what the keeper goes by now.
func (d *Daemon) policy() policy {
	p := d.settings.policy()
	p.onlyTyped = d.autolock.onlyTyped()
	return p
}

func (d *Daemon) keyfile() string { return filepath.Join(d.cfg.Profile.Dir, "vault.key") }

// store makes the keystore of one type, as the keeper asks for it.
func (d *Daemon) store(t keystore.Type, pass secret.Bytes, waiting func(bool)) (keystore.Store, error) {
	if d.cfg.Keyring != nil && (t == keystore.TypeKeyring || t == keystore.TypeMemory) {
		return d.cfg.Keyring, nil
	}
	switch t {
	case keystore.TypeKeyring:
		return keystore.NewKeyring(keystore.KeyringConfig{Getenv: d.cfg.Getenv, Waiting: waiting}), nil
	case keystore.TypePassphrase:
		return keystore.NewPassphrase(pass, d.cfg.Cost), nil
	case keystore.TypeKeyfile:
		return keystore.NewKeyfile(d.keyfile()), nil
	case keystore.TypeRecovery:
		return keystore.NewRecovery(pass), nil
	}
	return nil, fmt.Errorf("key slot of unknown type %q: %w", t, keystore.ErrUnavailable)
}

// checkedListener hands out only connections whose other end is this user.
type checkedListener struct {
	net.Listener
	log *slog.Logger
}

// Accept returns the next connection from a process of the same user.
func (l *checkedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if err := socket.CheckPeer(conn); err != nil {
			l.log.Warn("refused a connection", "reason", err.Error())
			conn.Close()
			continue
		}
		return conn, nil
	}
}
