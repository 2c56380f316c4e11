//go:build unix

package socket

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// openLock opens what the lock of p is taken on: the lock file, or the
// directory where the file neither exists nor can be made.
func openLock(p Profile, create bool) (f *os.File, writable bool, err error) {
	// NOFOLLOW and NONBLOCK: neither a link nor a fifo planted there does harm.
	const safe = syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	err = fs.ErrPermission
	if create {
		f, err = os.OpenFile(p.LockFile(), os.O_RDWR|os.O_CREATE|safe, 0o600)
		writable = err == nil
	}
	if errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission) {
		f, err = os.OpenFile(p.LockFile(), os.O_RDONLY|safe, 0)
	}
	wantDir := errors.Is(err, fs.ErrNotExist)
	if wantDir {
		f, err = os.OpenFile(p.Dir, os.O_RDONLY|safe|syscall.O_DIRECTORY, 0)
	}
	if err != nil {
		return nil, false, err
	}
	if err := checkOwner(f, wantDir); err != nil {
		f.Close()
		return nil, false, err
	}
	return f, writable, nil
}

// tryLock takes the lock on f, shared or exclusive, and reports whether it got
// it. It never waits.
func tryLock(f *os.File, exclusive bool) (bool, error) {
	how := syscall.LOCK_SH | syscall.LOCK_NB
	if exclusive {
		how = syscall.LOCK_EX | syscall.LOCK_NB
	}
	err := flock(f, how)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

func unlockFile(f *os.File) error { return flock(f, syscall.LOCK_UN) }

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if err == nil {
			return nil
		}
		if err != syscall.EINTR {
			return &os.PathError{Op: "flock", Path: f.Name(), Err: err}
		}
	}
}
