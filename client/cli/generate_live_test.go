package cli

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

// canvas is a screen that remembers what was drawn, and when.
type canvas struct {
	columns, lines int
	frames         []string
	times          []time.Time
	signals        chan os.Signal
	broken         error
}

// resized is the signal of a canvas with a new size; not every system has one.
type resized struct{}

func (resized) Signal()        {}
func (resized) String() string { return "resized" }

func newCanvas() *canvas {
	return &canvas{columns: 80, lines: 24, signals: make(chan os.Signal, 1)}
}

func (c *canvas) Size() (columns, lines int) { return c.columns, c.lines }

func (c *canvas) Draw(frame []string) error {
	c.frames, c.times = append(c.frames, visible(strings.Join(frame, "\n"))), append(c.times, time.Now())
	return c.broken
}

func (c *canvas) Signals() <-chan os.Signal { return c.signals }

func (c *canvas) Handle(sig os.Signal) error {
	switch sig {
	case os.Interrupt:
		return command.ErrInterrupted
	case syscall.SIGTERM:
		return command.ErrTerminated
	}
	return nil
}

// last returns what is on the canvas.
func (c *canvas) last() string { return c.frames[len(c.frames)-1] }

// show demands that text is on the canvas, or is not.
func (c *canvas) show(t *testing.T, text string, want bool) {
	t.Helper()
	synctest.Wait()
	if strings.Contains(c.last(), text) != want {
		t.Errorf("%q is on the screen: %v\n%s", text, !want, c.last())
	}
}

// agentOfCodes answers as the daemon does: codes of this moment, one for each
// name, as many as were asked for.
type agentOfCodes struct {
	names  []string
	err    error
	limits []int       // of the questions so far
	asked  []time.Time // when they came
}

func (a *agentOfCodes) ask(_ context.Context, limit int) (ipc.Codes, error) {
	a.limits, a.asked = append(a.limits, limit), append(a.asked, time.Now())
	if a.err != nil {
		return ipc.Codes{}, a.err
	}
	now := time.Now()
	reply := ipc.Codes{Total: len(a.names), At: now.UTC().Format(time.RFC3339Nano)}
	step := now.Unix() / 30
	for _, name := range a.names[:min(limit, len(a.names))] {
		reply.Codes = append(reply.Codes, ipc.Code{Name: name, Type: "totp", Code: codeOfStep(step), Next: codeOfStep(step + 1), Period: 30,
			ValidUntil: time.Unix(30*(step+1), 0).UTC().Format(time.RFC3339)})
	}
	return reply, nil
}

func codeOfStep(step int64) string {
	return strings.Repeat(string(rune('0'+step%10)), 6)
}

// after waits until so much time has passed in the bubble.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// running starts l in the bubble, as runGenerate does.
func running(t *testing.T, l *live, a *agentOfCodes) <-chan error {
	t.Helper()
	first, err := a.ask(t.Context(), 20)
	if err != nil {
		t.Fatal(err)
	}
	l.ask, l.empty = a.ask, "no entries yet"
	if l.delay == 0 {
		l.delay = 500 * time.Millisecond
	}
	done := make(chan error, 1)
	go func() { done <- l.run(t.Context(), first, 20) }()
	synctest.Wait()
	return done
}

// stop ends what running started.
func stop(t *testing.T, c *canvas, done <-chan error) {
	t.Helper()
	c.signals <- os.Interrupt
	if err := <-done; !errors.Is(err, command.ErrInterrupted) || errors.Is(err, command.ErrTerminated) {
		t.Errorf("Ctrl-C: %v", err)
	}
}

func TestRounds(t *testing.T) {
	for _, tc := range []struct {
		rounds      int
		delay, took time.Duration
	}{{1, time.Second, 0}, {2, time.Second, time.Second}, {3, 500 * time.Millisecond, time.Second}, {5, time.Minute, 4 * time.Minute},
		{3, time.Nanosecond, 2 * leastStep}} {
		synctest.Test(t, func(t *testing.T) {
			c, begin := newCanvas(), time.Now()
			if err := <-running(t, &live{screen: c, rounds: tc.rounds, delay: tc.delay}, &agentOfCodes{names: []string{"a"}}); err != nil {
				t.Error(err)
			}
			if took := time.Since(begin); took != tc.took {
				t.Errorf("%d rounds, %s apart, took %s", tc.rounds, tc.delay, took)
			}
		})
	}
}

// The code changes the moment it runs out, whatever the delay, and the daemon is
// asked no more often than it has to be.
func TestCodesChangeInTime(t *testing.T) {
	for _, delay := range []time.Duration{500 * time.Millisecond, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			c, a := newCanvas(), &agentOfCodes{names: []string{"a"}}
			done := running(t, &live{screen: c, delay: delay}, a)
			begin := time.Now()
			for range 10 {
				next := time.Now().Truncate(30 * time.Second).Add(30 * time.Second)
				after(time.Until(next.Add(time.Millisecond)))
				c.show(t, codeOfStep(next.Unix()/30), true)
				c.show(t, codeOfStep(next.Unix()/30-1), false)
			}
			most := int(time.Since(begin)/refresh) + 2*10
			if len(a.asked) > most {
				t.Errorf("asked %d times in %s", len(a.asked), time.Since(begin))
			}
			for i := range a.asked[1:] {
				if gap := a.asked[i+1].Sub(a.asked[i]); gap < moment {
					t.Errorf("asked again after %s", gap)
				}
			}
			stop(t, c, done)
		})
	}
}

// Between two answers the seconds run on.
func TestSecondsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a := newCanvas(), &agentOfCodes{names: []string{"a"}}
		done := running(t, &live{screen: c}, a)
		c.show(t, "30.00", true)
		for _, want := range []string{"29.50", "29.00", "28.50", "28.00"} {
			after(500 * time.Millisecond)
			c.show(t, want, true)
		}
		if len(a.asked) != 1 {
			t.Errorf("asked %d times", len(a.asked))
		}
		stop(t, c, done)
	})
}

func TestEntriesComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a := newCanvas(), &agentOfCodes{names: []string{"first"}}
		done := running(t, &live{screen: c}, a)
		a.names = []string{"first", "second"}
		after(refresh)
		c.show(t, "second", true)
		a.names = []string{"second"}
		after(refresh)
		c.show(t, "first", false)
		a.names = nil
		after(refresh)
		c.show(t, "no entries yet", true)
		a.names = []string{"third"}
		after(refresh)
		c.show(t, "third", true)
		c.show(t, "no entries yet", false)
		stop(t, c, done)
	})
}

// The daemon is asked for what fits. A larger terminal is filled at once.
func TestResize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a := newCanvas(), &agentOfCodes{names: strings.Split(strings.Repeat("name,", 100), ",")}
		done := running(t, &live{screen: c, delay: time.Hour}, a)
		c.show(t, "... [81] codes not shown ...", true)
		drawn := len(c.frames)
		for _, tc := range []struct {
			lines int
			note  string
		}{{50, "... [55] codes not shown ..."}, {10, "... [95] codes not shown ..."}, {6, "... [99] codes not shown ..."}} {
			c.lines = tc.lines
			c.signals <- resized{}
			c.show(t, tc.note, true)
			if len(c.frames) == drawn {
				t.Error("nothing was drawn")
			}
		}
		if a.limits[1] != 46 {
			t.Errorf("asked for %d", a.limits)
		}
		after(refresh)
		if last := a.limits[len(a.limits)-1]; last != 2 {
			t.Errorf("asked for %d where 2 fit", last)
		}
		stop(t, c, done)
	})
}

// A vault that is locked meanwhile hides its codes.
func TestLockHides(t *testing.T) {
	for _, code := range []ipc.ErrorCode{ipc.CodeLocked, ipc.CodeWaiting, ipc.CodeUninitialized} {
		synctest.Test(t, func(t *testing.T) {
			c, a := newCanvas(), &agentOfCodes{names: []string{"github"}}
			done := running(t, &live{screen: c}, a)
			c.show(t, "github", true)
			a.err = &ipc.Error{Code: code, Message: "the vault is \x1b locked", Hint: "o2fa unlock"}
			after(refresh)
			c.show(t, `the vault is \u{1b} locked (o2fa unlock)`, true)
			c.show(t, "github", false)
			a.err = nil
			after(retry)
			c.show(t, "github", true)
			c.show(t, "locked", false)
			stop(t, c, done)
		})
	}
}

// Codes of a daemon that is gone stay until they run out, and no longer.
func TestDaemonGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a := newCanvas(), &agentOfCodes{names: []string{"github"}}
		done := running(t, &live{screen: c}, a)
		step := time.Now().Unix() / 30
		a.err = &ipc.Error{Code: ipc.CodeUnavailable, Message: "no daemon is listening"}
		after(refresh)
		c.show(t, "no daemon is listening", true)
		c.show(t, codeOfStep(step), true)
		before := len(a.asked)
		after(10 * time.Second)
		if tries := len(a.asked) - before; tries != 10 {
			t.Errorf("%d tries in 10 s", tries)
		}
		after(17 * time.Second)
		c.show(t, codeOfStep(step), false)
		c.show(t, codeOfStep(step+1), true)
		after(30 * time.Second)
		c.show(t, codeOfStep(step+1), false)
		c.show(t, "github        ------     0.00", true)
		a.err = nil
		after(retry)
		c.show(t, codeOfStep(step+2), true)
		c.show(t, "no daemon", false)
		stop(t, c, done)
	})
}

// A daemon that does not answer stops neither the seconds nor Ctrl-C.
func TestDaemonHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a := newCanvas(), &agentOfCodes{names: []string{"github"}}
		first, _ := a.ask(t.Context(), 20)
		asked := 0
		l := &live{screen: c, delay: 500 * time.Millisecond, ask: func(ctx context.Context, _ int) (ipc.Codes, error) {
			asked++
			<-ctx.Done()
			return ipc.Codes{}, ctx.Err()
		}}
		done := make(chan error, 1)
		go func() { done <- l.run(t.Context(), first, 20) }()
		after(20 * time.Second)
		c.show(t, "10.00", true)
		after(40 * time.Second)
		c.show(t, "------", true)
		if asked != 1 {
			t.Errorf("%d questions at once", asked)
		}
		stop(t, c, done)
	})
}

// Entries without a time are shown, and never asked for more than the others.
func TestCountersOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, asked := newCanvas(), 0
		l := &live{screen: c, delay: 500 * time.Millisecond, ask: func(context.Context, int) (ipc.Codes, error) {
			asked++
			return codesOf(countingCode("token", 7)), nil
		}}
		done := make(chan error, 1)
		go func() { done <- l.run(t.Context(), codesOf(countingCode("token", 7)), 20) }()
		after(time.Minute)
		c.show(t, "token         hotp      #7", true)
		if asked > int(time.Minute/refresh) {
			t.Errorf("asked %d times", asked)
		}
		stop(t, c, done)
	})
}

// However a live table ends, it says so.
func TestLiveEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCanvas()
		done := running(t, &live{screen: c}, &agentOfCodes{names: []string{"a"}})
		c.signals <- syscall.SIGTERM
		if err := <-done; !errors.Is(err, command.ErrTerminated) {
			t.Errorf("SIGTERM: %v", err)
		}
		c = newCanvas()
		c.broken = errors.New("the terminal is gone")
		if err := <-running(t, &live{screen: c}, &agentOfCodes{names: []string{"a"}}); !errors.Is(err, c.broken) {
			t.Errorf("no terminal: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := (&live{screen: newCanvas(), delay: time.Second}).run(ctx, codesOf(countingCode("a", 1)), 20); !errors.Is(err, command.ErrInterrupted) {
			t.Errorf("an ended context: %v", err)
		}
	})
}

// A panic beside the loop ends it there, where the screen is closed.
func TestLivePanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &live{screen: newCanvas(), delay: time.Second, ask: func(context.Context, int) (ipc.Codes, error) { panic("a defect") }}
		defer func() {
			if got := recover(); got != "a defect" {
				t.Errorf("recovered %v", got)
			}
		}()
		t.Error(l.run(t.Context(), codesOf(countingCode("a", 1)), 20))
	})
}
