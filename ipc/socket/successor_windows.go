package socket

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// successorWait bounds each wait of a successor: for its place behind the holder,
// for the lock, and for the pipe.
const successorWait = 5 * time.Second

// errOthers never reaches a caller unless it stays like that for successorWait.
var errOthers = errors.New("another daemon has it")

// Succeed takes the lock of p over from a holder that waits for this, by
// Succeeded, before it lets go. From the first step on the lock is held by
// somebody: no other daemon comes in between. It waits for five seconds at most,
// and returns a *HeldError if the holder stays.
func Succeed(p Profile) (*Lock, error) {
	f, writable, err := openLock(p, true)
	if err != nil {
		return nil, fmt.Errorf("succeeding to the profile: %w", err)
	}
	if err = soon(func() error { return successorByte.take(f) }); err == nil {
		err = soon(func() error { return holderByte.take(f) })
		if failed := successorByte.unlock(f); err == nil {
			err = failed
		}
	}
	if err == nil {
		return &Lock{f, writable}, nil
	}
	if errors.Is(err, errOthers) {
		err = &HeldError{readInfo(f)}
	}
	f.Close()
	return nil, fmt.Errorf("succeeding to the profile: %w", err)
}

// Succeeded tells the holder of the lock of p whether a successor waits for it.
func Succeeded(p Profile) (bool, error) {
	f, _, err := openLock(p, false)
	if err != nil {
		return false, err
	}
	defer f.Close()
	free, err := successorByte.lock(f, false)
	if err == nil && free {
		err = successorByte.unlock(f)
	}
	return err == nil && !free, err
}

// ListenAgain is Listen for a successor. A pipe's name is in use until its last
// client has closed its end, too, so it waits for that, for five seconds at most.
func (p Profile) ListenAgain() (l net.Listener, err error) {
	err = soon(func() error {
		l, err = p.Listen()
		return err
	})
	return l, err
}

func (s span) take(f *os.File) error {
	got, err := s.lock(f, true)
	if err == nil && !got {
		err = errOthers
	}
	return err
}

// soon calls do until it succeeds, fails by more than others who have something,
// or takes too long.
func soon(do func() error) error {
	deadline := time.Now().Add(successorWait)
	for {
		err := do()
		others := errors.Is(err, errOthers) || errors.Is(err, ErrInUse)
		if !others || time.Now().After(deadline) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}
