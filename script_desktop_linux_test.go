package o2fa_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/o2fa/o2fa/internal/dbus/dbustest"
)

// desktop is what a script's programs take for the person's session: a logind and
// a screen saver on a private bus.
type desktop struct {
	bus   *dbustest.Bus
	login *dbustest.Mock
	saver *dbustest.Mock
}

// desktopSession is the one session that there is.
const desktopSession = "c1"

// scriptDesktop: desktop start — gives the script a session on a screen. After
// that: desktop lock, unlock, ask (logind is asked to lock), saver on, saver off,
// sleep, wake, logout, forge (somebody says that all is unlocked), inhibitors N
// (waits until so many keep the machine from sleeping).
func scriptDesktop(ts *testscript.TestScript, _ bool, args []string) {
	b := box(ts)
	if len(args) == 0 || (b.desktop == nil) != (args[0] == "start") {
		ts.Fatalf("usage: desktop start, once, then desktop WORD")
	}
	d := b.desktop
	switch fmt.Sprint(args) {
	case "[start]":
		b.desktop = startDesktop(b.tb)
		ts.Setenv("DBUS_SESSION_BUS_ADDRESS", b.desktop.bus.Address)
		ts.Setenv("DBUS_SYSTEM_BUS_ADDRESS", b.desktop.bus.Address)
	case "[lock]":
		d.login.SetLocked(desktopSession, true)
	case "[unlock]":
		d.login.SetLocked(desktopSession, false)
	case "[ask]":
		d.login.LockSession(desktopSession)
	case "[saver on]":
		d.saver.Activate(true)
	case "[saver off]":
		d.saver.Activate(false)
	case "[sleep]":
		d.login.Sleep(true)
	case "[wake]":
		d.login.Sleep(false)
	case "[logout]":
		d.login.RemoveSession(desktopSession)
	case "[forge]":
		d.bus.Forge("/org/gnome/ScreenSaver", "org.gnome.ScreenSaver.ActiveChanged", false)
		d.bus.Forge("/org/freedesktop/login1", "org.freedesktop.login1.Manager.PrepareForSleep", false)
	case "[inhibitors 0]", "[inhibitors 1]":
		dbustest.Eventually(b.tb, "inhibitors", func() bool { return fmt.Sprint(len(d.login.Inhibitors())) == args[1] })
	default:
		ts.Fatalf("desktop knows no %q", args)
	}
}

func startDesktop(tb testing.TB) *desktop {
	bus := dbustest.Start(tb, "")
	d := &desktop{bus: bus, login: bus.StartLogind(), saver: bus.StartSaver("org.gnome.ScreenSaver", "/org/gnome/ScreenSaver")}
	d.login.AddSession(desktopSession, os.Getuid(), "user", "wayland")
	return d
}
