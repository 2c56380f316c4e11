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
	"syscall"
	"time"
)

// Waits between two tries to connect to a daemon whose queue is full.
const (
	firstPause = time.Millisecond
	lastPause  = 20 * time.Millisecond
)

// Dial connects to the daemon at addr. Before a byte is written it has made
// sure that the socket lies in a directory that is ours, no link and closed to
// others, and that the process that listens is ours. It returns ErrNotRunning
// where nobody listens and ErrForeign where a check fails.
func Dial(ctx context.Context, addr string) (net.Conn, error) {
	if err := checkSocket(addr); err != nil {
		return nil, fmt.Errorf("checking the daemon's socket: %w", err)
	}
	conn, err := connect(ctx, addr)
	if err != nil {
		return nil, fmt.Errorf("connecting to the daemon: %w", err)
	}
	if err := CheckPeer(conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// CheckPeer reports whether the process at the other end of conn runs as our
// own user. Root is somebody else too, unless we are root.
func CheckPeer(conn net.Conn) error {
	uc, ok := conn.(*net.UnixConn)
	if !ok {
		return fmt.Errorf("checking the peer: %T is no Unix socket: %w", conn, ErrForeign)
	}
	raw, err := uc.SyscallConn()
	if err != nil {
		return fmt.Errorf("checking the peer: %w", err)
	}
	var uid int
	var peerErr error
	if err := raw.Control(func(fd uintptr) { uid, peerErr = peerUID(int(fd)) }); err != nil {
		return fmt.Errorf("checking the peer: %w", err)
	}
	if peerErr != nil {
		return fmt.Errorf("checking the peer: %w", peerErr)
	}
	if uid != os.Geteuid() {
		return fmt.Errorf("checking the peer: it runs as user %d, not %d: %w", uid, os.Geteuid(), ErrForeign)
	}
	return nil
}

// checkSocket looks at the path alone. Who listens there is for CheckPeer.
func checkSocket(path string) error {
	info, err := os.Lstat(path)
	missing := errors.Is(err, fs.ErrNotExist)
	switch unsafe := checkPrivate(filepath.Dir(path), othersAny); {
	case missing && (unsafe == nil || errors.Is(unsafe, fs.ErrNotExist)):
		return ErrNotRunning
	case missing:
		// Hidden, not wrapped: a daemon that was started now would refuse the place.
		return fmt.Errorf("%s, and %w", ErrNotRunning.Error(), unsafe)
	case unsafe != nil:
		return unsafe
	}
	if err == nil && info.Mode().Type() != fs.ModeSocket {
		err = fmt.Errorf("%s is not a socket: %w", path, ErrForeign)
	}
	return err
}

// connect is net.DialUnix, with patience for a daemon whose queue is full:
// Linux then answers EAGAIN instead of waiting.
func connect(ctx context.Context, path string) (*net.UnixConn, error) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
		switch {
		case err == nil:
			return conn, nil
		case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
			return nil, ErrNotRunning
		case !errors.Is(err, syscall.EAGAIN):
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}
