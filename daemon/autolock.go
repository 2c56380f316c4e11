package daemon

import (
	"context"
	"sync"
	"time"

	"github.com/o2fa/o2fa/daemon/internal/config"
	"github.com/o2fa/o2fa/ipc"
)

// lockRetry is how long a lock that did not succeed is left alone.
const lockRetry = time.Second

// moment is a point in time by two clocks: one that nobody sets but that a
// virtual machine at rest does not see go on, and the one on the wall.
type moment struct {
	up   time.Duration
	wall time.Time
}

// since is how much time has passed from then to m. The clock that says more is
// believed: a clock that is set back hides no time, and one that is set ahead locks
// early, which harms nobody.
func (m moment) since(then moment) time.Duration {
	return max(m.up-then.up, m.wall.Round(0).Sub(then.wall.Round(0)))
}

// lockMemory is what a lock must not forget, also where it replaces the process.
type lockMemory struct {
	by     ipc.LockReason // why the vault is locked, or was last
	at     time.Time      // when that was
	opened moment         // when somebody unlocked the vault
	used   moment         // when the last command succeeded that a person gave
}

// autolock locks the vault when its time is over. It has a timer only while the
// vault is open and the configuration sets a time. A command does not touch that
// timer: it moves the time of last use, and the timer looks at that when it fires.
type autolock struct {
	settings *settings
	now      func() moment
	lock     func(context.Context, ipc.LockReason) error
	again    chan struct{} // holds one request to look at the times again

	mu       sync.Mutex // guards what follows
	memory   lockMemory
	resuming bool          // what opens the vault now is no unlocking by a person
	open     chan struct{} // closed when the vault is locked; nil while it is
}

func newAutolock(s *settings, now func() moment, lock func(context.Context, ipc.LockReason) error) *autolock {
	return &autolock{settings: s, now: now, lock: lock, again: make(chan struct{}, 1)}
}

// moved is told each time the vault goes from one state to another.
func (a *autolock) moved(before, after ipc.State) {
	ready := after == ipc.StateReady
	if ready == (before == ipc.StateReady) {
		return
	}
	now := a.now()
	a.mu.Lock()
	if ready {
		if !a.resuming {
			a.memory.opened, a.memory.used = now, now
		}
		a.memory.by = ""
		a.open = make(chan struct{})
	} else if a.open != nil {
		close(a.open)
		a.open = nil
	}
	a.mu.Unlock()
	a.nudge()
}

// because notes who wants the vault locked. What a person asked for is not
// forgotten for what happens to a vault that is locked already.
func (a *autolock) because(why ipc.LockReason) {
	now := a.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open != nil || a.memory.by == "" || why == ipc.LockAsked {
		a.memory.by, a.memory.at = why, now.wall
	}
}

// lockedBy returns why the vault is locked, or was to be; empty where it is open
// or nobody has locked it.
func (a *autolock) lockedBy() ipc.LockReason {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.memory.by
}

// remember returns what the next image must know.
func (a *autolock) remember() lockMemory {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.memory
}

// use notes that a command has succeeded.
func (a *autolock) use() {
	now := a.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.memory.used = now
}

// nudge asks for another look at the times.
func (a *autolock) nudge() {
	notify(a.again)
}

// left returns how long the vault may stay open yet, and what ends that; nothing
// where nothing does. It is counted on while the vault is locked.
func (a *autolock) left() (left time.Duration, why ipc.LockReason) {
	after, idle := a.settings.lockTimes()
	if after == 0 && idle == 0 {
		return 0, ""
	}
	now := a.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if after > 0 {
		left, why = after-now.since(a.memory.opened), ipc.LockAfter
	}
	if idle > 0 {
		if still := idle - now.since(a.memory.used); why == "" || still < left {
			left, why = still, ipc.LockIdle
		}
	}
	return left, why
}

// opened returns a channel that is closed when the vault is locked; nil while it
// is locked.
func (a *autolock) opened() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.open
}

// run locks the vault in time until ctx ends.
func (a *autolock) run(ctx context.Context) {
	for {
		var due <-chan time.Time
		left, why := a.left()
		if a.opened() != nil && why != "" {
			if left <= 0 && a.lock(ctx, why) == nil {
				continue
			}
			if left <= 0 {
				left = lockRetry
			}
			due = time.After(left) // which is collected when nobody waits for it any more
		}
		select {
		case <-ctx.Done():
			return
		case <-a.again:
		case <-due:
		}
	}
}

// settle returns when no vault is open that should be locked by now. A timer can
// be late, after a sleep above all, and nobody gets a code for that.
func (a *autolock) settle(ctx context.Context) {
	open := a.opened()
	if open == nil {
		return
	}
	if left, why := a.left(); why == "" || left > 0 {
		return
	}
	a.nudge()
	select {
	case <-open:
	case <-ctx.Done():
	}
}

// status tells of locking.
func (a *autolock) status(state ipc.State, now time.Time) (s ipc.LockStatus) {
	if state != ipc.StateReady {
		if m := a.remember(); m.by != "" {
			s.LockedBy, s.LockedAt = m.by, m.at.UTC().Format(time.RFC3339)
		}
		return s
	}
	if left, why := a.left(); why != "" {
		s.LockAt = now.Add(left).UTC().Format(time.RFC3339)
	}
	return s
}

// onlyTyped says whether the vault opens by what a person types alone: after a
// lock, where the configuration wants that.
func (a *autolock) onlyTyped() bool {
	return a.settings.unlock() == config.UnlockPassphrase && a.lockedBy() != ""
}
