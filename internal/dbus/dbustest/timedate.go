//go:build linux

package dbustest

import "fmt"

// StartTimedate starts a systemd-timedated on the bus, which is the system bus of
// Environ, too. It says whether the clock is set by the network.
func (b *Bus) StartTimedate(set bool) *Mock {
	b.tb.Helper()
	return b.startMock("org.freedesktop.timedate1", "/org/freedesktop/timedate1",
		"--template", "timedated", "--parameters", fmt.Sprintf(`{"NTP": %t}`, set))
}
