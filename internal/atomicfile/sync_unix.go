//go:build unix

package atomicfile

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// SyncDir makes the names in dir durable: without it a power cut after a rename
// may bring the old name back. Where the file system has no such operation
// (some network and FUSE mounts answer EINVAL or ENOTSUP) there is nothing more
// to be had, and SyncDir returns nil.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("syncing directory: %w", err)
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	if err := errors.Join(err, d.Close()); err != nil {
		return fmt.Errorf("syncing directory: %w", err)
	}
	return nil
}

// rename is atomic by POSIX: path is the old file or the new one at any time.
func rename(tmp, path string) error { return os.Rename(tmp, path) }
