package daemon

import (
	"time"

	"golang.org/x/sys/unix"
)

// uptime is how long the machine runs, with the time that it slept. Setting the
// clock does not change it.
func uptime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0 // no kernel of the last ten years; then the wall clock alone counts
	}
	return time.Duration(t.Nano())
}
