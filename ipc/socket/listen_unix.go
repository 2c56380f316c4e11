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

// staleWait bounds how long Listen waits to learn whether somebody answers.
const staleWait = 2 * time.Second

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
	dir := filepath.Dir(path)
	if err := makePrivate(dir, othersAny); err != nil {
		return nil, err
	}
	unlock, err := lockDir(dir)
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
	if err := flockWait(f); err != nil {
		f.Close()
		return nil, err
	}
	return func() { _ = unlockFile(f); f.Close() }, nil
}

// listener removes its socket when it closes, but only its own: a successor may
// listen under the same name by then.
type listener struct {
	*net.UnixListener
	path string
	made fs.FileInfo // the socket that we made
}

// Close stops listening and removes the socket.
func (l *listener) Close() error {
	unlock, err := lockDir(filepath.Dir(l.path))
	if err == nil {
		defer unlock()
		now, err := os.Lstat(l.path)
		if err == nil && l.made != nil && os.SameFile(now, l.made) {
			os.Remove(l.path)
		}
	}
	return l.UnixListener.Close()
}
