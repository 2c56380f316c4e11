//go:build linux

package dbustest

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"github.com/o2fa/o2fa/internal/dbus"
)

const (
	dbusmock  = "/usr/lib/python3/dist-packages/dbusmock/__init__.py"
	mockIface = "org.freedesktop.DBus.Mock"
	loginName = "org.freedesktop.login1"
	loginPath = dbus.Path("/org/freedesktop/login1")
	manager   = loginName + ".Manager"
)

// Mock is a service of the desktop that does what a test says, by python-dbusmock.
type Mock struct {
	bus     *Bus
	process *process
	name    string
	path    dbus.Path
}

// StartLogind starts a logind on the bus, which is the system bus of Environ, too.
// It has no sessions.
func (b *Bus) StartLogind() *Mock {
	b.tb.Helper()
	return b.startMock(loginName, loginPath, "--template", "logind")
}

// StartSaver starts a screen saver: its name, which is that of its interface, too,
// and the path of its object. It is not active.
func (b *Bus) StartSaver(name, path string) *Mock {
	b.tb.Helper()
	m := b.startMock(name, dbus.Path(path), "--session", name, path, name)
	m.setActive(false)
	return m
}

func (b *Bus) startMock(name string, path dbus.Path, args ...string) *Mock {
	b.tb.Helper()
	if _, err := os.Stat(dbusmock); err != nil {
		missing(b.tb, dbusmock, "python3-dbusmock")
	}
	// Not the python3 that is first on PATH: the module is Debian's.
	cmd := exec.Command("/usr/bin/python3", append([]string{"-m", "dbusmock"}, args...)...)
	cmd.Env = b.Environ()
	m := &Mock{bus: b, process: start(b.tb, cmd), name: name, path: path}
	b.mocks = append(b.mocks, m)
	Eventually(b.tb, name, func() (there bool) {
		b.with(func(ctx context.Context, conn *dbus.Conn) error {
			_, err := conn.Owner(ctx, name)
			there = err == nil
			return nil
		})
		select {
		case <-m.process.done:
			b.tb.Fatalf("dbusmock ended: %s", m.process.output())
		default:
		}
		return there
	})
	return m
}

// Stop ends the service; its name has no owner then.
func (m *Mock) Stop() { m.process.kill() }

// call calls a method of an object of the service.
func (m *Mock) call(path dbus.Path, method string, args ...any) {
	m.bus.tb.Helper()
	m.bus.with(func(ctx context.Context, conn *dbus.Conn) error {
		return conn.Object(m.name, path).Call(ctx, method, args...).Store()
	})
}

// emit makes the service emit a signal.
func (m *Mock) emit(path dbus.Path, iface, name, signature string, args ...any) {
	m.bus.tb.Helper()
	list := make([]dbus.Variant, len(args))
	for i, arg := range args {
		list[i] = dbus.MakeVariant(arg)
	}
	m.call(path, mockIface+".EmitSignal", iface, name, signature, list)
}

// Activate makes a screen saver active, or ends that.
func (m *Mock) Activate(active bool) {
	m.bus.tb.Helper()
	m.setActive(active)
	m.emit(m.path, m.name, "ActiveChanged", "b", active)
}

func (m *Mock) setActive(active bool) {
	m.bus.tb.Helper()
	value := map[bool]string{true: "True", false: "False"}[active]
	m.call(m.path, mockIface+".AddMethod", m.name, "GetActive", "", "b", "ret = "+value)
}

// session is the path of a session of logind.
func session(id string) dbus.Path { return loginPath + "/session/" + dbus.Path(id) }

// AddSession makes logind tell of a session of a user, of a class (user,
// background …) and of a type (x11, tty …).
func (m *Mock) AddSession(id string, uid int, class, kind string) {
	m.bus.tb.Helper()
	m.bus.with(func(ctx context.Context, conn *dbus.Conn) error {
		var path string
		return conn.Object(loginName, loginPath).Call(ctx, mockIface+".AddSession", id, "seat0", uint32(uid), fmt.Sprint("user", uid), true).Store(&path)
	})
	m.update(session(id), loginName+".Session", map[string]any{"Class": class, "Type": kind})
	m.emit(loginPath, manager, "SessionNew", "so", id, session(id))
}

// RemoveSession ends a session.
func (m *Mock) RemoveSession(id string) {
	m.bus.tb.Helper()
	m.call(loginPath, mockIface+".RemoveObject", string(session(id)))
	m.emit(loginPath, manager, "SessionRemoved", "so", id, session(id))
}

// LockSession asks for the lock of a session's screen, as loginctl lock-session does.
func (m *Mock) LockSession(id string) { m.call(session(id), loginName+".Session.Lock") }

// UnlockSession is the counterpart of LockSession.
func (m *Mock) UnlockSession(id string) { m.call(session(id), loginName+".Session.Unlock") }

// SetLocked says that a session's screen is locked, or is not, as a locker does.
func (m *Mock) SetLocked(id string, locked bool) {
	m.call(session(id), loginName+".Session.SetLockedHint", locked)
}

// Sleep announces that the machine goes to sleep, or is awake again.
func (m *Mock) Sleep(begins bool) {
	m.bus.tb.Helper()
	m.update(loginPath, manager, map[string]any{"PreparingForSleep": begins})
	m.emit(loginPath, manager, "PrepareForSleep", "b", begins)
}

func (m *Mock) update(path dbus.Path, iface string, values map[string]any) {
	m.bus.tb.Helper()
	properties := map[string]dbus.Variant{}
	for name, value := range values {
		properties[name] = dbus.MakeVariant(value)
	}
	m.call(path, mockIface+".UpdateProperties", iface, properties)
}

// Inhibitors returns what keeps the machine from sleeping at once: what, who, why
// and mode of each, as systemd-inhibit lists it.
func (m *Mock) Inhibitors() (list [][4]string) {
	m.bus.tb.Helper()
	var all []struct {
		What, Who, Why, Mode string
		UID, PID             uint32
	}
	m.bus.with(func(ctx context.Context, conn *dbus.Conn) error {
		return conn.Object(loginName, loginPath).Call(ctx, manager+".ListInhibitors").Store(&all)
	})
	for _, i := range all {
		list = append(list, [4]string{i.What, i.Who, i.Why, i.Mode})
	}
	return list
}

// Forge sends a signal with one boolean as somebody who has no name: to all who
// listen, and to each connection alone, which nobody has to listen for.
func (b *Bus) Forge(path, signal string, value bool) {
	b.tb.Helper()
	Need(b.tb, "dbus-send", "dbus")
	var names []string
	b.with(func(ctx context.Context, conn *dbus.Conn) error {
		return conn.Bus().Call(ctx, dbus.BusName+".ListNames").Store(&names)
	})
	for _, to := range append([]string{""}, names...) {
		args := []string{"--bus=" + b.Address, "--type=signal", path, signal, fmt.Sprint("boolean:", value)}
		switch {
		case to == dbus.BusName:
			continue
		case to != "":
			args = append([]string{"--dest=" + to}, args...)
		}
		cmd := exec.Command("dbus-send", args...)
		cmd.Env = b.Environ()
		if out, err := cmd.CombinedOutput(); err != nil {
			b.tb.Fatalf("dbus-send: %v: %s", err, out)
		}
	}
}
