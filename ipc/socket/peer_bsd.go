//go:build darwin || freebsd

package socket

import "golang.org/x/sys/unix"

// peerUID returns the user of the process that connected or, seen from a
// client, of the one that called listen.
func peerUID(fd int) (int, error) {
	cred, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return 0, err
	}
	return int(cred.Uid), nil
}
