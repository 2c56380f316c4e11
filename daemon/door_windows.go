package daemon

import "net"

// visitor is a connection that is counted as long as it is open. A pipe cannot be
// handed over.
type visitor struct {
	net.Conn
	door *door
}

func newVisitor(conn net.Conn, d *door) *visitor { return &visitor{conn, d} }

func (v *visitor) takeBack() net.Conn { return nil }

// Close closes the connection.
func (v *visitor) Close() error {
	defer v.door.left(v)
	return v.Conn.Close()
}
