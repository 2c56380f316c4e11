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
)

// ErrHeld means that a live daemon holds the profile's lock.
type ErrHeld struct {
	Info LockInfo // zero where the daemon has not written it yet, or could not
}

// Error names the holder where it is known.
func (e ErrHeld) Error() string {
	if e.Info.PID == 0 {
		return "another o2fad serves this profile"
	}
	return fmt.Sprintf("another o2fad serves this profile: pid %d at %s", e.Info.PID, e.Info.Socket)
}

// Is makes errors.Is(err, ErrHeld{}) hold for any holder.
func (e ErrHeld) Is(target error) bool {
	_, ok := target.(ErrHeld)
	return ok
}
