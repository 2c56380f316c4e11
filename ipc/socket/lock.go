package socket

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// maxLockInfo bounds, in bytes, what is read from a lock file.
const maxLockInfo = 4 << 10

// How long AcquireLock goes on while only readers are in its way. Each of them
// is gone within microseconds.
const lockPatience = 5 * time.Second

// errReaders never reaches a caller unless readers hold the lock for seconds.
var errReaders = errors.New("locking the profile: readers do not let go")

// LockInfo is what the serving daemon says of itself in o2fad.lock. It is a
// hint: only the lock itself proves that the daemon lives.
type LockInfo struct {
	PID     int       `json:"pid"`
	Release string    `json:"release"`
	API     int       `json:"api"`
	Socket  string    `json:"socket"`
	Started time.Time `json:"started"`
}

// Lock is the profile's lock, held. It ends with Close or with the process.
type Lock struct {
	f        *os.File
	writable bool
}

// AcquireLock takes the lock of p for the daemon, and makes the profile
// directory first. It returns a *HeldError, which is ErrHeld, if a daemon
// lives. It waits for nobody but readers.
//
// On a read-only file system the lock file is locked without being written, and
// where there is none the directory is locked instead.
func AcquireLock(p Profile) (*Lock, error) {
	if err := p.MakeDir(); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(lockPatience)
	for pause := time.Duration(0); ; pause = min(2*pause+50*time.Microsecond, 10*time.Millisecond) {
		l, err := tryAcquire(p)
		if err == nil || !errors.Is(err, errReaders) || time.Now().After(deadline) {
			return l, err
		}
		time.Sleep(pause)
	}
}

// tryAcquire returns errReaders if the lock could be had but for those who look
// whether it is held. They share it for an instant, which a daemon never does:
// whoever can share it too has no daemon before him.
func tryAcquire(p Profile) (*Lock, error) {
	f, writable, err := openLock(p, true)
	if err != nil {
		return nil, fmt.Errorf("locking the profile: %w", err)
	}
	got, err := tryLock(f, true)
	if err == nil && got && current(f) {
		if writable {
			_ = f.Truncate(0) // what the last holder said is a hint gone wrong
		}
		return &Lock{f, writable}, nil
	}
	if err == nil && !got {
		got, err = tryLock(f, false)
		if err == nil && !got {
			err = &HeldError{readInfo(f)}
		}
	}
	if err == nil {
		_ = unlockFile(f)
		err = errReaders // or the file was replaced under us: once more
	}
	f.Close()
	if !errors.Is(err, errReaders) && !errors.Is(err, ErrHeld) {
		err = fmt.Errorf("locking the profile: %w", err)
	}
	return nil, err
}

// Write stores info for those who find the lock held. On a read-only file
// system there is nothing to write to and Write does nothing: clients still see
// that the lock is held.
func (l *Lock) Write(info LockInfo) error {
	if !l.writable {
		return nil
	}
	line, err := json.Marshal(info)
	if err != nil {
		return fmt.Errorf("writing the lock file: %w", err)
	}
	// The line goes out in one write and the rest of an older, longer one is cut
	// afterwards; readers take the first line, so they meet no mixture.
	line = append(line, '\n')
	if _, err := l.f.WriteAt(line, 0); err != nil {
		return fmt.Errorf("writing the lock file: %w", err)
	}
	if err := l.f.Truncate(int64(len(line))); err != nil {
		return fmt.Errorf("writing the lock file: %w", err)
	}
	return nil
}

// Close gives the lock up. The file stays: removing it would let two daemons
// lock two files of one name.
func (l *Lock) Close() error {
	// Unlocking by hand, since a child between fork and exec may share the file.
	err := unlockFile(l.f)
	return errors.Join(err, l.f.Close())
}

// Remove gives the lock up together with its file. That does no harm while the
// lock is held: who has opened the file meanwhile finds that it is no longer what
// its name says, and tries again.
func (l *Lock) Remove() error {
	if !l.writable {
		return l.Close() // there may be no file, or nobody may remove it
	}
	err := os.Remove(l.f.Name())
	if closeErr := l.Close(); closeErr != nil {
		return closeErr
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		err = removeUnlocked(l.f.Name(), err)
	}
	return err
}

// ReadLock tells whether a daemon holds the lock of p, and what it says of
// itself: info is zero where it has not written that yet. A profile that was
// never used is not held.
func ReadLock(p Profile) (info LockInfo, held bool, err error) {
	f, _, err := openLock(p, false)
	if errors.Is(err, fs.ErrNotExist) {
		return LockInfo{}, false, nil
	}
	if err != nil {
		return LockInfo{}, false, fmt.Errorf("reading the profile's lock: %w", err)
	}
	defer f.Close()
	free, err := tryLock(f, false)
	if err != nil {
		return LockInfo{}, false, fmt.Errorf("reading the profile's lock: %w", err)
	}
	if free {
		return LockInfo{}, false, unlockFile(f)
	}
	return readInfo(f), true, nil
}

// readInfo returns what the first line of f says, or the zero LockInfo if it is
// torn, empty or not ours. A holder that has not written yet is not a failure.
func readInfo(f *os.File) LockInfo {
	data, err := io.ReadAll(io.NewSectionReader(f, 0, maxLockInfo))
	line, _, whole := bytes.Cut(data, []byte{'\n'})
	var info LockInfo
	if err != nil || !whole || json.Unmarshal(line, &info) != nil || info.PID <= 0 {
		return LockInfo{}
	}
	return info
}

// current reports whether f is still what its name says.
func current(f *os.File) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(f.Name())
	return err == nil && os.SameFile(opened, named)
}
