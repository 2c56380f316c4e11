package secretsfile

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

// silent is a notifier without a kernel: the tests send the events themselves.
type silent struct{}

func (silent) Add(string) error    { return nil }
func (silent) Remove(string) error { return nil }

// bench is a loop in a bubble of fake time, and what it did.
type bench struct {
	loop   *loop
	path   string
	events chan fsnotify.Event
	errs   chan error
	looks  []time.Duration // since the start
	done   chan error
}

// start runs a loop on a directory that does not change; the loop looks once.
func start(ctx context.Context, t *testing.T) *bench {
	b := &bench{
		path:   filepath.Join(t.TempDir(), "secrets.json"),
		events: make(chan fsnotify.Event),
		errs:   make(chan error),
		done:   make(chan error, 1),
	}
	begin := time.Now()
	b.loop = &loop{
		config:  New(b.path, Config{}).config,
		targets: newTargets(b.path, silent{}),
		events:  b.events,
		errs:    b.errs,
		look:    func() { b.looks = append(b.looks, time.Since(begin)) },
	}
	go func() { b.done <- b.loop.run(ctx) }()
	synctest.Wait()
	return b
}

// wantLooks fails unless the looks so far happened at these times. Nothing
// else runs in the bubble at that moment.
func (b *bench) wantLooks(t *testing.T, want ...time.Duration) {
	t.Helper()
	synctest.Wait()
	if len(b.looks) != len(want) {
		t.Fatalf("looked at %v, want %v", b.looks, want)
	}
	for i := range want {
		if b.looks[i] != want[i] {
			t.Fatalf("looked at %v, want %v", b.looks, want)
		}
	}
}

// pass lets time go by.
func pass(d time.Duration) { <-time.After(d) }

const ms = time.Millisecond

// inBubble runs f with a loop under fake time and ends the loop afterwards.
func inBubble(t *testing.T, f func(t *testing.T, b *bench)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b := start(ctx, t)
		f(t, b)
		cancel()
		if err := <-b.done; err != nil {
			t.Errorf("after cancel: %v", err)
		}
	})
}

func TestLoopLooksOnceAtStartAndThenSleeps(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		pass(24 * time.Hour)
		b.wantLooks(t, 0)
	})
}

func TestLoopWaitsForQuiet(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		for range 3 { // at 0, 50, 100 ms
			b.events <- fsnotify.Event{Name: b.path, Op: fsnotify.Write}
			pass(50 * ms)
		}
		pass(time.Hour)
		b.wantLooks(t, 0, 200*ms)
		b.events <- fsnotify.Event{Name: b.path, Op: fsnotify.Create}
		pass(time.Hour)
		b.wantLooks(t, 0, 200*ms, time.Hour+250*ms)
	})
}

// TestLoopDoesNotWaitForEver: 100 rewrites a second leave no quiet moment.
func TestLoopDoesNotWaitForEver(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		for range 200 {
			b.events <- fsnotify.Event{Name: b.path, Op: fsnotify.Write}
			pass(10 * ms)
		}
		// An event comes at the very instant of a limit, so the next burst begins
		// there or one event later.
		synctest.Wait()
		if len(b.looks) < 4 {
			t.Fatalf("looked at %v only", b.looks)
		}
		for i, at := range b.looks[1:] {
			if gap := at - b.looks[i]; gap > 620*ms {
				t.Errorf("%v without a look", gap)
			}
		}
	})
}

func TestLoopIgnoresOtherFiles(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		dir := filepath.Dir(b.path)
		for _, name := range []string{"vault.db", "o2fad.log", "secrets.json.tmp", ".secrets.json.swp"} {
			for _, op := range []fsnotify.Op{fsnotify.Create, fsnotify.Write, fsnotify.Chmod, fsnotify.Rename, fsnotify.Remove} {
				b.events <- fsnotify.Event{Name: filepath.Join(dir, name), Op: op}
			}
		}
		pass(time.Hour)
		b.wantLooks(t, 0)
	})
}

func TestLoopLooksAfterLostEvents(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.errs <- fsnotify.ErrEventOverflow
		pass(time.Hour)
		b.wantLooks(t, 0, 100*ms)
	})
}

func TestLoopMendsALostWatch(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.events <- fsnotify.Event{Name: filepath.Dir(b.path), Op: fsnotify.Remove}
		pass(time.Hour)
		b.wantLooks(t, 0, 100*ms)
		if len(b.loop.targets.dirs) != 1 {
			t.Errorf("watches %d directories", len(b.loop.targets.dirs))
		}
	})
}

func TestLoopFailsWhenTheWatcherEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t.Context(), t)
		close(b.events)
		if err := <-b.done; !errors.Is(err, fsnotify.ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
}

// refusing is a system that has no watch to give.
type refusing struct{ silent }

var errNoWatch = errors.New("no watch left")

func (refusing) Add(string) error { return errNoWatch }

func TestLoopFailsWithoutAWatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.json")
	l := &loop{targets: newTargets(path, refusing{}), look: func() { t.Error("looked without a watch") }}
	if err := l.run(t.Context()); !errors.Is(err, errNoWatch) {
		t.Errorf("got %v", err)
	}
}
