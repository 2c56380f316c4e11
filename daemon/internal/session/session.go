// Package session owns what the daemon learns of the person's session: that its
// screen was locked and is open again, that the machine goes to sleep, that the
// session ended. It asks logind and the screen savers on the two buses, or
// Windows; each costs nothing while nothing happens. It knows no vault, and does
// not decide what any of that means.
package session

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Event is what happened.
type Event string

// The events. The first three have the names that the key lock_on of the
// configuration gives them.
const (
	Locked   Event = "screen" // somebody locked the screen
	Sleeping Event = "sleep"  // the machine goes to sleep as soon as the event was handled
	Ended    Event = "logout" // the session ended: the last one of the user, or one with a screen
	Woken    Event = "woken"  // the machine is awake again
	// Back follows when whoever said that the screen is locked, or the machine
	// asleep, has said that this is over.
	Back Event = "back"
)

// Config says what a Watcher goes by.
type Config struct {
	// Getenv reads the environment, for the addresses of the buses.
	Getenv func(string) string
	// Log receives what could not be learnt.
	Log *slog.Logger
	// Handle is called for each event, for one at a time and in their order. The
	// machine goes to sleep when it returns, or after about five seconds.
	Handle func(context.Context, Event)
	// Leaving says that the process is about to be replaced. Then the machine's
	// sleep waits until that is done.
	Leaving func() bool
	// Held is what Watcher.Held returned in a process that this one follows: what
	// is over by now becomes the event Back.
	Held []string
	// Owed says that the event Back was not acted on there, or may not have been:
	// it comes as soon as it is known that nobody holds anything.
	Owed bool
}

// Watcher listens until its Run ends. A state of the screen that it finds is no
// event; what becomes of it is.
type Watcher struct {
	Config

	turn sync.Mutex // held while an event is handled

	mu      sync.Mutex      // guards what follows
	holders map[string]bool // who says that the screen is locked, or the machine asleep
	known   map[string]bool // who has said anything yet
	heard   map[string]bool // whom there is to listen to
	begun   bool            // Run was called
	looking int             // sources that have not told their first state yet
	owed    bool            // the event Back, when they have

	lines [2]line // to the sources that may be out of reach
}

// line is a connection that may be lost.
type line struct {
	retryAt atomic.Int64  // Unix seconds from when on an occasion to look for it is welcome; 0 for none
	nudged  chan struct{} // holds one request to look
}

// New returns a Watcher that does not listen yet.
func New(c Config) *Watcher {
	w := &Watcher{Config: c, holders: map[string]bool{}, known: map[string]bool{}, heard: map[string]bool{}, owed: c.Owed}
	for i := range w.lines {
		w.lines[i].nudged = make(chan struct{}, 1)
	}
	for _, holder := range c.Held {
		w.holders[holder], w.known[holder] = true, true
	}
	return w
}

// Held returns who says that the screen is locked or the machine asleep, for the
// Config of a Watcher in a process that takes this one's place.
func (w *Watcher) Held() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.holders))
}

// Hears says whether there is somebody who would tell of the event e.
func (w *Watcher) Hears(e Event) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.heard[teller] || e == Locked && len(w.heard) > 0
}

// Deaf says that nobody would tell of the event e, as far as that is known yet.
func (w *Watcher) Deaf(e Event) bool {
	w.mu.Lock()
	looking := !w.begun || w.looking > 0
	w.mu.Unlock()
	return !looking && !w.Hears(e)
}

// Nudge says that the daemon is being used, which is an occasion to look for a
// bus that was not there. It returns at once.
func (w *Watcher) Nudge() {
	for i := range w.lines {
		l := &w.lines[i]
		at := l.retryAt.Load()
		if at == 0 || time.Now().Unix() < at || !l.retryAt.CompareAndSwap(at, 0) {
			continue
		}
		select {
		case l.nudged <- struct{}{}:
		default:
		}
	}
}

// Holders that are no one's state. Others are named by who tells of them.
const (
	asked  = "asked" // logind was asked to lock the screen, and no locker has said yet that it did
	asleep = "sleep"
	teller = "system" // the one who tells of everything: logind, or Windows
)

// hold notes that holder says that the screen is locked, or the machine asleep.
func (w *Watcher) hold(ctx context.Context, holder string, e Event) {
	w.turn.Lock()
	defer w.turn.Unlock()
	w.mu.Lock()
	was := w.holders[holder] || e == Locked && w.holders[asked]
	w.holders[holder], w.known[holder] = true, true
	if e == Locked && holder != asked {
		delete(w.holders, asked) // this one has done it, and will tell when it is over
	}
	w.mu.Unlock()
	if !was {
		w.Handle(ctx, e)
	}
}

// ask notes that somebody asked for the screen's lock. Where a locker has said
// that it did so, nothing is new.
func (w *Watcher) ask(ctx context.Context) {
	done := slices.ContainsFunc(w.Held(), func(holder string) bool { return holder != asked && holder != asleep })
	if !done {
		w.hold(ctx, asked, Locked)
	}
}

// free notes that holder says that it is over. The last one brings Back.
func (w *Watcher) free(ctx context.Context, holder string) {
	w.turn.Lock()
	defer w.turn.Unlock()
	w.mu.Lock()
	was := w.holders[holder]
	delete(w.holders, holder)
	w.known[holder] = true
	if was && holder != asleep {
		delete(w.holders, asked)
	}
	back := was && len(w.holders) == 0
	if w.looking > 0 {
		w.owed, back = w.owed || back, false
	}
	w.mu.Unlock()
	if was && holder == asleep {
		w.Handle(ctx, Woken)
	}
	if back {
		w.Handle(ctx, Back)
	}
}

// looked notes that a source has told its first state, or that there is none.
// Only when all have, it is known that nobody holds anything any more.
func (w *Watcher) looked(ctx context.Context) {
	w.turn.Lock()
	defer w.turn.Unlock()
	w.mu.Lock()
	w.looking--
	back := w.looking == 0 && w.owed && len(w.holders) == 0
	w.mu.Unlock()
	if back {
		w.Handle(ctx, Back)
	}
}

// ended tells that a session has ended.
func (w *Watcher) ended(ctx context.Context) {
	w.turn.Lock()
	defer w.turn.Unlock()
	w.Handle(ctx, Ended)
}

// found is hold or free for a state that was asked for. One that is the first
// word of its holder was so before anybody listened, and is no event.
func (w *Watcher) found(ctx context.Context, holder string, e Event, held bool) {
	w.mu.Lock()
	first := !w.known[holder]
	if first && held {
		w.holders[holder], w.known[holder] = true, true
	}
	w.mu.Unlock()
	switch {
	case first && held:
	case held:
		w.hold(ctx, holder, e)
	default:
		w.free(ctx, holder)
	}
}

// forget drops a holder that there is no more. That says nothing of the screen.
func (w *Watcher) forget(holder string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.holders, holder)
	delete(w.known, holder)
}

// hears notes whether there is somebody to listen to.
func (w *Watcher) hears(who string, there bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if there {
		w.heard[who] = true
	} else {
		delete(w.heard, who)
	}
}
