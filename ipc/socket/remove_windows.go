package socket

import (
	"errors"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/windows"
)

// How long, and how often, a file that is open elsewhere is tried again.
const (
	heldPatience = time.Second
	heldPause    = 10 * time.Millisecond
)

// RemoveSocketDir does nothing: a pipe lies in no directory.
func (p Profile) RemoveSocketDir() {}

// removeUnlocked is another try to remove a lock file, without its lock: no open
// file can be removed here, which also keeps what another process has locked.
func removeUnlocked(path string, _ error) error {
	return unlessHeld(func() error { return os.Remove(path) }, windows.ERROR_SHARING_VIOLATION, windows.ERROR_ACCESS_DENIED)
}

// unlessHeld calls do again while it fails by one of the errors that say that
// somebody has the file open in a way that does not go with ours: one that
// removes it, that looks whether it is locked, or a virus scanner. They close it
// soon.
func unlessHeld(do func() error, held ...error) error {
	deadline := time.Now().Add(heldPatience)
	for {
		err := do()
		again := slices.ContainsFunc(held, func(h error) bool { return errors.Is(err, h) })
		if !again || time.Now().After(deadline) {
			return err
		}
		time.Sleep(heldPause)
	}
}
