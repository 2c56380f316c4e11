package session_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/o2fa/o2fa/daemon/internal/session"
)

// listener is a Watcher that runs, and what it has told.
type listener struct {
	*session.Watcher
	tb   testing.TB
	stop func()

	mu     sync.Mutex // guards events
	events []session.Event
	during func(session.Event) // called while an event is handled; may be nil
}

// start starts a Watcher, which ends with the test.
func start(tb testing.TB, c session.Config) *listener {
	tb.Helper()
	l := &listener{tb: tb}
	c.Log, c.Leaving = slog.New(slog.DiscardHandler), func() bool { return false }
	c.Handle = func(_ context.Context, e session.Event) {
		l.mu.Lock()
		l.events = append(l.events, e)
		during := l.during
		l.mu.Unlock()
		if during != nil {
			during(e)
		}
	}
	l.Watcher = session.New(c)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		l.Run(ctx)
		close(ended)
	}()
	l.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	tb.Cleanup(l.stop)
	return l
}

func (l *listener) told() []session.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

// wants waits until the watcher has told exactly these events since the last call.
func (l *listener) wants(events ...session.Event) {
	l.tb.Helper()
	defer func() {
		if got := l.told(); !slices.Equal(got, events) {
			l.tb.Errorf("told %v, want %v", got, events)
		}
		l.mu.Lock()
		l.events = nil
		l.mu.Unlock()
	}()
	eventually(l.tb, strings.Join(asText(events), " "), func() bool { return len(l.told()) >= len(events) })
}

func asText(events []session.Event) (texts []string) {
	for _, e := range events {
		texts = append(texts, string(e))
	}
	return texts
}

// eventually waits until holds does, and ends the test when it does not in time.
func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("waited in vain for %s", what)
		}
	}
}

// hears waits until there is somebody who tells of e.
func (l *listener) hears(e session.Event) {
	l.tb.Helper()
	eventually(l.tb, "somebody who tells of "+string(e), func() bool { return l.Hears(e) })
}
