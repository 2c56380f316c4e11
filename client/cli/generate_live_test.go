package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

// canvas is a screen that remembers what was drawn.
type canvas struct {
	signals chan os.Signal
	broken  error

	mu     sync.Mutex // guards what follows
	lines  int
	frames []string
}

// resized is the signal of a canvas with a new size; not every system has one.
type resized struct{}

func (resized) Signal()        {}
func (resized) String() string { return "resized" }

func newCanvas() *canvas {
	return &canvas{lines: 24, signals: make(chan os.Signal, 1)}
}

func (c *canvas) Size() (columns, lines int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return 80, c.lines
}

// resize gives the canvas another size and tells so.
func (c *canvas) resize(lines int) {
	c.mu.Lock()
	c.lines = lines
	c.mu.Unlock()
	c.signals <- resized{}
}

func (c *canvas) Draw(frame []string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frames = append(c.frames, visible(strings.Join(frame, "\n")))
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

// last returns what is on the canvas, and how often it was drawn.
func (c *canvas) last() (frame string, drawn int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.frames[len(c.frames)-1], len(c.frames)
}

// show demands that text is on the canvas, or is not.
func (c *canvas) show(t *testing.T, text string, want bool) {
	t.Helper()
	synctest.Wait()
	if frame, _ := c.last(); strings.Contains(frame, text) != want {
		t.Errorf("%q is on the screen: %v\n%s", text, !want, frame)
	}
}

// agentOfCodes answers as the daemon does: codes of this moment, one for each
// name, as many as were asked for.
type agentOfCodes struct {
	mu     sync.Mutex // guards what follows
	names  []string
	err    error
	limits []int       // of the questions so far
	asked  []time.Time // when they came
}

// set says what is answered from now on.
func (a *agentOfCodes) set(err error, names ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.err, a.names = err, names
}

// questions returns the limits of the questions so far, and when they came.
func (a *agentOfCodes) questions() ([]int, []time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.limits), slices.Clone(a.asked)
}

func (a *agentOfCodes) ask(_ context.Context, limit int) (ipc.Codes, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
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
			after(time.Second) // so that codes run out between two questions
			done := running(t, &live{screen: c, delay: delay}, a)
			begin := time.Now()
			for range 10 {
				next := time.Now().Truncate(30 * time.Second).Add(30 * time.Second)
				after(time.Until(next.Add(time.Millisecond)))
				c.show(t, codeOfStep(next.Unix()/30), true)
				c.show(t, codeOfStep(next.Unix()/30-1), false)
			}
			most := int(time.Since(begin)/refresh) + 2*10
			_, asked := a.questions()
			if len(asked) > most {
				t.Errorf("asked %d times in %s", len(asked), time.Since(begin))
			}
			for i := range asked[1:] {
				if gap := asked[i+1].Sub(asked[i]); gap < moment {
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
		if _, asked := a.questions(); len(asked) != 1 {
			t.Errorf("asked %d times", len(asked))
		}
		stop(t, c, done)
	})
}

func TestEntriesComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a := newCanvas(), &agentOfCodes{names: []string{"first"}}
		done := running(t, &live{screen: c}, a)
		a.set(nil, "first", "second")
		after(refresh)
		c.show(t, "second", true)
		a.set(nil, "second")
		after(refresh)
		c.show(t, "first", false)
		a.set(nil)
		after(refresh)
		c.show(t, "no entries yet", true)
		a.set(nil, "third")
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
		for _, tc := range []struct {
			lines int
			note  string
		}{{50, "... [55] codes not shown ..."}, {10, "... [95] codes not shown ..."}, {6, "... [99] codes not shown ..."}} {
			c.resize(tc.lines)
			c.show(t, tc.note, true)
		}
		after(refresh)
		if limits, _ := a.questions(); !slices.Equal(limits, []int{20, 46, 2}) {
			t.Errorf("asked for %d", limits)
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
			a.set(&ipc.Error{Code: code, Message: "the vault is \x1b locked", Hint: "o2fa unlock"}, "github")
			after(refresh)
			c.show(t, `the vault is \u{1b} locked (o2fa unlock)`, true)
			c.show(t, "github", false)
			a.set(nil, "github")
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
		a.set(&ipc.Error{Code: ipc.CodeUnavailable, Message: "no daemon is listening"}, "github")
		after(refresh)
		c.show(t, "no daemon is listening", true)
		c.show(t, codeOfStep(step), true)
		_, before := a.questions()
		after(10 * time.Second)
		if _, asked := a.questions(); len(asked)-len(before) != 10 {
			t.Errorf("%d tries in 10 s", len(asked)-len(before))
		}
		after(17 * time.Second)
		c.show(t, codeOfStep(step), false)
		c.show(t, codeOfStep(step+1), true)
		after(30 * time.Second)
		c.show(t, codeOfStep(step+1), false)
		c.show(t, "github        ------     0.00", true)
		a.set(nil, "github")
		after(retry)
		c.show(t, codeOfStep(step+2), true)
		c.show(t, "no daemon", false)
		stop(t, c, done)
	})
}

// What is in the way is told with what to do about it.
func TestTrouble(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want string
	}{
		{&ipc.Error{Code: ipc.CodeLocked, Message: "the vault is locked", Hint: "o2fa unlock"}, "the vault is locked (o2fa unlock)"},
		{&ipc.Error{Code: ipc.CodeStorage, Message: "a disk\nerror"}, `a disk\u{a}error`},
		{fmt.Errorf("looking for the daemon of /p: %w", socket.ErrNotRunning), "no daemon is running (o2fa status starts one)"},
		{errors.Join(&ipc.Error{Code: ipc.CodeUnavailable, Message: "x", Hint: "unset O2FA_SOCKET"}, socket.ErrNotRunning),
			`x\u{a}no daemon is listening (unset O2FA_SOCKET)`},
	} {
		if got := trouble(tc.err); got != tc.want {
			t.Errorf("%v: %s", tc.err, got)
		}
	}
}

// A daemon that does not answer stops neither the seconds nor Ctrl-C.
func TestDaemonHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a := newCanvas(), &agentOfCodes{names: []string{"github"}}
		first, _ := a.ask(t.Context(), 20)
		var asked atomic.Int32
		l := &live{screen: c, delay: 500 * time.Millisecond, ask: func(ctx context.Context, _ int) (ipc.Codes, error) {
			asked.Add(1)
			<-ctx.Done()
			return ipc.Codes{}, ctx.Err()
		}}
		done := make(chan error, 1)
		go func() { done <- l.run(t.Context(), first, 20) }()
		after(20 * time.Second)
		c.show(t, "10.00", true)
		after(40 * time.Second)
		c.show(t, "------", true)
		if n := asked.Load(); n != 1 {
			t.Errorf("%d questions at once", n)
		}
		stop(t, c, done)
	})
}

// Entries without a time are shown, and never asked for more than the others.
func TestCountersOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		c := newCanvas()
		l := &live{screen: c, delay: 500 * time.Millisecond, ask: func(context.Context, int) (ipc.Codes, error) {
			asked.Add(1)
			return codesOf(countingCode("token", 7)), nil
		}}
		done := make(chan error, 1)
		go func() { done <- l.run(t.Context(), codesOf(countingCode("token", 7)), 20) }()
		after(time.Minute)
		c.show(t, "token         hotp         #7", true)
		if n := asked.Load(); n > int32(time.Minute/refresh) {
			t.Errorf("asked %d times", n)
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
