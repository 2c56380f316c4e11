package socket

import (
	"net"
	"time"
)

// Peer is what the system tells of the process at the other end of a connection.
// That it runs as this user is for CheckPeer. All that stands here is a claim: a
// process chooses what it executes, and may have handed the connection on. It is
// for logs; no decision may rest on it. What is not known is zero.
type Peer struct {
	PID        int
	Started    time.Time // to a hundredth of a second at best
	Executable string    // its path; the bare name where the path may not be read
	// Parent is the executable of the process that started it, as far as that
	// still runs: the shell says more of a command line than the command line.
	Parent string
}

// WhoIs looks at the process at the other end of conn, which was accepted at
// that time. It does so now: of a process that has ended it tells the number
// alone. It takes some ten microseconds, so it is not for every request.
func WhoIs(conn net.Conn, accepted time.Time) Peer {
	return whoIs(conn, accepted)
}

// slack is by how much the start of a process may seem to be later than it was:
// the system counts it in ticks of its own clock.
const slack = 50 * time.Millisecond
