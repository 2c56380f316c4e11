package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// errSignal is why a process that was told to end does not execute itself again.
var errSignal = errors.New("asked to end")

// signals sees to it that none is lost while the process executes itself again.
// Go takes a signal away from the system and hands it on a little later: one that
// came in between would end neither this image nor the next.
type signals struct {
	came   chan os.Signal
	main   func() // ends the other way of hearing of them, the main's
	detach func() bool
	cancel context.CancelFunc
}

// watchSignals returns a context that ends with ctx and by the signals that end
// the program.
func watchSignals(ctx context.Context, main func()) (context.Context, *signals) {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &signals{came: make(chan os.Signal, 1), main: main, detach: context.AfterFunc(ctx, cancel), cancel: cancel}
	signal.Notify(s.came, os.Interrupt, syscall.SIGTERM)
	return own, s
}

// release gives the signals back to the system: from now on they end the process
// at once. It returns errSignal if one has come before.
func (s *signals) release() error {
	pending := !s.detach()
	s.main()
	signal.Stop(s.came) // returns when those that have come are in the channel
	if pending || s.pending() {
		s.cancel()
		return errSignal
	}
	return nil
}

// pending reports whether one has come.
func (s *signals) pending() bool { return len(s.came) > 0 }

// retake takes them again, for a process that goes on after all.
func (s *signals) retake() {
	again, stop := make(chan os.Signal, 1), make(chan struct{})
	for _, c := range []chan os.Signal{s.came, again} {
		signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	}
	go func() { // ends when they are released once more, or with the process
		select {
		case <-again:
			s.cancel()
		case <-stop:
		}
	}()
	s.main = func() { signal.Stop(again); close(stop) }
	s.detach = func() bool { return true }
}

// end ends the watching.
func (s *signals) end() {
	signal.Stop(s.came)
	s.cancel()
}
