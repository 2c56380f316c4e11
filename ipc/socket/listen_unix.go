//go:build unix

package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	// staleWait bounds how long Listen waits to learn whether somebody answers.
	staleWait = 2 * time.Second
	// dirWait bounds how long Listen and Close wait for another daemon that
	// makes or removes a socket in the same directory. That takes an instant; a
	// process that was stopped meanwhile must not keep others from ending.
	dirWait = 2 * time.Second
)

// Listen makes the socket of p and listens there. The caller holds the lock
// that AcquireLock gave; that makes a socket nobody answers at a stale one,
// which is removed. ErrInUse means that somebody does answer, as a daemon of
// another home directory may under one XDG_RUNTIME_DIR.
//
// The directory is made with mode 0700 before the socket exists in it, so there
// is no moment in which somebody else could connect, whatever the umask.
func (p Profile) Listen() (net.Listener, error) {
	l, err := listen(p.Socket)
	if err != nil {
		return nil, fmt.Errorf("listening at %s: %w", p.Socket, err)
	}
	return l, nil
}

func listen(path string) (net.Listener, error) {
	unlock, err := makeAndLock(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := removeStale(path); err != nil {
		return nil, err
	}
	ul, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	ul.SetUnlinkOnClose(false) // Close below looks first whose socket it is
	l := &listener{UnixListener: ul, path: path}
	// A umask may have closed the socket even to its owner.
	if err = os.Chmod(path, 0o600); err == nil {
		l.made, err = os.Lstat(path)
	}
	if err != nil {
		ul.Close() // not l.Close: that would wait for the lock that we hold
		os.Remove(path)
		return nil, err
	}
	return l, nil
}

// maxMade is how often a directory is made that others remove at once.
const maxMade = 10

// makeAndLock makes dir, if it is missing, and locks it. A daemon that ends for
// good may remove it in between.
func makeAndLock(dir string) (unlock func(), err error) {
	for range maxMade {
		if err := makePrivate(dir, othersAny); err != nil {
			return nil, err
		}
		if unlock, err = lockDir(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return unlock, err
}

// removeStale removes a socket that nobody answers at. The directory's lock
// keeps a second daemon from doing the same between the look and the removal.
func removeStale(path string) error {
	err := checkSocket(path)
	if errors.Is(err, ErrNotRunning) {
		return nil
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), staleWait)
	defer cancel()
	conn, err := connect(ctx, path)
	switch {
	case err == nil:
		conn.Close()
		return ErrInUse
	case errors.Is(err, context.DeadlineExceeded):
		return ErrInUse // its queue is full: busy or stopped, but there
	case !errors.Is(err, ErrNotRunning):
		return err
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// lockDir serializes the daemons that make or remove sockets in dir. They may
// be of different profiles, each with a lock file of its own.
func lockDir(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(dirWait)
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		got, err := tryLock(f, true)
		if got && !current(f) {
			_ = f.Close()
			return nil, &fs.PathError{Op: "lock", Path: dir, Err: fs.ErrNotExist}
		}
		if got {
			return func() { _ = unlockFile(f); f.Close() }, nil
		}
		if err == nil && !time.Now().Before(deadline) {
			err = fmt.Errorf("another process has kept %s locked for %v", dir, dirWait)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
		time.Sleep(pause)
	}
}

// listener removes its socket when it closes, but only its own: a successor may
// listen under the same name by then.
type listener struct {
	*net.UnixListener
	path string
	made fs.FileInfo // the socket that we made
}

// Close stops listening and removes the socket. It leaves the socket behind if
// the directory cannot be locked: who listens there next will find it stale.
func (l *listener) Close() error {
	if unlock, err := lockDir(filepath.Dir(l.path)); err == nil {
		defer unlock()
		now, err := os.Lstat(l.path)
		if err == nil && l.made != nil && os.SameFile(now, l.made) {
			os.Remove(l.path)
		}
	}
	return l.UnixListener.Close()
}
