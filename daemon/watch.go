package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/o2fa/o2fa/daemon/internal/config"
	"github.com/o2fa/o2fa/daemon/internal/session"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/ipc"
)

// sleepPatience is how long a lock may take while the machine waits to sleep;
// after five seconds it waits no longer.
const sleepPatience = 4 * time.Second

// watch is what the daemon knows of the person's session.
type watch struct {
	again   chan struct{} // holds a notice of another configuration
	back    chan struct{} // holds one request to open the vault again
	watcher atomic.Pointer[session.Watcher]
	held    []string // what the image before, or the last Watcher, has left
}

func newWatch() *watch {
	return &watch{again: make(chan struct{}, 1), back: make(chan struct{}, 1)}
}

// notify fills a channel that holds one notice.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// watchSession listens to the person's session until ctx ends, while the
// configuration has a use for it. Without an environment there is no session.
func (d *Daemon) watchSession(ctx context.Context) {
	for ctx.Err() == nil {
		if d.cfg.Getenv == nil || !d.settings.watches() {
			select {
			case <-ctx.Done():
			case <-d.watch.again:
			}
			continue
		}
		w := session.New(session.Config{Getenv: d.desktop.getenv, Log: d.log, Handle: d.sessionEvent, Leaving: d.leaves,
			Held: d.watch.held, Owed: d.autolock.forSession()})
		d.watch.watcher.Store(w)
		listening, stop := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			w.Run(listening)
		}()
		for ctx.Err() == nil && d.settings.watches() {
			select {
			case <-ctx.Done():
			case <-d.watch.again:
			}
		}
		stop()
		<-ended
		d.watch.watcher.Store(nil)
		d.watch.held = w.Held()
	}
}

// sessionEvent acts on what happened to the session.
func (d *Daemon) sessionEvent(ctx context.Context, e session.Event) {
	d.rest.stir()
	switch e {
	case session.Woken:
		d.autolock.nudge() // its timer stood still
	case session.Back:
		notify(d.watch.back)
	default:
		if slices.Contains(d.settings.lockOn(), string(e)) {
			d.lockFor(ctx, ipc.LockReason(e))
		}
	}
}

// lockFor locks a vault that is open, or about to be, for the session's sake.
func (d *Daemon) lockFor(ctx context.Context, why ipc.LockReason) {
	if !d.keeper.opening() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, sleepPatience)
	defer cancel()
	if err := d.lock(ctx, why); err != nil {
		d.log.Warn("locking for the session", "why", string(why), "error", err.Error())
	}
}

// reopen opens the vault again each time that the session is back, until ctx ends.
func (d *Daemon) reopen(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.watch.back:
		}
		d.rest.stir()
		if d.held() || d.keeper.opening() {
			continue
		}
		err := errStays
		if d.settings.unlock() == config.UnlockAuto && d.autolock.resume() {
			err = d.keeper.unlock(ctx, secret.Bytes{})
			d.autolock.resumed()
			d.noteOpened("the session is back")
		}
		switch {
		case err != nil:
			d.log.Info("the session is back, the vault stays locked", "reason", err.Error())
		case d.held(): // since it was asked for
			d.lockFor(ctx, ipc.LockScreen)
		}
	}
}

// errStays is why nobody tries to open a vault.
var errStays = errors.New("not for the session's sake alone was it locked")

// held says whether somebody says that the screen is locked, or the machine asleep.
func (d *Daemon) held() bool {
	w := d.watch.watcher.Load()
	return w != nil && len(w.Held()) > 0
}

// seen tells the watcher that the daemon is used.
func (w *watch) seen() {
	if watcher := w.watcher.Load(); watcher != nil {
		watcher.Nudge()
	}
}

// opening says whether the vault is open, or somebody tries to open it.
func (k *keeper) opening() bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.state == ipc.StateReady || k.attempt != nil
}

// resume says whether the vault may be opened again without anybody: if the
// session had it locked, and its time is not over since. Until resumed the times
// go on from where they were.
func (a *autolock) resume() bool {
	left, why := a.left()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open != nil || !a.memory.forSession() {
		return false
	}
	if why != "" && left <= 0 {
		a.memory.by = why
		return false
	}
	a.resuming = true
	return true
}

// forSession says that the vault is locked for what the session will be back from.
func (a *autolock) forSession() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.open == nil && a.memory.forSession()
}

func (m lockMemory) forSession() bool { return m.by == ipc.LockScreen || m.by == ipc.LockSleep }

func (a *autolock) resumed() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.resuming = false
}

// tellable returns the events among those named that this system can tell of.
func tellable(named []string) []string {
	return slices.DeleteFunc(slices.Clone(named), func(name string) bool { return !slices.Contains(session.Supported(), session.Event(name)) })
}

// deaf returns the events that the configuration file names and nobody tells of
// at the moment.
func (d *Daemon) deaf() (names []string) {
	named, w := d.settings.named(), d.watch.watcher.Load()
	for _, name := range named {
		if w != nil && w.Deaf(session.Event(name)) || !slices.Contains(session.Supported(), session.Event(name)) {
			names = append(names, name)
		}
	}
	return names
}

// watchWarnings are about events that nobody tells of although the configuration
// file names them.
func (d *Daemon) watchWarnings() []ipc.Warning {
	names := d.deaf()
	if len(names) == 0 {
		return nil
	}
	hint := "o2fa config set lock_idle 10m"
	if after, idle := d.settings.lockTimes(); after > 0 || idle > 0 {
		hint = "o2fa config unset lock_on"
	}
	return []ipc.Warning{{Code: "lock_on", Hint: hint,
		Message: fmt.Sprintf("lock_on has no effect for %s: nothing here tells the daemon of it", strings.Join(names, ", "))}}
}
