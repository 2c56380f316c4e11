package cli

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

// Times between two questions to the daemon.
const (
	refresh = 3 * time.Second        // for what was added or removed
	retry   = time.Second            // when there was no answer
	moment  = 250 * time.Millisecond // at least, although a code has run out
)

// leastStep is between two rounds, however short the delay.
const leastStep = 20 * time.Millisecond

// screen is what a live table is drawn on: a command.Screen.
type screen interface {
	Size() (columns, lines int)
	Draw(frame []string) error
	Signals() <-chan os.Signal
	Handle(os.Signal) error
}

// live is a table that is kept up to date on a screen. One goroutine owns it; a
// second one waits for the daemon, so that nothing ever waits with it.
type live struct {
	screen  screen
	ask     func(ctx context.Context, limit int) (ipc.Codes, error)
	delay   time.Duration // between two rounds
	rounds  int           // how many; 0 means without end
	colours bool
	empty   string // the note where no entry matches

	view    view
	limit   int       // how many entries the last question was for
	asked   time.Time // when it was sent
	waiting bool      // for its answer
	failed  bool      // there was none to the question before
	replies chan reply
}

// reply is what came of a question.
type reply struct {
	codes  ipc.Codes
	err    error
	defect any // of a panic
}

// run shows the codes until a signal or the last round ends it. It returns nil
// after the last round, command.ErrInterrupted for Ctrl-C.
func (l *live) run(ctx context.Context, first ipc.Codes, limit int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.replies = make(chan reply, 1)
	l.limit, l.asked = limit, time.Now()
	l.take(reply{codes: first})
	next := time.Now().Add(l.step())
	wake := time.NewTimer(0)
	defer wake.Stop()
	for round := 1; ; {
		now := time.Now()
		if err := l.draw(ctx, now); err != nil || round == l.rounds {
			return err
		}
		wake.Reset(l.rest(now, next))
		select {
		case <-ctx.Done():
			return command.ErrInterrupted
		case sig := <-l.screen.Signals():
			if err := l.screen.Handle(sig); err != nil {
				return err
			}
		case r := <-l.replies:
			l.take(r)
		case now = <-wake.C:
			if !now.Before(next) {
				round++
				next = now.Add(l.step())
			}
		}
	}
}

func (l *live) step() time.Duration { return max(l.delay, leastStep) }

// draw shows the frame of this moment, and asks the daemon if it is time.
func (l *live) draw(ctx context.Context, now time.Time) error {
	look := look{live: true, colours: l.colours}
	look.columns, look.lines = l.screen.Size()
	limit := max(1, look.most())
	if !l.waiting && (limit > l.limit || !now.Before(l.due())) {
		l.limit, l.asked, l.waiting = limit, now, true
		go l.question(ctx, limit)
	}
	return l.screen.Draw(l.view.frame(now, look))
}

// due returns when the daemon is to be asked again.
func (l *live) due() time.Time {
	if l.failed {
		return l.asked.Add(retry)
	}
	due := l.asked.Add(refresh)
	if expires, ok := l.view.expires(); ok && expires.Before(due) {
		due = expires
	}
	if soonest := l.asked.Add(moment); due.Before(soonest) {
		return soonest
	}
	return due
}

// rest returns how long nothing has to be done.
func (l *live) rest(now, next time.Time) time.Duration {
	rest := next.Sub(now)
	if !l.waiting {
		rest = min(rest, l.due().Sub(now))
	}
	return max(0, rest)
}

// question asks the daemon. A panic goes on where the screen is closed.
func (l *live) question(ctx context.Context, limit int) {
	var r reply
	defer func() {
		r.defect = recover()
		l.replies <- r
	}()
	r.codes, r.err = l.ask(ctx, limit)
}

// take makes a reply what is shown.
func (l *live) take(r reply) {
	if r.defect != nil {
		panic(r.defect)
	}
	l.waiting, l.failed = false, r.err != nil
	switch {
	case r.err == nil:
		l.view = viewOf(r.codes, time.Now())
		if len(l.view.rows) == 0 {
			l.view.note = l.empty
		}
	case hides(r.err):
		l.view = view{note: trouble(r.err)}
	default:
		l.view.note = trouble(r.err) // the codes are good until they run out
	}
}

// hides says whether after err no code may be shown any more: somebody locked
// the vault, or it is gone.
func hides(err error) bool {
	return errors.Is(err, ipc.ErrLocked) || errors.Is(err, ipc.ErrWaiting) || errors.Is(err, ipc.ErrUninitialized)
}

// trouble tells in a line what keeps the daemon from answering, and what to do.
func trouble(err error) string {
	text, hint := err.Error(), ""
	var wire *ipc.Error
	if errors.As(err, &wire) {
		hint = wire.Hint
	}
	if hint == "" && errors.Is(err, socket.ErrNotRunning) {
		text, hint = "no daemon is running", "o2fa status starts one" // this command does not: somebody ended it
	}
	if hint != "" {
		text += " (" + hint + ")"
	}
	return command.Escape(text)
}
