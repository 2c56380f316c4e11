//go:build linux

package dbus_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/o2fa/o2fa/internal/dbus"
	"github.com/o2fa/o2fa/internal/dbus/dbustest"
)

const dbusNames = dbus.BusName + ".ListNames"

func TestSessionAddress(t *testing.T) {
	b := dbustest.Start(t, "")
	run, empty := b.Getenv("XDG_RUNTIME_DIR"), t.TempDir()
	for _, c := range []struct{ variable, dir, want string }{
		{"unix:path=/somewhere", run, "unix:path=/somewhere"},
		{"", run, "unix:path=" + run + "/bus"},
		{"autolaunch:", run, "unix:path=" + run + "/bus"},
		{"", empty, ""},
		{"autolaunch:", empty, ""},
		{"autolaunch:scope=x", empty, ""},
	} {
		got, err := dbus.SessionAddress(func(name string) string {
			return map[string]string{"DBUS_SESSION_BUS_ADDRESS": c.variable, "XDG_RUNTIME_DIR": c.dir}[name]
		})
		if got != c.want || (c.want == "") != errors.Is(err, dbus.ErrNoBus) {
			t.Errorf("%q in %s: %q, %v, want %q", c.variable, c.dir, got, err, c.want)
		}
	}
}

// TestSessionAddressEscapes: the path of a socket may hold what separates an
// address.
func TestSessionAddressEscapes(t *testing.T) {
	dir, err := os.MkdirTemp("", "o2fa a,b;é%")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	listener, err := net.Listen("unix", filepath.Join(dir, "bus"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	address, err := dbus.SessionAddress(func(name string) string { return map[string]string{"XDG_RUNTIME_DIR": dir}[name] })
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if conn, err := listener.Accept(); err == nil {
			conn.Close()
		}
	}()
	if _, err := dbus.Dial(t.Context(), address); !errors.Is(err, dbus.ErrNoBus) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want the connection that was closed", err)
	}
}

func TestCalls(t *testing.T) {
	b := dbustest.Start(t, "")
	conn := dial(t, b.Address)
	var names []string
	if err := conn.Bus().Call(t.Context(), dbusNames).Store(&names); err != nil || len(names) < 2 {
		t.Errorf("%v, %v", names, err)
	}
	var features []string
	if err := conn.Bus().Property(t.Context(), dbus.BusName, "Features", &features); err != nil {
		t.Error(err)
	}
	if err := conn.Bus().Property(t.Context(), dbus.BusName, "Features", new(int)); err == nil {
		t.Error("a property of another type was stored")
	}
	if err := conn.Object("org.example.None", "/").Call(t.Context(), "org.example.None.Do").Store(); !errors.Is(err, dbus.ErrNoService) {
		t.Errorf("%v, want ErrNoService", err)
	}
	err := conn.Bus().Call(t.Context(), dbus.BusName+".Nonsense").Store()
	if err == nil || errors.Is(err, dbus.ErrNoService) || errors.Is(err, dbus.ErrNoBus) {
		t.Errorf("an unknown method: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := conn.Bus().Call(ctx, dbusNames).Store(); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want canceled", err)
	}
}

func TestCallEndsWithItsContext(t *testing.T) {
	b := dbustest.Start(t, "")
	conn := dial(t, b.Address)
	b.Freeze()
	defer b.Thaw()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := conn.Bus().Call(ctx, dbusNames).Store(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("call: %v, want deadline exceeded", err)
	}
	if _, err := conn.Signals(ctx, dbus.Match{Sender: dbus.BusName, Interface: dbus.BusName}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("signals: %v, want deadline exceeded", err)
	}
}

func TestBusEnds(t *testing.T) {
	b := dbustest.Start(t, "")
	conn := dial(t, b.Address)
	signals, err := conn.Signals(t.Context(), dbus.Match{Sender: dbus.BusName, Interface: dbus.BusName})
	if err != nil {
		t.Fatal(err)
	}
	b.Stop()
	for range signals { // ends when the connection does
	}
	if err := conn.Bus().Call(t.Context(), dbusNames).Store(); !errors.Is(err, dbus.ErrNoBus) {
		t.Errorf("call: %v, want ErrNoBus", err)
	}
	if _, err := dbus.Dial(t.Context(), b.Address); !errors.Is(err, dbus.ErrNoBus) {
		t.Errorf("dial: %v, want ErrNoBus", err)
	}
	if _, err := dbus.Shared(b.Address); !errors.Is(err, dbus.ErrNoBus) {
		t.Errorf("shared: %v, want ErrNoBus", err)
	}
}

// TestDialSilentBus: a socket that accepts and says nothing, or nonsense.
func TestDialSilentBus(t *testing.T) {
	before := runtime.NumGoroutine()
	path := filepath.Join(t.TempDir(), "bus")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if _, err := dbus.Dial(ctx, "unix:path="+path); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want deadline exceeded", err)
		}
		cancel()
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.0 400 Bad Request\r\n\r\n"))
			conn.Close()
		}
	}()
	if _, err := dbus.Dial(t.Context(), "unix:path="+path); !errors.Is(err, dbus.ErrNoBus) {
		t.Errorf("%v, want ErrNoBus", err)
	}
	listener.Close()
	dbustest.Eventually(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

// TestConnLeavesNothing: goroutines end with their connections, and the context
// that opened one does not end it.
func TestConnLeavesNothing(t *testing.T) {
	b := dbustest.Start(t, "")
	before := runtime.NumGoroutine()
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		conn, err := dbus.Dial(ctx, b.Address)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := conn.Bus().Call(t.Context(), dbusNames).Store(new([]string)); err != nil {
			t.Errorf("the connection ended with the context: %v", err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	dbustest.Eventually(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

// TestSharedGoesWhereItIsTold: also from one bus to another.
func TestSharedGoesWhereItIsTold(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 2 {
		b := dbustest.Start(t, "")
		closeShared, err := dbus.Shared(b.Address)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		if err := dial(t, b.Address).Bus().Call(t.Context(), dbusNames).Store(&names); err != nil {
			t.Fatal(err)
		}
		if len(names) != 3 { // the bus, the shared connection, the one that asks
			t.Errorf("on the bus: %v", names)
		}
		closeShared()
		closeShared() // twice is harmless
		b.Stop()
	}
	dbustest.Eventually(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
	if _, err := dbus.Shared(""); err == nil {
		t.Error("an empty address was taken: godbus would look for one")
	}
}

// dial connects to address until the test ends.
func dial(t *testing.T, address string) *dbus.Conn {
	t.Helper()
	conn, err := dbus.Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}
