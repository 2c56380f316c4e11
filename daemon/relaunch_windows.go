package daemon

import (
	"errors"
	"net"

	"github.com/o2fa/o2fa/ipc/socket"
)

// passed is nothing: a process of Windows passes on neither its lock nor its pipe.
type passed struct{}

func (h *Handover) pass() error { return errors.ErrUnsupported }

func (h *Handover) keep() error { return nil }

func (h *Handover) take(*socket.Profile) (*heritage, error) {
	if h.heritage == nil {
		return nil, errors.ErrUnsupported
	}
	return h.heritage, nil
}

func bare(conn net.Conn) net.Conn { return conn }
