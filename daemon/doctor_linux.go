package daemon

import (
	"context"

	"golang.org/x/sys/unix"

	"github.com/o2fa/o2fa/internal/dbus"
)

// timeHint is how the clock gets set by the network.
const timeHint = "timedatectl set-ntp true, or install chrony"

// timeIsSet asks systemd's time service, which tells of any that keeps the
// kernel informed, and where that does not answer the kernel.
func timeIsSet(ctx context.Context, getenv func(string) string) (set, known bool, how string) {
	if set, err := askTimedate(ctx, dbus.SystemAddress(getenv)); err == nil {
		return set, true, "timedatectl"
	}
	return kernelTime()
}

// askTimedate asks systemd-timedated, which the bus starts where it is installed.
func askTimedate(ctx context.Context, address string) (set bool, err error) {
	conn, err := dbus.Dial(ctx, address)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	const name = "org.freedesktop.timedate1"
	err = conn.Object(name, "/org/freedesktop/timedate1").Property(ctx, name, "NTPSynchronized", &set)
	return set, err
}

// kernelTime asks the kernel whether a program has set its clock of late.
func kernelTime() (set, known bool, how string) {
	var t unix.Timex // no mode: it changes nothing
	if _, err := unix.Adjtimex(&t); err != nil {
		return false, false, ""
	}
	return t.Status&unix.STA_UNSYNC == 0, true, "the kernel"
}
