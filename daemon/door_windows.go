package daemon

import "net"

// visitor exists where connections can be handed over.
type visitor struct{}

func (*visitor) takeBack() net.Conn { return nil }

// admit returns the connection as it is: a pipe cannot be handed over.
func (d *door) admit(conn net.Conn) net.Conn { return conn }
