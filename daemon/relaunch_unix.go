//go:build unix

package daemon

import (
	"errors"
	"net"
	"time"

	"github.com/o2fa/o2fa/ipc/socket"
)

// inherits says that the next image inherits connections.
const inherits = true

// passed are the descriptors that the next image inherits.
type passed struct {
	Place  socket.Passed `json:"place"`
	Askers []int         `json:"askers"`
	Fresh  []int         `json:"fresh"`
}

// pass lets the next image inherit all of the heritage.
func (h *Handover) pass() (err error) {
	if h.Place, err = socket.Pass(h.heritage.lock, h.heritage.listener); err != nil {
		return err
	}
	if h.Askers, err = passConns(h.heritage.askers); err != nil {
		return err
	}
	h.Fresh, err = passConns(h.heritage.fresh)
	return err
}

func passConns(conns []net.Conn) ([]int, error) {
	fds := make([]int, len(conns))
	for i, conn := range conns {
		var err error
		if fds[i], err = socket.PassConn(conn); err != nil {
			return nil, err
		}
	}
	return fds, nil
}

// keep takes pass back, and makes the heritage fit to be used here.
func (h *Handover) keep() error {
	in := h.heritage
	errs := []error{h.Place.Keep()}
	for _, conns := range [][]net.Conn{in.askers, in.fresh} {
		for _, conn := range conns {
			errs = append(errs, socket.KeepConn(conn), conn.SetDeadline(time.Time{}))
		}
	}
	if l, ok := in.listener.(interface{ SetDeadline(time.Time) error }); ok {
		errs = append(errs, l.SetDeadline(time.Time{}))
	}
	return errors.Join(errs...)
}

// take takes over what the image before has passed on, if that is what it says.
// The profile gets the address that it listens at.
func (h *Handover) take(p *socket.Profile) (*heritage, error) {
	if h.heritage != nil {
		return h.heritage, nil
	}
	lock, listener, err := p.Adopt(h.Place)
	if err != nil {
		return nil, err
	}
	in := &heritage{lock: lock, listener: listener}
	if in.askers, err = adoptConns(h.Askers); err == nil {
		in.fresh, err = adoptConns(h.Fresh)
	}
	if err != nil {
		return nil, errors.Join(err, listener.Close(), lock.Close())
	}
	h.heritage = in
	return in, nil
}

func adoptConns(fds []int) ([]net.Conn, error) {
	conns := make([]net.Conn, 0, len(fds))
	for _, fd := range fds {
		conn, err := socket.AdoptConn(fd)
		if err == nil {
			err = socket.CheckPeer(conn)
		}
		if err != nil {
			return nil, err
		}
		conns = append(conns, conn)
	}
	return conns, nil
}

// bare returns a connection without what the server needed around it.
func bare(conn net.Conn) net.Conn {
	switch c := conn.(type) {
	case *visitor:
		return bare(c.Conn)
	case *asker:
		return bare(c.Conn)
	}
	return conn
}
