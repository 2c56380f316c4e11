package daemon

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/o2fa/o2fa"
	"github.com/o2fa/o2fa/daemon/internal/backup"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/ipc"
)

// When a backup is made of a vault that has changed.
const (
	backupQuiet = 30 * time.Second // after the last change
	backupLate  = 5 * time.Minute  // after the first, at the latest
	backupLock  = time.Second      // how long a lock waits for one
	backupEnd   = 1500 * time.Millisecond
	// After a failure that time may mend, such as a full disk, it is tried again.
	backupRetry    = 10 * time.Minute
	backupRetryMax = 6 * time.Hour
)

// backupsName is the directory of backups in the profile.
const backupsName = "backups"

// backups makes a backup when the vault has changed: not for each change, but
// for those of half a minute at once. What it has not made when the vault is
// locked, or the daemon ends, it makes after the next unlock: whether there is
// one of the vault's state is read off the backups themselves.
type backups struct {
	dir    backup.Dir
	keeper *keeper
	keep   func() int
	log    *slog.Logger
	now    func() time.Time
	stir   func() // called when work begins
	nudged chan struct{}

	working sync.Mutex // held while one is made

	mu      sync.Mutex // guards what follows
	cancel  context.CancelFunc
	pending bool       // something may have changed that is in no backup yet
	problem *ipc.Error // of the last attempt; nil if it worked
}

func (d *Daemon) newBackups() *backups {
	return &backups{dir: backup.Dir(filepath.Join(d.cfg.Profile.Dir, backupsName)), keeper: d.keeper, keep: d.settings.backups,
		log: d.log, now: d.now, stir: d.rest.stir, nudged: make(chan struct{}, 1), cancel: func() {}}
}

// nudge says that the vault has changed, or can be read again. It returns at once.
func (b *backups) nudge() {
	b.mu.Lock()
	b.pending = true
	b.mu.Unlock()
	select {
	case b.nudged <- struct{}{}:
	default:
	}
}

// run makes backups until ctx ends. It has a timer only while one is due.
func (b *backups) run(ctx context.Context) {
	if err := b.dir.Clean(); err != nil {
		b.log.Warn("removing what an interrupted backup left", "error", err.Error())
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.nudged:
		}
		retry := backupRetry
		for b.wanted(ctx) && b.settle(ctx) {
			b.stir()
			err := b.due(ctx)
			if err == nil || !mayPass(err) {
				break
			}
			if !b.pause(ctx, retry) {
				break // something new, or the end
			}
			retry = min(2*retry, backupRetryMax)
		}
	}
}

// wanted says whether there is a change to be backed up.
func (b *backups) wanted(ctx context.Context) bool {
	wanted := false
	err := b.keeper.use(ctx, func(v *vault.Vault) (err error) {
		wanted, err = b.lacks(v)
		return err
	})
	if err == nil && !wanted {
		b.done(nil)
	}
	return wanted || err != nil && mayPass(err)
}

// settle waits until nothing has changed for a while, but not for ever. It
// returns false when ctx has ended.
func (b *backups) settle(ctx context.Context) bool {
	late := time.NewTimer(backupLate)
	defer late.Stop()
	quiet := time.NewTimer(backupQuiet)
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-b.nudged:
			quiet.Reset(backupQuiet)
		case <-quiet.C:
			return true
		case <-late.C:
			return true
		}
	}
}

// pause waits before the next try. It returns false if something else came.
func (b *backups) pause(ctx context.Context, retry time.Duration) bool {
	timer := time.NewTimer(retry)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-b.nudged:
		b.nudge() // for run
		return false
	case <-timer.C:
		return true
	}
}

// mayPass says whether a failure may be gone by itself later. A vault that is
// locked says so when it is not, and a damaged one when it has been mended.
func mayPass(err error) bool {
	return !errors.Is(err, ipc.ErrLocked) && !errors.Is(err, ipc.ErrCorrupt) && !errors.Is(err, ipc.ErrUninitialized) &&
		!errors.Is(err, context.Canceled)
}

// due makes a backup if there is none of the vault as it is.
func (b *backups) due(ctx context.Context) error {
	if b.keep() == 0 {
		return nil
	}
	return b.keeper.use(ctx, func(v *vault.Vault) error { return b.dueOf(ctx, v) })
}

// dueOf is due for the vault that the caller has.
func (b *backups) dueOf(ctx context.Context, v *vault.Vault) error {
	lacks, err := b.lacks(v)
	if err != nil {
		err = b.refusal(err)
		b.done(err)
	}
	if err != nil || !lacks {
		return err
	}
	_, _, err = b.make(ctx, v)
	return err
}

// lacks says whether no backup holds the vault as it is. An empty one that never
// changed needs none.
func (b *backups) lacks(v *vault.Vault) (bool, error) {
	if b.keep() == 0 {
		return false, nil
	}
	state, err := v.State()
	if err != nil {
		return false, err
	}
	if live, trashed := v.Count(); state == "" && live+trashed == 0 {
		return false, nil
	}
	name, err := b.holding(v)
	return name == "" && err == nil, err
}

// holding returns the name of a backup that holds the vault as it is; none if
// there is none.
func (b *backups) holding(v *vault.Vault) (name string, err error) {
	state, err := v.State()
	if err != nil {
		return "", err
	}
	list, err := b.of(v)
	for _, i := range list {
		if m, err := v.ManifestOf(b.dir.Path(i.Name)); err == nil && m.State == state && m.Name == i.Name {
			return i.Name, nil
		}
	}
	return "", err
}

// of lists the backups of a vault.
func (b *backups) of(v *vault.Vault) ([]backup.Info, error) {
	list, err := b.dir.List()
	of := backup.Of(v.ID())
	return slices.DeleteFunc(list, func(i backup.Info) bool { return i.Of != of }), err
}

// make makes a backup of the vault, verifies it and removes those that are too
// many by that. What went wrong is what status shows.
func (b *backups) make(ctx context.Context, v *vault.Vault) (made backup.Info, removed []string, err error) {
	b.working.Lock()
	defer b.working.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b.mu.Lock()
	b.cancel = cancel
	b.mu.Unlock()
	began := time.Now()
	made, err = b.dir.Make(backup.Of(v.ID()), b.now(), func(f *os.File, name string) error {
		return b.write(ctx, v, f, name)
	}, func(path string) error { return checkOwn(ctx, v, path) })
	if err != nil {
		err = b.refusal(err)
		b.done(err)
		return made, nil, err
	}
	b.done(nil)
	removed = b.rotate(v, made)
	b.log.Info("made a backup", "name", made.Name, "bytes", made.Size, "ms", time.Since(began).Milliseconds(), "removed", len(removed))
	return made, removed, nil
}

// write writes a backup that shall have that name.
func (b *backups) write(ctx context.Context, v *vault.Vault, f *os.File, name string) error {
	info, err := os.Stat(b.keeper.files.vault)
	if err == nil { // else its copy tells what is wrong
		err = roomFor(filepath.Dir(f.Name()), info.Size())
	}
	if errors.Is(err, errTight) {
		return err
	}
	_, err = v.WriteBackup(&cancelled{ctx, f}, vault.Manifest{Name: name, Made: b.now().UnixMilli(), Release: o2fa.Version()})
	return err
}

// checkOwn verifies a backup of the vault with its own key.
func checkOwn(ctx context.Context, v *vault.Vault, path string) error {
	own, err := v.OpenOwn(path)
	if err != nil {
		return err
	}
	defer own.Close()
	_, err = own.Verify(ctx, new(codes).take)
	return err
}

// rotate removes what is too many. The one that was just made stays, whatever
// the clock says.
func (b *backups) rotate(v *vault.Vault, made backup.Info) []string {
	list, err := b.of(v)
	if err != nil || b.keep() == 0 {
		return nil
	}
	list = slices.DeleteFunc(list, func(i backup.Info) bool { return i.Name == made.Name })
	excess := backup.Excess(append([]backup.Info{made}, list...), b.keep())
	if err := b.dir.Remove(excess...); err != nil {
		b.log.Warn("removing old backups", "error", err.Error())
	}
	return excess
}

// done notes how an attempt ended.
func (b *backups) done(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.pending, b.problem = false, nil
		return
	}
	if wire := (*ipc.Error)(nil); errors.As(err, &wire) && !errors.Is(err, context.Canceled) {
		b.problem = wire
		b.log.Warn("making a backup", "error", wire.Message)
	}
}

// beforeLock makes the backup that is due, if that does not take long. Nothing
// uses the vault's key for a backup when it returns.
func (b *backups) beforeLock(ctx context.Context) { b.flush(ctx, backupLock) }

// atEnd is beforeLock for the end of the daemon.
func (b *backups) atEnd() { b.flush(context.Background(), backupEnd) }

func (b *backups) flush(ctx context.Context, most time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.cancel() // also one that somebody else had begun
	})
	defer stop()
	b.mu.Lock()
	pending := b.pending
	b.mu.Unlock()
	if pending {
		_ = b.due(ctx) // what it says is noted, or is made up for at the next unlock
	}
	b.working.Lock() // until the last one has let go
	defer b.working.Unlock()
}

// cancelled is a file that takes nothing more when ctx has ended.
type cancelled struct {
	ctx context.Context
	f   *os.File
}

// Write writes p, in pieces.
func (c *cancelled) Write(p []byte) (n int, err error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.f.Write(p)
}

// refusal is why no backup could be made, as the wire knows it.
func (b *backups) refusal(err error) error {
	dir := string(b.dir)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, vault.ErrCorrupt):
		b.log.Error("making a backup", "error", err.Error())
		return &ipc.Error{Code: ipc.CodeCorrupt, Message: b.keeper.files.vault + " is damaged: no backup is made of it, and those that there are stay",
			Hint: "o2fa backup list, then o2fa backup restore NAME"}
	}
	return writeProblem(err, dir, "no backup was made", "free some space there, then o2fa backup create")
}

// writeProblem is a failure to write at a place, as the wire knows it.
func writeProblem(err error, place, so, hint string) error {
	if wire := (*ipc.Error)(nil); errors.As(err, &wire) {
		return err
	}
	err = vault.Classify(err)
	switch {
	case errors.Is(err, vault.ErrLocked), errors.Is(err, vault.ErrClosed):
		return &ipc.Error{Code: ipc.CodeLocked, Message: "the vault was locked meanwhile: " + so, Hint: "o2fa unlock"}
	case errors.Is(err, errTight):
		return &ipc.Error{Code: ipc.CodeDiskFull, Message: "there is too little room on the disk that holds " + place + ": " + so, Hint: hint}
	case errors.Is(err, vault.ErrDiskFull):
		return &ipc.Error{Code: ipc.CodeDiskFull, Message: "the disk that holds " + place + " is full: " + so, Hint: hint}
	case errors.Is(err, vault.ErrReadOnly):
		return &ipc.Error{Code: ipc.CodeReadOnly, Message: place + " cannot be written: " + so, Hint: "let this user write there"}
	case errors.Is(err, vault.ErrExists):
		return &ipc.Error{Code: ipc.CodeInvalid, Message: place + " is there already: " + so, Hint: "name a file that does not exist"}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return &ipc.Error{Code: ipc.CodeInvalid, Message: "there is no directory for " + place + ": " + so, Hint: "make it, or name a file elsewhere"}
	}
	return &ipc.Error{Code: ipc.CodeStorage, Message: so + ": " + err.Error(), Hint: "see the disk's own messages"}
}

// status is what status says of the backups.
func (b *backups) status(vs *ipc.VaultStatus) *ipc.BackupsStatus {
	s := &ipc.BackupsStatus{Dir: string(b.dir), Keep: b.keep()}
	list, err := b.dir.List()
	if err != nil {
		s.Problem = reason(err)
	}
	for _, i := range list {
		if vs != nil && i.Of != vs.ID[:len(i.Of)] {
			continue
		}
		if s.Count++; s.Newest == "" {
			s.Newest = i.Made.Format(time.RFC3339)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.Pending = b.pending
	if b.problem != nil {
		s.Problem = b.problem.Message
	}
	return s
}

// warnings are what status shows of a backup that could not be made.
func (b *backups) warnings() []ipc.Warning {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.problem == nil {
		return nil
	}
	return []ipc.Warning{{Code: "backup", Message: b.problem.Message, Hint: b.problem.Hint}}
}
