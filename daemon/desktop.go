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
	if strings.HasPrefix(o.Bus, "unix:") && !strings.Contains(o.Bus, ";") && o.Bus != d.getenv(envBus) && !d.answers(ctx, d.getenv) {
		take[envBus] = o.Bus
	}
	if d.screen() == "" || take[envBus] != "" { // another bus is another session
		take[envDisplay], take[envWayland] = o.Display, o.Wayland
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, value := range take {
		if !strings.ContainsFunc(value, unicode.IsControl) {
			d.offered[name] = value
		}
	}
}
