//go:build linux

package dbustest

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"github.com/o2fa/o2fa/internal/dbus"
)

// dbusmockFile shows that python-dbusmock is there: it has no program.
const dbusmockFile = "/usr/lib/python3/dist-packages/dbusmock/__init__.py"

// StartTimedate starts a systemd-timedated by python-dbusmock, which says whether
// the clock is set by the network. The bus serves as the system bus, too.
func (b *Bus) StartTimedate(set bool) {
	b.tb.Helper()
	if _, err := os.Stat(dbusmockFile); err != nil {
		missing(b.tb, dbusmockFile, "python3-dbusmock")
	}
	// Not the python3 that is first on PATH: the module is Debian's.
	cmd := exec.Command("/usr/bin/python3", "-m", "dbusmock", "--template", "timedated", "--parameters", fmt.Sprintf(`{"NTP": %t}`, set))
	cmd.Env = append(b.Environ(), "DBUS_SYSTEM_BUS_ADDRESS="+b.Address)
	p := start(b.tb, cmd)
	b.tb.Cleanup(p.kill)
	const name, path = "org.freedesktop.timedate1", dbus.Path("/org/freedesktop/timedate1")
	Eventually(b.tb, name, func() (there bool) {
		b.with(func(ctx context.Context, conn *dbus.Conn) error {
			var value bool
			there = conn.Object(name, path).Property(ctx, name, "NTPSynchronized", &value) == nil && value == set
			return nil
		})
		select {
		case <-p.done:
			b.tb.Fatalf("dbusmock ended: %s", p.output())
		default:
		}
		return there
	})
}
