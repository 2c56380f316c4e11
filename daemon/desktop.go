package daemon

import (
	"cmp"
	"context"
	"strings"
	"sync"
	"unicode"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/ipc"
)

// The environment in which a desktop is named.
const (
	envBus     = "DBUS_SESSION_BUS_ADDRESS"
	envDisplay = "DISPLAY"
	envWayland = "WAYLAND_DISPLAY"
)

// maxOffered is how long what a client lends may be, in bytes: longer than any of
// it is, and short enough to be handed over by a lock.
const maxOffered = 1024

// desktop is where the OS keyring is asked, and where it asks: as the environment
// of the daemon says, and where that says nothing, or names a bus that has gone,
// as a client said.
type desktop struct {
	environ func(string) string
	answers func(context.Context, func(string) string) bool // says whether there is a bus

	mu      sync.Mutex
	offered map[string]string // guarded by mu
}

// newDesktop returns the desktop that environ names; nil is an empty environment.
func newDesktop(environ func(string) string) *desktop {
	if environ == nil {
		environ = func(string) string { return "" }
	}
	return &desktop{environ: environ, answers: keystore.HasBus, offered: map[string]string{}}
}

// getenv reads the environment as far as it concerns the keyring.
func (d *desktop) getenv(name string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return cmp.Or(d.offered[name], d.environ(name))
}

// screen names the display on which a dialog would appear.
func (d *desktop) screen() string { return cmp.Or(d.getenv(envWayland), d.getenv(envDisplay)) }

// offer takes from a client what is of use. Of a bus only the address of one
// socket is taken: others name machines, or a list.
func (d *desktop) offer(ctx context.Context, o *ipc.Desktop) {
	if o == nil {
		return
	}
	take := map[string]string{}
	if isSocket(o.Bus) && o.Bus != d.getenv(envBus) && !d.answers(ctx, d.getenv) {
		take[envBus] = o.Bus
	}
	if d.screen() == "" || take[envBus] != "" { // another bus is another session
		take[envDisplay], take[envWayland] = o.Display, o.Wayland
	}
	d.take(take)
}

// adopt goes on with what the image before was lent. The environment may name that
// bus by now: godbus's way to name one is to set it.
func (d *desktop) adopt(ctx context.Context, o *ipc.Desktop) {
	d.offer(ctx, o)
	if o != nil && isSocket(o.Bus) && o.Bus == d.getenv(envBus) {
		d.take(map[string]string{envBus: o.Bus, envDisplay: o.Display, envWayland: o.Wayland})
	}
}

// isSocket reports whether a bus has the address of one Unix socket.
func isSocket(bus string) bool { return strings.HasPrefix(bus, "unix:") && !strings.Contains(bus, ";") }

// take keeps what can be a value.
func (d *desktop) take(values map[string]string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, value := range values {
		if len(value) <= maxOffered && !strings.ContainsFunc(value, unicode.IsControl) {
			d.offered[name] = value
		}
	}
}

// lent is what clients have lent, as one of them would lend it; nil if that is
// nothing.
func (d *desktop) lent() *ipc.Desktop {
	d.mu.Lock()
	defer d.mu.Unlock()
	o := ipc.Desktop{Bus: d.offered[envBus], Display: d.offered[envDisplay], Wayland: d.offered[envWayland]}
	if o == (ipc.Desktop{}) {
		return nil
	}
	return &o
}
