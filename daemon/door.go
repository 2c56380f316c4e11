package daemon

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/o2fa/o2fa/ipc/socket"
)

// door is where connections come in: only those whose other end is this user.
// Held, it lets nobody in any more, and those who come wait outside, in the
// kernel's queue, for who serves next.
type door struct {
	net.Listener
	log *slog.Logger

	mu     sync.Mutex // guards what follows
	early  []net.Conn // connections that came before, to be let in first
	held   bool
	inside map[*visitor]struct{}
	empty  chan struct{} // closed when nobody is inside of a held door
}

func newDoor(l net.Listener, early []net.Conn, log *slog.Logger) *door {
	return &door{Listener: l, log: log, early: early, inside: map[*visitor]struct{}{}, empty: make(chan struct{})}
}

// Accept returns the next connection from a process of the same user.
func (d *door) Accept() (net.Conn, error) {
	for {
		conn, known, err := d.next()
		if err != nil {
			return nil, err
		}
		if known {
			return d.admit(conn), nil
		}
		if err := socket.CheckPeer(conn); err != nil {
			d.log.Warn("refused a connection", "reason", err.Error())
			conn.Close()
			continue
		}
		return d.admit(conn), nil
	}
}

// next returns the next connection, and whether it is known to be one of ours.
func (d *door) next() (conn net.Conn, known bool, err error) {
	if conn, err = d.firstEarly(); conn != nil || err != nil {
		return conn, true, err
	}
	conn, err = d.Listener.Accept()
	if err != nil && d.isHeld() {
		err = net.ErrClosed // for the server: this ends, and is not to be tried again
	}
	return conn, false, err
}

func (d *door) firstEarly() (net.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.held:
		return nil, net.ErrClosed
	case len(d.early) == 0:
		return nil, nil
	}
	conn := d.early[0]
	d.early = d.early[1:]
	return conn, nil
}

func (d *door) admit(conn net.Conn) net.Conn {
	v := newVisitor(conn, d)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inside[v] = struct{}{}
	return v
}

func (d *door) isHeld() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.held
}

// hold ends Accept. Where connections cannot wait outside, the listener closes.
func (d *door) hold() {
	d.mu.Lock()
	d.held = true
	d.mu.Unlock()
	if l, ok := d.Listener.(interface{ SetDeadline(time.Time) error }); ok {
		_ = l.SetDeadline(time.Unix(1, 0)) // fails only for one that is closed
		return
	}
	d.Listener.Close()
}

// Close closes the listener, unless somebody else is to have it.
func (d *door) Close() error {
	if d.isHeld() {
		return nil
	}
	return d.Listener.Close()
}

// takeBack returns the connections of a held door that nothing was read of, also
// those that were never let in. The server sees them end.
func (d *door) takeBack() []net.Conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	conns := d.early
	d.early = nil
	for v := range d.inside {
		if conn := v.takeBack(); conn != nil {
			conns = append(conns, conn)
			delete(d.inside, v)
		}
	}
	d.look()
	return conns
}

// left is told when a connection is nobody's business here any more.
func (d *door) left(v *visitor) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.inside, v)
	d.look()
}

// look sees whether the last one has left; the caller holds mu.
func (d *door) look() {
	if !d.held || len(d.inside) > 0 {
		return
	}
	select {
	case <-d.empty:
	default:
		close(d.empty)
	}
}

// wait waits until nobody is inside of a held door.
func (d *door) wait(ctx context.Context) error {
	select {
	case <-d.empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
