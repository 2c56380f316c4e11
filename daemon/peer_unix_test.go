//go:build unix

package daemon

import (
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// queue is a listener that hands out what it is given.
type queue struct {
	net.Listener
	conns []net.Conn
}

// Accept returns the next connection.
func (q *queue) Accept() (net.Conn, error) {
	if len(q.conns) == 0 {
		return nil, net.ErrClosed
	}
	c := q.conns[0]
	q.conns = q.conns[1:]
	return c, nil
}

// Nobody gets a connection whose other end is not known to be this user.
func TestOnlyOurOwnAreAccepted(t *testing.T) {
	unknown, other := net.Pipe()
	defer other.Close()
	dir, err := os.MkdirTemp("", "o2fa") // short, for a socket's sake
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ours, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	checked := newDoor(&queue{conns: []net.Conn{unknown, accepted}}, nil, slog.New(slog.NewTextHandler(io.Discard, nil)))
	got, err := checked.Accept()
	if err != nil || bare(got) != accepted {
		t.Errorf("accepted %v, %v", got, err)
	}
	if _, err := other.Write([]byte("x")); err == nil {
		t.Error("the unknown one was not closed")
	}
}
