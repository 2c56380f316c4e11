package secretsfile

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Config tunes a Watcher. The zero value suits the daemon: a change is looked
// at well within a second of the file settling.
type Config struct {
	Quiet time.Duration // look when nothing happened for so long; default 100 ms
	Max   time.Duration // but never later than so long after a change; default 600 ms
}

// Watcher tells when a file of the profile, mostly the secrets file, may have
// changed. It watches the file's
// directory, since most programs save by renaming a new file over the old one,
// and where the file is a symbolic link also the directories it leads to. While
// a directory is missing it watches the nearest one above. It learns from the
// kernel alone: without a change nothing wakes up.
type Watcher struct {
	path   string
	config Config
}

// New returns a watcher of the file at path, which must be absolute and need
// not exist. It does nothing before Run.
func New(path string, config Config) *Watcher {
	if config.Quiet <= 0 {
		config.Quiet = 100 * time.Millisecond
	}
	if config.Max <= 0 {
		config.Max = 600 * time.Millisecond
	}
	return &Watcher{path: filepath.Clean(path), config: config}
}

// Run calls look once when the watch stands, and then each time the file may
// have changed, until ctx is done; then it returns nil. Calls never overlap,
// and a change during a call leads to another one. Run fails if the system has
// no watch to give.
func (w *Watcher) Run(ctx context.Context, look func()) error {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watching %s: %w", w.path, err)
	}
	defer notify.Close()
	loop := &loop{
		config:  w.config,
		targets: newTargets(w.path, notify),
		events:  notify.Events,
		errs:    notify.Errors,
		look:    look,
	}
	if err := loop.run(ctx); err != nil {
		return fmt.Errorf("watching %s: %w", w.path, err)
	}
	return nil
}

// loop turns many events into few calls of look.
type loop struct {
	config  Config
	targets *targets
	events  <-chan fsnotify.Event
	errs    <-chan error
	look    func()

	// quiet starts anew with each event of a burst, limit with the first only.
	quiet, limit *time.Timer
	burst        bool // timers run
	changed      bool // something in this burst asks for a look
}

func (l *loop) run(ctx context.Context) error {
	l.quiet, l.limit = stoppedTimer(), stoppedTimer()
	defer l.endBurst()
	if err := l.settle(); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.quiet.C:
		case <-l.limit.C:
		case event, ok := <-l.events:
			if !ok {
				return fsnotify.ErrClosed
			}
			l.note(l.targets.weigh(event))
			continue
		case _, ok := <-l.errs:
			if !ok {
				return fsnotify.ErrClosed
			}
			l.note(change) // most likely the queue ran over: what it held is lost
			continue
		}
		if err := l.settle(); err != nil {
			return err
		}
	}
}

// note lets an event start or prolong a burst.
func (l *loop) note(w weight) {
	if w == nothing {
		return
	}
	l.changed = l.changed || w == change
	l.quiet.Reset(l.config.Quiet)
	if !l.burst {
		l.limit.Reset(l.config.Max)
	}
	l.burst = true
}

// settle ends a burst: it mends the watch, and looks if there is reason to. In
// this order, so that nothing can change between the look and the watch.
func (l *loop) settle() error {
	l.endBurst()
	moved, stable, err := l.targets.update()
	if err != nil {
		return err
	}
	if l.changed || moved {
		l.changed = false
		l.look()
	}
	if !stable { // directories come and go right now
		l.note(change)
	}
	return nil
}

func (l *loop) endBurst() {
	l.quiet.Stop()
	l.limit.Stop()
	l.burst = false
}

func stoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}
