package session_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/daemon/internal/session"
	"github.com/o2fa/o2fa/internal/dbus/dbustest"
)

// listen starts a Watcher on a bus, which ends with the test.
func listen(tb testing.TB, bus *dbustest.Bus, held ...string) *listener {
	tb.Helper()
	return start(tb, session.Config{Getenv: bus.Getenv, Held: held})
}

// knows waits until holder has told how things stand.
func (l *listener) knows(holder string) {
	l.tb.Helper()
	eventually(l.tb, holder, func() bool { return l.Knows(holder) })
}

var me = os.Getuid()

// TestLogindScreen: what lockers of desktops do, one after the other.
func TestLogindScreen(t *testing.T) {
	bus := dbustest.Start(t, "")
	login := bus.StartLogind()
	login.AddSession("c1", me, "user", "x11")
	login.AddSession("c2", me+1, "user", "x11") // somebody else's
	l := listen(t, bus)
	l.hears(session.Sleeping)

	login.SetLocked("c2", true)
	login.LockSession("c2")
	login.SetLocked("c1", true)
	l.wants(session.Locked)
	if held := l.Held(); !slices.Equal(held, []string{"session c1"}) {
		t.Errorf("held by %q", held)
	}
	login.SetLocked("c1", false)
	l.wants(session.Back)

	// Asked for first, done then: as GNOME and KDE do.
	login.LockSession("c1")
	l.wants(session.Locked)
	login.SetLocked("c1", true)
	login.SetLocked("c1", false)
	l.wants(session.Back)

	// Asked for, and no locker says anything: only logind's own word ends it.
	login.LockSession("c1")
	l.wants(session.Locked)
	login.UnlockSession("c1")
	l.wants(session.Back)

	// Locked already: nothing is new.
	login.SetLocked("c1", true)
	login.LockSession("c1")
	login.UnlockSession("c1") // which asks the locker; it has not done so yet
	login.SetLocked("c1", false)
	l.wants(session.Locked, session.Back)

	// A session that comes later.
	login.AddSession("c3", me, "user", "wayland")
	l.knows("session c3")
	login.SetLocked("c3", true)
	login.SetLocked("c3", false)
	l.wants(session.Locked, session.Back)
}

// TestSleep: the lock is done before the machine sleeps, which waits no longer.
func TestSleep(t *testing.T) {
	bus := dbustest.Start(t, "")
	login := bus.StartLogind()
	login.AddSession("c1", me, "user", "x11")
	l := listen(t, bus)
	inhibited := func(want int) {
		t.Helper()
		eventually(t, "the inhibitor", func() bool { return len(login.Inhibitors()) == want })
	}
	inhibited(1)
	if got, want := login.Inhibitors()[0], [4]string{"sleep", "o2fa", "locking the vault", "delay"}; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	waiting := make(chan int, 1)
	l.mu.Lock()
	l.during = func(e session.Event) {
		if e == session.Sleeping {
			waiting <- len(login.Inhibitors())
		}
	}
	l.mu.Unlock()
	login.Sleep(true)
	l.wants(session.Sleeping)
	if n := <-waiting; n != 1 {
		t.Errorf("%d inhibitors while the lock was done", n)
	}
	inhibited(0)
	login.SetLocked("c1", true) // the desktop locks its screen, too
	l.wants(session.Locked)
	login.Sleep(false)
	l.wants(session.Woken)
	inhibited(1)
	login.SetLocked("c1", false)
	l.wants(session.Back)

	login.Sleep(true)
	login.Sleep(false)
	l.wants(session.Sleeping, session.Woken, session.Back)
	inhibited(1)
	l.stop()
	inhibited(0)
}

// TestEnd: a session that ends, and sessions whose end is none of anybody's.
func TestEnd(t *testing.T) {
	bus := dbustest.Start(t, "")
	login := bus.StartLogind()
	login.AddSession("c1", me, "user", "x11")
	login.AddSession("c2", me, "user", "tty")
	login.AddSession("c3", me, "user", "tty")
	login.AddSession("c4", me, "background", "unspecified") // cron
	login.AddSession("c5", me+1, "user", "x11")
	l := listen(t, bus)
	l.hears(session.Ended)
	login.RemoveSession("c5")
	login.RemoveSession("c2")
	login.RemoveSession("c1") // the one with a screen
	l.wants(session.Ended)
	login.RemoveSession("c4")
	login.RemoveSession("c3") // the last one
	l.wants(session.Ended)
}

// TestSavers: each that is known by name, alone and beside another.
func TestSavers(t *testing.T) {
	bus := dbustest.Start(t, "")
	l := listen(t, bus)
	for name, path := range map[string]string{
		"org.freedesktop.ScreenSaver": "/ScreenSaver",
		"org.gnome.ScreenSaver":       "/org/gnome/ScreenSaver",
		"org.cinnamon.ScreenSaver":    "/org/cinnamon/ScreenSaver",
		"org.mate.ScreenSaver":        "/org/mate/ScreenSaver",
		"org.xfce.ScreenSaver":        "/org/xfce/ScreenSaver",
	} {
		saver := bus.StartSaver(name, path)
		l.hears(session.Locked)
		saver.Activate(true)
		l.wants(session.Locked)
		saver.Activate(false)
		l.wants(session.Back)
		saver.Stop()
		eventually(t, "nobody", func() bool { return !l.Hears(session.Locked) })
	}
}

// TestForgedSignals: a process without the name is not heard, whomever it writes to.
func TestForgedSignals(t *testing.T) {
	bus := dbustest.Start(t, "")
	login := bus.StartLogind()
	login.AddSession("c1", me, "user", "x11")
	saver := bus.StartSaver("org.gnome.ScreenSaver", "/org/gnome/ScreenSaver")
	l := listen(t, bus)
	l.hears(session.Sleeping)
	l.knows("org.gnome.ScreenSaver")
	saver.Activate(true)
	l.wants(session.Locked)
	login.SetLocked("c1", true)
	l.wants(session.Locked)
	for path, signal := range map[string]string{
		"/org/gnome/ScreenSaver":             "org.gnome.ScreenSaver.ActiveChanged",
		"/org/mate/ScreenSaver":              "org.mate.ScreenSaver.ActiveChanged",
		"/org/freedesktop/login1":            "org.freedesktop.login1.Manager.PrepareForSleep",
		"/org/freedesktop/login1/session/c1": "org.freedesktop.login1.Session.Unlock",
	} {
		bus.Forge(path, signal, false)
		bus.Forge(path, signal, true)
		bus.Forge(path, signal, false)
	}
	saver.Activate(false) // so that all that was forged has been read by now
	login.SetLocked("c1", false)
	l.wants(session.Back)
}

// TestStatesAreNoEvents: what was so before is told by nobody, and what a process
// before this one knew is not forgotten.
func TestStatesAreNoEvents(t *testing.T) {
	bus := dbustest.Start(t, "")
	login := bus.StartLogind()
	login.AddSession("c1", me, "user", "x11")
	login.SetLocked("c1", true)
	saver := bus.StartSaver("org.xfce.ScreenSaver", "/org/xfce/ScreenSaver")
	saver.Activate(true)

	first := listen(t, bus)
	first.hears(session.Sleeping)
	first.knows("org.xfce.ScreenSaver")
	saver.Activate(false)
	login.SetLocked("c1", false)
	first.wants(session.Back)

	// Locked, and another process takes over; meanwhile the screen is unlocked.
	saver.Activate(true)
	login.SetLocked("c1", true)
	first.wants(session.Locked, session.Locked)
	held := first.Held()
	if len(held) != 2 {
		t.Fatalf("held by %q", held)
	}
	first.stop()
	still := listen(t, bus, held...)
	still.hears(session.Sleeping)
	still.stop()
	still.wants()
	saver.Activate(false)
	login.SetLocked("c1", false)
	listen(t, bus, held...).wants(session.Back)

	// Who asked for a lock that no locker did is waited for.
	waits := listen(t, bus, "asked")
	waits.hears(session.Sleeping)
	login.UnlockSession("c1")
	waits.wants(session.Back)

	// What nobody holds any more, and nobody acted on.
	owed := start(t, session.Config{Getenv: bus.Getenv, Owed: true})
	owed.wants(session.Back)
	owed.stop()
	login.SetLocked("c1", true)
	owes := start(t, session.Config{Getenv: bus.Getenv, Owed: true})
	owes.hears(session.Sleeping)
	owes.knows("org.xfce.ScreenSaver")
	owes.wants()
	login.SetLocked("c1", false)
	owes.wants(session.Back)
	owes.stop()

	// A session that is gone holds nothing, and says nothing.
	gone := listen(t, bus, "session c9", "sleep")
	gone.wants(session.Woken, session.Back)
}

// TestLogindRestarts: what changed meanwhile is found.
func TestLogindRestarts(t *testing.T) {
	bus := dbustest.Start(t, "")
	login := bus.StartLogind()
	login.AddSession("c1", me, "user", "x11")
	l := listen(t, bus)
	l.hears(session.Sleeping)
	login.Stop()
	eventually(t, "nobody", func() bool { return !l.Hears(session.Sleeping) })
	login = bus.StartLogind()
	l.wants(session.Ended) // it knows no sessions now
	login.AddSession("c1", me, "user", "x11")
	l.knows("session c1")
	login.SetLocked("c1", true)
	l.wants(session.Locked)
	login.Sleep(true)
	l.wants(session.Sleeping)
}

// place is the environment of a bus without the name of the one that listens there
// now: another will.
func place(bus *dbustest.Bus) func(string) string {
	return func(name string) string {
		value := bus.Getenv(name)
		if strings.HasSuffix(name, "_BUS_ADDRESS") {
			value, _, _ = strings.Cut(value, ",")
		}
		return value
	}
}

// TestBusComesBack: a bus that is lost is found again by itself, and what changed
// meanwhile is told.
func TestBusComesBack(t *testing.T) {
	bus := dbustest.Start(t, "")
	login := bus.StartLogind()
	login.AddSession("c1", me, "user", "x11")
	l := start(t, session.Config{Getenv: place(bus)})
	l.hears(session.Sleeping)
	bus.Stop()
	eventually(t, "nobody to be heard", func() bool { return !l.Hears(session.Sleeping) })
	bus.Restart("bus")
	login = bus.StartLogind()
	login.AddSession("c1", me, "user", "x11")
	login.SetLocked("c1", true)
	l.wants(session.Locked)
}

// TestNoBusYet: one that never was is looked for when the daemon is used.
func TestNoBusYet(t *testing.T) {
	bus := dbustest.Start(t, "")
	environ := place(bus)
	at := map[string]string{"DBUS_SYSTEM_BUS_ADDRESS": environ("DBUS_SYSTEM_BUS_ADDRESS"), "DBUS_SESSION_BUS_ADDRESS": environ("DBUS_SESSION_BUS_ADDRESS")}
	bus.Stop()
	l := start(t, session.Config{Getenv: func(name string) string { return at[name] }})
	eventually(t, "the vain look", func() bool { return l.Deaf(session.Locked) })
	bus.Restart("bus")
	saver := bus.StartSaver("org.cinnamon.ScreenSaver", "/org/cinnamon/ScreenSaver")
	eventually(t, "the saver to be heard", func() bool {
		l.Nudge()
		return l.Hears(session.Locked)
	})
	l.knows("org.cinnamon.ScreenSaver")
	saver.Activate(true)
	l.wants(session.Locked)
}

// TestBusThatIsSilent: one that accepts and never answers holds up nothing.
func TestBusThatIsSilent(t *testing.T) {
	bus := dbustest.Start(t, "")
	l := listen(t, bus)
	eventually(t, "the first look", func() bool { return l.Deaf(session.Locked) })
	bus.Freeze()
	defer bus.Thaw()
	l.stop()
	silent := start(t, session.Config{Getenv: bus.Getenv, Owed: true})
	silent.wants(session.Back) // nobody is known who holds anything
	silent.stop()
}
