package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/internal/command/ptytest"
)

// runUnseen runs a command at p that asks hidden, works, and asks again. It
// returns its exit code.
func runUnseen(p *ptytest.Terminal, work func(context.Context, *Invocation) error) <-chan int {
	done := make(chan int, 1)
	root := &Command{Use: "prog", Sub: []*Command{{Use: "ask", Run: func(ctx context.Context, inv *Invocation) error {
		if _, err := inv.AskHidden(ctx, "Passphrase: "); err != nil {
			return err
		}
		return work(ctx, inv)
	}}}}
	go func() {
		done <- Run(context.Background(), root, []string{"ask"}, Stdio{In: p.Device, Out: io.Discard, Err: p.Device})
	}()
	return done
}

// What is typed while the work goes on that needs a hidden answer is not shown,
// is no answer to the next question, and does not reach the shell.
func TestTypedAheadIsDropped(t *testing.T) {
	for name, ask := range map[string]func(*Invocation, context.Context, string) (string, error){
		"hidden": func(inv *Invocation, ctx context.Context, question string) (string, error) {
			inv.Drop()
			return inv.AskHidden(ctx, question)
		},
		"shown": func(inv *Invocation, ctx context.Context, question string) (string, error) {
			inv.Reveal()
			return inv.Ask(ctx, question)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := ptytest.New(t)
			working, goOn := make(chan bool), make(chan bool)
			work := func() { working <- true; <-goOn }
			var second string
			done := runUnseen(p, func(ctx context.Context, inv *Invocation) (err error) {
				work()
				if second, err = ask(inv, ctx, "Again: "); err != nil {
					return err
				}
				_, err = inv.AskHidden(ctx, "Last: ")
				work()
				return err
			})
			typeAhead := func() {
				<-working
				waitForEcho(t, p.Device, false)
				p.Type("ahead\n")
				p.ExpectUnread(len("ahead\n"))
				goOn <- true
			}
			p.Expect("Passphrase: ")
			p.Type("first\n")
			typeAhead()
			p.Expect("Again: ")
			p.Type("second\n")
			p.Expect("Last: ")
			waitForEcho(t, p.Device, false)
			p.Type("third\n")
			typeAhead()
			if code := <-done; code != 0 || second != "second" {
				t.Errorf("exit %d, the second answer is %q", code, second)
			}
			waitForEcho(t, p.Device, true)
			p.ExpectUnread(0)
			if screen := p.Screen(); strings.Contains(screen, "ahead") || strings.Contains(screen, "third") {
				t.Errorf("what was typed was shown: %q", screen)
			}
		})
	}
}

// Answers that follow each other without work may be typed or pasted at once.
func TestAnswersAtOnce(t *testing.T) {
	p := ptytest.New(t)
	var second string
	done := runUnseen(p, func(ctx context.Context, inv *Invocation) (err error) {
		second, err = inv.AskHidden(ctx, "Repeat it: ")
		return err
	})
	p.Expect("Passphrase: ")
	waitForEcho(t, p.Device, false)
	p.Type("horse\nhorse\n")
	if code := <-done; code != 0 || second != "horse" || strings.Contains(p.Screen(), "horse") {
		t.Errorf("exit %d, %q, %q", code, second, p.Screen())
	}
}

// However the work ends, the terminal is left as it was.
func TestUnseenWorkEnds(t *testing.T) {
	for name, work := range map[string]func(context.Context) error{
		"interrupted": func(ctx context.Context) error {
			signalSelf(t, os.Interrupt)
			<-ctx.Done()
			return errors.New("whatever the work makes of it")
		},
		"failed": func(context.Context) error { return errors.New("no") },
		"panic":  func(context.Context) error { panic("a defect") },
	} {
		t.Run(name, func(t *testing.T) {
			p := ptytest.New(t)
			inv := &Invocation{Stdio: Stdio{In: p.Device, Out: io.Discard, Err: p.Device}}
			inv.Command = &Command{Run: func(ctx context.Context, inv *Invocation) error {
				if _, err := inv.AskHidden(ctx, "Passphrase: "); err != nil {
					return err
				}
				waitForEcho(t, p.Device, false)
				return work(ctx)
			}}
			done := make(chan error, 1)
			go func() {
				defer func() {
					if recover() != nil {
						done <- nil
					}
				}()
				done <- inv.call(context.Background())
			}()
			p.Expect("Passphrase: ")
			p.Type("first\n")
			if err := <-done; errors.Is(err, ErrInterrupted) != (name == "interrupted") {
				t.Error(err)
			}
			waitForEcho(t, p.Device, true)
		})
	}
}

// playWorker asks, and works until Ctrl-C.
func playWorker() int {
	root := &Command{Use: "prog", Sub: []*Command{{Use: "ask", Run: func(ctx context.Context, inv *Invocation) error {
		_, err := inv.AskHidden(ctx, "Passphrase: ")
		fmt.Fprint(inv.Err, "working")
		<-ctx.Done()
		return cmp.Or(err, ctx.Err())
	}}}}
	return Run(context.Background(), root, []string{"ask"}, Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
}

// Ctrl-Z in the middle of the work gives the shell a terminal that shows what is
// typed; fg hides again.
func TestStoppedWork(t *testing.T) {
	p := ptytest.New(t)
	cmd, wait, resume := inShell(t, p, "worker")
	p.Expect("Passphrase: ")
	p.Type("horse\n")
	p.Expect("working")
	waitForEcho(t, p.Device, false)
	p.Type("\x1a")
	wait()
	waitForEcho(t, p.Device, true)
	resume()
	waitForEcho(t, p.Device, false)
	p.Type("\x03")
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != ExitInterrupted {
		t.Errorf("%v: %q", err, p.Screen())
	}
	waitForEcho(t, p.Device, true)
	if strings.Contains(p.Screen(), "horse") {
		t.Errorf("what was typed was shown: %q", p.Screen())
	}
}
