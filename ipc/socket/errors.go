package socket

import (
	"errors"
	"fmt"
)

var (
	// ErrNotRunning means that nobody listens at the address.
	ErrNotRunning = errors.New("no daemon is listening")
	// ErrForeign means that a directory, a file or a peer belongs to somebody
	// else, or that somebody else may change it. The text around it says which.
	ErrForeign = errors.New("not private to this user")
	// ErrInUse means that somebody already answers at the address.
	ErrInUse = errors.New("another daemon is listening")
	// ErrHeld means that a live daemon holds the profile's lock.
	ErrHeld = errors.New("another o2fad serves this profile")
)

// HeldError is ErrHeld with what the holder says of itself.
type HeldError struct {
	Info LockInfo // zero where the daemon has not written it yet, or could not
}

// Error names the holder where it is known.
func (e *HeldError) Error() string {
	if e.Info.PID == 0 {
		return ErrHeld.Error()
	}
	return fmt.Sprintf("%v: pid %d at %s", ErrHeld, e.Info.PID, e.Info.Socket)
}

// Unwrap returns ErrHeld.
func (e *HeldError) Unwrap() error { return ErrHeld }
