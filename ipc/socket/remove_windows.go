package socket

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// How long, and how often, a file that is open elsewhere is tried again.
const (
	removePatience = time.Second
	removePause    = 10 * time.Millisecond
)

// RemoveSocketDir does nothing: a pipe lies in no directory.
func (p Profile) RemoveSocketDir() {}

// removeUnlocked is another try to remove a lock file, without its lock: no open
// file can be removed here, which also keeps what another process has locked.
// Who only looks whether it is locked, and virus scanners, close it soon.
func removeUnlocked(path string, _ error) error {
	deadline := time.Now().Add(removePatience)
	for {
		err := os.Remove(path)
		held := errors.Is(err, windows.ERROR_SHARING_VIOLATION) || errors.Is(err, windows.ERROR_ACCESS_DENIED)
		if !held || time.Now().After(deadline) {
			return err
		}
		time.Sleep(removePause)
	}
}
