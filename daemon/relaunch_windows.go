package daemon

import (
	"net"

	"github.com/o2fa/o2fa/ipc/socket"
)

// inherits says that a successor inherits connections. On Windows it is another
// process, started before this one ends: it takes the lock over, so that nobody
// else gets it, and makes a pipe of its own.
const inherits = false

// passed is nothing: a process of Windows can pass on neither its lock nor its pipe.
type passed struct{}

func (h *Handover) pass() error { return nil }

// keep has the pipe made anew: nobody is let in by one that has closed.
func (h *Handover) keep() error {
	h.heritage.listener = nil
	return nil
}

// take takes the profile over from the process before.
func (h *Handover) take(p *socket.Profile) (in *heritage, err error) {
	if in = h.heritage; in == nil {
		in = &heritage{}
		if in.lock, err = socket.Succeed(*p); err != nil {
			return nil, err
		}
	}
	if in.listener, err = p.ListenAgain(); err != nil {
		in.lock.Close()
		return nil, err
	}
	h.heritage = in
	return in, nil
}

// bare returns a connection without what the server needed around it.
func bare(conn net.Conn) net.Conn {
	if v, ok := conn.(*visitor); ok {
		return v.Conn
	}
	return conn
}
