//go:build unix && !darwin

package session

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/o2fa/o2fa/internal/dbus"
)

const (
	// callTime bounds a call to somebody on a bus.
	callTime = 3 * time.Second
	// lostTries is how often a bus that was lost is looked for by itself, after 1,
	// 2, 4 … seconds: some 17 minutes. After that, and where none ever was, an
	// occasion is waited for: Nudge.
	lostTries = 10
	// nudgeEvery is how far apart such occasions are, in seconds.
	nudgeEvery = 1
)

// Supported returns the events that this system can tell of: without logind, which
// is Linux's, those of the session bus.
func Supported() []Event {
	if runtime.GOOS != "linux" {
		return []Event{Locked}
	}
	return []Event{Locked, Sleeping, Ended}
}

// Run listens until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	w.mu.Lock()
	w.begun, w.looking = true, len(w.lines)
	w.mu.Unlock()
	var tasks sync.WaitGroup
	tasks.Go(func() { w.follow(ctx, &w.lines[0], w.dialSystem, w.listenSystem) })
	tasks.Go(func() { w.follow(ctx, &w.lines[1], w.dialSession, w.listenSession) })
	tasks.Wait()
}

// follow listens on a bus, and looks for it again when it has gone. listen calls
// its last argument when it knows how things stand.
func (w *Watcher) follow(ctx context.Context, l *line, dial func(context.Context) (*dbus.Conn, error),
	listen func(context.Context, *dbus.Conn, func()) error) {
	looked := sync.OnceFunc(func() { w.looked(ctx) })
	for tries := lostTries; ctx.Err() == nil; tries++ {
		if conn, err := dial(ctx); err == nil {
			err = listen(ctx, conn, looked)
			conn.Close()
			if ctx.Err() != nil {
				return
			}
			w.Log.Info("a message bus is gone", "reason", err.Error())
			tries = 0
		}
		looked()
		var again <-chan time.Time
		if tries < lostTries {
			again = time.After(time.Second << tries)
		} else {
			l.retryAt.Store(time.Now().Unix() + nudgeEvery)
		}
		select {
		case <-ctx.Done():
		case <-again:
		case <-l.nudged:
		}
	}
}

func (w *Watcher) dialSystem(ctx context.Context) (*dbus.Conn, error) {
	return dial(ctx, dbus.SystemAddress(w.Getenv))
}

func (w *Watcher) dialSession(ctx context.Context) (*dbus.Conn, error) {
	address, err := dbus.SessionAddress(w.Getenv)
	if err != nil {
		return nil, err
	}
	return dial(ctx, address)
}

func dial(ctx context.Context, address string) (*dbus.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return dbus.Dial(ctx, address)
}

// errGone is how listening to a bus ends that ends itself.
var errGone = dbus.ErrNoBus

// propertiesIface has the signal of properties that changed.
const propertiesIface = "org.freedesktop.DBus.Properties"

// ownerChanged returns what a signal says of the name's owner, if it is the bus
// that says so: its new unique name, or nothing.
func ownerChanged(s *dbus.Signal) (name, owner string, ok bool) {
	if s.Sender != dbus.BusName || s.Name != dbus.BusName+".NameOwnerChanged" || len(s.Body) != 3 {
		return "", "", false
	}
	name, ok1 := s.Body[0].(string)
	owner, ok2 := s.Body[2].(string)
	return name, owner, ok1 && ok2
}

// ownerOf is the match for that signal.
func ownerOf(name string) dbus.Match {
	return dbus.Match{Sender: dbus.BusName, Interface: dbus.BusName, Member: "NameOwnerChanged", Arg0: name}
}

// boolean returns the one argument of a signal.
func boolean(s *dbus.Signal) (value, ok bool) {
	if len(s.Body) != 1 {
		return false, false
	}
	value, ok = s.Body[0].(bool)
	return value, ok
}

// subscribe is dbus.Conn.Signals with a bound.
func subscribe(ctx context.Context, conn *dbus.Conn, matches ...dbus.Match) (<-chan *dbus.Signal, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return conn.Signals(ctx, matches...)
}

// ownerNow returns who has a name; empty for nobody.
func ownerNow(ctx context.Context, conn *dbus.Conn, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	owner, err := conn.Owner(ctx, name)
	if errors.Is(err, dbus.ErrNoService) {
		return "", nil
	}
	return owner, err
}
