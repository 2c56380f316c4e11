package daemon

import (
	"errors"
	"net"

	"github.com/o2fa/o2fa/ipc/socket"
)

// passed is nothing: a process of Windows can pass on neither its lock nor its
// pipe, nor execute another program in its place. A lock wipes what can be wiped.
type passed struct{}

func (h *Handover) pass() error { return errors.ErrUnsupported }

func (h *Handover) keep() error { return nil }

func (h *Handover) take(*socket.Profile) (*heritage, error) {
	if h.heritage == nil {
		return nil, errors.ErrUnsupported
	}
	return h.heritage, nil
}

// bare returns a connection without what the server needed around it.
func bare(conn net.Conn) net.Conn {
	if v, ok := conn.(*visitor); ok {
		return v.Conn
	}
	return conn
}
