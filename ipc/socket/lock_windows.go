package socket

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

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
// it. It never waits. Nobody has the lock beside a successor, also in the moment
// when the holder has let go; so who shares it asks for both bytes in one step.
func tryLock(f *os.File, exclusive bool) (bool, error) {
	if !exclusive {
		return bothBytes.lock(f, exclusive)
	}
	got, err := holderByte.lock(f, exclusive)
	if err != nil || !got {
		return false, err
	}
	free, err := successorByte.lock(f, exclusive)
	if free {
		return true, successorByte.unlock(f)
	}
	return false, errors.Join(err, holderByte.unlock(f))
}

// unlockFile gives back what tryLock took: the one byte or, shared, both. The
// system unlocks none but the very bytes that were locked.
func unlockFile(f *os.File) error {
	if holderByte.unlock(f) == nil {
		return nil
	}
	return bothBytes.unlock(f)
}

// span is a range of bytes, counted from 4 GiB: Windows forbids others to read
// locked bytes, so they are far behind the content, which everybody may read.
type span int

const (
	holderByte    span = 1 << iota // locked by who has the lock
	successorByte                  // by who is to have it next
	bothBytes     = holderByte | successorByte
)

func (s span) at() *windows.Overlapped {
	at := &windows.Overlapped{OffsetHigh: 1}
	if s == successorByte {
		at.Offset = 1
	}
	return at
}

func (s span) length() uint32 {
	if s == bothBytes {
		return 2
	}
	return 1
}

func (s span) lock(f *os.File, exclusive bool) (bool, error) {
	flags := uint32(windows.LOCKFILE_FAIL_IMMEDIATELY)
	if exclusive {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, s.length(), 0, s.at())
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return false, nil
	}
	return err == nil, err
}

func (s span) unlock(f *os.File) error {
	return windows.UnlockFileEx(windows.Handle(f.Fd()), 0, s.length(), 0, s.at())
}
