package socket

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// Windows forbids others to read locked bytes, so the lock is on one byte far
// behind the content, which everybody may read.
const lockOffsetHigh = 1 // 4 GiB

// openLock opens the lock file of p. A directory cannot be locked here, so on a
// read-only volume the file must be there.
func openLock(p Profile, create bool) (f *os.File, writable bool, err error) {
	open := func(flag int) error {
		return unlessHeld(func() error {
			f, err = os.OpenFile(p.LockFile(), flag, 0o600)
			return err
		}, windows.ERROR_SHARING_VIOLATION)
	}
	err = fs.ErrPermission
	if create {
		err = open(os.O_RDWR | os.O_CREATE)
		writable = err == nil
	}
	if errors.Is(err, windows.ERROR_WRITE_PROTECT) || errors.Is(err, fs.ErrPermission) {
		err = open(os.O_RDONLY)
	}
	if err != nil {
		return nil, false, err
	}
	if err := checkOwner(f); err != nil {
		f.Close()
		return nil, false, err
	}
	return f, writable, nil
}

// tryLock takes the lock on f, shared or exclusive, and reports whether it got
// it. It never waits.
func tryLock(f *os.File, exclusive bool) (bool, error) {
	flags := uint32(windows.LOCKFILE_FAIL_IMMEDIATELY)
	if exclusive {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{OffsetHigh: lockOffsetHigh})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return false, nil
	}
	return err == nil, err
}

func unlockFile(f *os.File) error {
	return windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, &windows.Overlapped{OffsetHigh: lockOffsetHigh})
}
