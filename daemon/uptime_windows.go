package daemon

import (
	"time"

	"golang.org/x/sys/windows"
)

// uptime is how long the machine runs, with the time that it slept. Setting the
// clock does not change it.
func uptime() time.Duration { return windows.DurationSinceBoot() }
