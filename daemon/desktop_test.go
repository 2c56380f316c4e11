package daemon

import (
	"context"
	"maps"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/ipc"
)

// A daemon takes of a client's desktop what it lacks, or what has gone, and
// nothing else.
func TestDesktopOffer(t *testing.T) {
	const mine, theirs = "unix:path=/mine", "unix:path=/theirs"
	at := ipc.Desktop{Bus: theirs, Display: ":7", Wayland: "wayland-7"}
	for name, c := range map[string]struct {
		environ map[string]string
		alive   bool // the bus of environ
		offers  []ipc.Desktop
		want    map[string]string
	}{
		"all is well":              {map[string]string{envBus: mine, envDisplay: ":1"}, true, []ipc.Desktop{at}, map[string]string{envBus: mine, envDisplay: ":1"}},
		"no display":               {map[string]string{envBus: mine}, true, []ipc.Desktop{at}, map[string]string{envBus: mine, envDisplay: ":7", envWayland: "wayland-7"}},
		"nothing at all":           {nil, false, []ipc.Desktop{at}, map[string]string{envBus: theirs, envDisplay: ":7", envWayland: "wayland-7"}},
		"the session has ended":    {map[string]string{envBus: mine, envDisplay: ":1"}, false, []ipc.Desktop{at}, map[string]string{envBus: theirs, envDisplay: ":7", envWayland: "wayland-7"}},
		"nothing is offered":       {map[string]string{envBus: mine, envDisplay: ":1"}, false, []ipc.Desktop{{}}, map[string]string{envBus: mine, envDisplay: ":1"}},
		"one display after all":    {nil, true, []ipc.Desktop{{Display: ":7"}, {Display: ":8"}}, map[string]string{envDisplay: ":7"}},
		"a bus of another machine": {nil, false, []ipc.Desktop{{Bus: "tcp:host=there"}}, nil},
		"a list of buses":          {nil, false, []ipc.Desktop{{Bus: theirs + ";tcp:host=there"}}, nil},
		"far too long":             {nil, false, []ipc.Desktop{{Bus: theirs + strings.Repeat("x", maxOffered), Display: ":7"}}, map[string]string{envDisplay: ":7"}},
		"control characters":       {nil, false, []ipc.Desktop{{Bus: theirs + "\x1b[2J", Display: ":7\n"}}, nil},
	} {
		d := newDesktop(func(name string) string { return c.environ[name] })
		d.answers = func(context.Context, func(string) string) bool { return c.alive }
		d.offer(t.Context(), nil)
		for _, o := range c.offers {
			d.offer(t.Context(), &o)
		}
		got := map[string]string{}
		for _, name := range []string{envBus, envDisplay, envWayland} {
			if value := d.getenv(name); value != "" {
				got[name] = value
			}
		}
		if !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// What was lent passes to the next image, which looks at it as at any offer.
func TestDesktopLent(t *testing.T) {
	const mine, theirs = "unix:path=/mine", "unix:path=/theirs"
	alive := map[string]bool{}
	next := func(environ map[string]string, from *ipc.Desktop) *desktop {
		d := newDesktop(func(name string) string { return environ[name] })
		d.answers = func(_ context.Context, getenv func(string) string) bool { return alive[getenv(envBus)] }
		d.adopt(t.Context(), from)
		return d
	}
	if o := next(map[string]string{envBus: mine}, nil).lent(); o != nil {
		t.Errorf("nothing was lent, and %+v is handed over", o)
	}
	lent := ipc.Desktop{Bus: theirs, Display: ":7", Wayland: "wayland-7"}
	d := next(map[string]string{envBus: mine, envDisplay: ":1"}, &lent)
	for range 2 {
		o := d.lent()
		if o == nil || *o != lent {
			t.Fatalf("%+v is handed over, want %+v", o, lent)
		}
		d = next(map[string]string{envBus: mine, envDisplay: ":1"}, o)
	}
	if o := next(map[string]string{envBus: theirs, envDisplay: ":1"}, d.lent()).lent(); o == nil || *o != lent {
		t.Errorf("%+v is handed over where the environment names the bus, want %+v", o, lent)
	}
	alive[mine] = true // what works by itself is not overridden
	if d = next(map[string]string{envBus: mine, envDisplay: ":1"}, d.lent()); d.getenv(envBus) != mine || d.screen() != ":1" {
		t.Errorf("%s, %s", d.getenv(envBus), d.screen())
	}
	if d = next(nil, &ipc.Desktop{Bus: "tcp:host=there", Display: ":7\n"}); d.getenv(envBus) != "" || d.screen() != "" {
		t.Error("what no client could lend came by a handover")
	}
}
