package command

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/o2fa/o2fa/internal/command/ptytest"
	"golang.org/x/term"
)

// at returns a call with these streams.
func at(in io.Reader, errs io.Writer) *Invocation {
	return &Invocation{Stdio: Stdio{In: in, Err: errs}}
}

func TestAskWithoutATerminal(t *testing.T) {
	for name, in := range map[string]io.Reader{
		"whole":   strings.NewReader("first\r\nsecond\nlast"),
		"dataErr": iotest.DataErrReader(strings.NewReader("first\r\nsecond\nlast")),
	} {
		var errs bytes.Buffer
		s := at(in, &errs)
		for _, want := range []string{"first", "second", "last"} {
			ask := s.Ask
			if want == "second" {
				ask = s.AskHidden
			}
			if got, err := ask(t.Context(), "Q: "); got != want || err != nil {
				t.Fatalf("%s: %q, %v, want %q", name, got, err, want)
			}
		}
		if _, err := s.Ask(t.Context(), "Q: "); !errors.Is(err, ErrInterrupted) {
			t.Errorf("%s: end of input: %v", name, err)
		}
		if errs.String() != "Q: Q: Q: Q: \n" {
			t.Errorf("%s: %q", name, errs.String())
		}
	}
	s := at(io.MultiReader(strings.NewReader("x"), iotest.ErrReader(io.ErrClosedPipe)), io.Discard)
	if _, err := s.Ask(t.Context(), ""); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%v", err)
	}
	s.In = strings.NewReader(strings.Repeat("x", maxLine+1))
	if _, err := s.Ask(t.Context(), ""); err == nil {
		t.Error("an endless line was taken")
	}
}

// An answer that JSON cannot hold is refused, not changed.
func TestAnswersAreText(t *testing.T) {
	for in, want := range map[string]error{"été\n": nil, "\xe9t\xe9\n": errEncoding} {
		s := at(strings.NewReader(in), io.Discard)
		if got, err := s.Ask(t.Context(), "? "); !errors.Is(err, want) || want != nil && got != "" {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

func TestConfirmAsksUntilItKnows(t *testing.T) {
	for in, want := range map[string]bool{"y\n": true, "Yes\n": true, "maybe\n\nN\n": false} {
		var errs bytes.Buffer
		got, err := at(strings.NewReader(in), &errs).Confirm(t.Context(), "Sure? (y/n): ")
		if got != want || err != nil || strings.Count(errs.String(), "Sure?") != strings.Count(in, "\n") {
			t.Errorf("%q: %v, %v, %q", in, got, err, errs.String())
		}
	}
	if _, err := at(strings.NewReader("what"), io.Discard).Confirm(t.Context(), ""); !errors.Is(err, ErrInterrupted) {
		t.Errorf("%v", err)
	}
}

type result struct {
	text string
	err  error
}

// start asks at a terminal, hidden, in the background.
func start(ctx context.Context, p *ptytest.Terminal) chan result {
	done := make(chan result, 1)
	go func() {
		inv := at(p.Device, p.Device)
		text, err := inv.AskHidden(ctx, "Passphrase: ")
		inv.Reveal()
		done <- result{text, err}
	}()
	return done
}

func TestHiddenInputIsNotShown(t *testing.T) {
	p := ptytest.New(t)
	if !IsTerminal(p.Device) || IsTerminal(strings.NewReader("")) {
		t.Fatal("a terminal is not told from a text")
	}
	done := start(t.Context(), p)
	p.Expect("Passphrase: ")
	waitForEcho(t, p.Device, false)
	p.Type("correct horse\n")
	if r := <-done; r.text != "correct horse" || r.err != nil {
		t.Fatalf("%q, %v", r.text, r.err)
	}
	waitForEcho(t, p.Device, true)
	p.Expect("Passphrase: \r\n")
	if strings.Contains(p.Screen(), "horse") {
		t.Errorf("the passphrase was shown: %q", p.Screen())
	}
}

func TestEndOfInputAtATerminal(t *testing.T) {
	p := ptytest.New(t)
	done := start(t.Context(), p)
	p.Expect("Passphrase: ")
	waitForEcho(t, p.Device, false)
	p.Type("\x04")
	if r := <-done; !errors.Is(r.err, ErrInterrupted) {
		t.Errorf("%q, %v", r.text, r.err)
	}
}

func TestInterruptedQuestionRestoresTheTerminal(t *testing.T) {
	for name, interrupt := range map[string]func(context.CancelFunc){
		"signal": func(context.CancelFunc) { signalSelf(t, os.Interrupt) },
		"quit":   func(context.CancelFunc) { signalSelf(t, syscall.SIGQUIT) },
		"cancel": func(cancel context.CancelFunc) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			p := ptytest.New(t)
			before, err := term.GetState(int(p.Device.Fd()))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := start(ctx, p)
			p.Expect("Passphrase: ")
			waitForEcho(t, p.Device, false)
			interrupt(cancel)
			if r := <-done; !errors.Is(r.err, ErrInterrupted) || exitCode(r.err) != ExitInterrupted {
				t.Errorf("%q, %v", r.text, r.err)
			}
			after, err := term.GetState(int(p.Device.Fd()))
			if err != nil || *before != *after {
				t.Errorf("the terminal was left changed: %v", err)
			}
			p.Type("\n") // lets the read that stayed behind end
		})
	}
}

func signalSelf(t *testing.T, sig os.Signal) {
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

func TestReadAllIsBounded(t *testing.T) {
	if got, err := ReadAll(strings.NewReader("12345"), 5); got != "12345" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := ReadAll(strings.NewReader("\xe9"), 5); got != "" || !errors.Is(err, errEncoding) {
		t.Errorf("no UTF-8: %q, %v", got, err)
	}
	if got, err := ReadAll(strings.NewReader("123456"), 5); got != "" || err == nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := ReadAll(iotest.ErrReader(io.ErrClosedPipe), 5); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%v", err)
	}
}

// JSON that is shown to a person cannot act on the terminal, and a program
// gets it to the byte.
func TestPrintJSON(t *testing.T) {
	const raw = "{\"name\":\"a\u009b2J\u202eb\U000e0041\"}\n"
	var out bytes.Buffer
	inv := &Invocation{Stdio: Stdio{Out: &out}}
	inv.PrintJSON([]byte(raw))
	if out.String() != raw {
		t.Errorf("%q", out.String())
	}
	p := ptytest.New(t)
	inv.Out = p.Device
	inv.PrintJSON([]byte(raw))
	p.Expect(`{"name":"a\u009b2J\u202eb\udb40\udc41"}`)
}

func TestQuestionsNeedATerminalAndLeave(t *testing.T) {
	p := ptytest.New(t)
	for _, tc := range []struct {
		in   io.Reader
		err  io.Writer
		args string
		want bool
	}{
		{p.Device, p.Device, "ask", true}, {p.Device, p.Device, "ask --no-input", false}, {p.Device, p.Device, "--no-input=false ask", true},
		{p.Device, p.Device, "ask --no-input=false", true}, {strings.NewReader(""), p.Device, "ask", false}, {p.Device, io.Discard, "ask", false},
	} {
		got := false
		root := &Command{Use: "prog", Flags: []Flag{NoInputFlag}, Sub: []*Command{{Use: "ask", Run: func(_ context.Context, inv *Invocation) error {
			got = inv.CanAsk()
			return nil
		}}}}
		Run(t.Context(), root, strings.Fields(tc.args), Stdio{In: tc.in, Out: io.Discard, Err: tc.err})
		if got != tc.want {
			t.Errorf("%q: %v", tc.args, got)
		}
	}
}
