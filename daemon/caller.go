package daemon

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/o2fa/o2fa/ipc/socket"
)

// caller is the other end of a connection. Who it is costs some reading in the
// system's tables, so that is done once, and only when somebody wants to know.
type caller struct {
	conn  net.Conn
	since time.Time
	look  sync.Once
	peer  socket.Peer
}

type callerKey struct{}

// withCaller is http.Server's ConnContext.
func withCaller(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, callerKey{}, &caller{conn: conn, since: time.Now()})
}

// whoAsks returns the process that a request came from; zero for none.
func whoAsks(ctx context.Context) socket.Peer {
	c, ok := ctx.Value(callerKey{}).(*caller)
	if !ok {
		return socket.Peer{}
	}
	c.look.Do(func() { c.peer = socket.WhoIs(bare(c.conn), c.since) })
	return c.peer
}

// by is an event of the one who asks.
func (e event) by(ctx context.Context) event {
	p := whoAsks(ctx)
	e.PID, e.Exe, e.Parent = p.PID, p.Executable, p.Parent
	if !p.Started.IsZero() {
		e.Started = p.Started.Unix()
	}
	return e
}
