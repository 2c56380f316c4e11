//go:build unix

package vault

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// release gives the file and its lock back without bbolt. The lock belongs to
// the open file, which a mapping that is left over keeps alive beyond Close.
func release(f *os.File) error {
	return errors.Join(unix.Flock(int(f.Fd()), unix.LOCK_UN), f.Close())
}
