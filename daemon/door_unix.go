//go:build unix

package daemon

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// visitor is a connection that can be taken back from the server until the
// first byte has been read of it.
type visitor struct {
	net.Conn
	door *door

	mu    sync.Mutex // guards what follows; held during a read that cannot wait
	begun bool
	taken bool
}

// newVisitor makes a visitor of a connection. One with a request of our own before
// what comes from the other end has begun.
func newVisitor(conn net.Conn, d *door) *visitor {
	_, fresh := conn.(*net.UnixConn)
	return &visitor{Conn: conn, door: d, begun: !fresh}
}

// Read reads what the other end has sent.
func (v *visitor) Read(p []byte) (int, error) {
	v.mu.Lock()
	begun := v.begun
	v.mu.Unlock()
	if begun {
		return v.Conn.Read(p)
	}
	return v.first(p)
}

// first reads the first bytes. The waiting is apart from the reading, so that
// the connection is either begun or can be taken back, and no byte gets lost.
func (v *visitor) first(p []byte) (n int, err error) {
	raw, err := v.Conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var readErr error
	err = raw.Read(func(fd uintptr) (done bool) {
		n, done, readErr = v.tryRead(int(fd), p)
		return done
	})
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.taken:
		return 0, io.EOF // what a server takes without a word
	case err == nil && readErr == nil && n == 0 && len(p) > 0:
		return 0, io.EOF
	case err == nil:
		err = readErr
	}
	if err != nil {
		err = &net.OpError{Op: "read", Net: "unix", Err: err}
	}
	return n, err
}

func (v *visitor) tryRead(fd int, p []byte) (n int, done bool, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.taken {
		return 0, true, nil
	}
	for n, err = syscall.Read(fd, p); errors.Is(err, syscall.EINTR); {
		n, err = syscall.Read(fd, p)
	}
	if errors.Is(err, syscall.EAGAIN) {
		return 0, false, nil
	}
	v.begun = true
	return max(n, 0), true, err
}

// takeBack returns the connection, if nothing was read of it, and ends the
// server's use of it.
func (v *visitor) takeBack() net.Conn {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.begun || v.taken {
		return nil
	}
	v.taken = true
	_ = v.SetReadDeadline(time.Unix(1, 0)) // wakes who waits; fails only for one that is closed
	return v.Conn
}

// CloseWrite says that nothing more comes, which a server does before it closes a
// connection of which it has not read all.
func (v *visitor) CloseWrite() error {
	if c, ok := v.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// Close closes the connection, unless it was taken back.
func (v *visitor) Close() error {
	defer v.door.left(v)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.taken {
		return nil
	}
	v.begun = true // nobody takes what is closed
	return v.Conn.Close()
}
