package socket

import (
	"context"
	"fmt"
	"os"
	"time"
)

// turnPause is the time between two looks whether the turn is free.
const turnPause = 50 * time.Millisecond

// Turn waits until no other command of this profile has it, and returns the
// function that gives it back: who asks a person in a dialog takes the turn first,
// so that one dialog is open at a time, however often a command was given. The
// error is that of ctx.
//
// It is a courtesy, held by a locked file beside the socket, which ends with the
// process. Where that cannot be, as on Windows, everybody has the turn.
func (p Profile) Turn(ctx context.Context) (end func(), err error) {
	path := p.Socket + ".asking"
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return func() {}, nil //nolint:nilerr // see above
		}
		got, err := tryLock(f, true)
		switch {
		case err != nil:
			f.Close()
			return func() {}, nil
		case got && current(f):
			return func() {
				_ = os.Remove(path) // while it is locked
				f.Close()
			}, nil
		case got:
			f.Close() // the one before has removed it
			continue
		}
		f.Close()
		select {
		case <-time.After(turnPause):
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for another command's dialog: %w", ctx.Err())
		}
	}
}
