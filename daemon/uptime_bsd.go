//go:build unix && !linux

package daemon

import (
	"time"

	"golang.org/x/sys/unix"
)

// uptime is how long the machine runs; on macOS with the time that it slept, which
// elsewhere the wall clock has to tell. Setting the clock does not change it.
func uptime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0 // then the wall clock alone counts
	}
	return time.Duration(t.Nano())
}
