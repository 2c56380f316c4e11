package daemon_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/o2fa/o2fa/internal/dbus/dbustest"
	"github.com/o2fa/o2fa/ipc"
)

// The keyring is looked at in each state that a real one can be in, and no dialog
// is shown though there is a display for it.
func TestDoctorOfTheKeyring(t *testing.T) {
	display := dbustest.StartDisplay(t)
	bus := dbustest.Start(t, display)
	d := onBus(t, bus.Getenv)
	d.Start(t)
	e := examine(t, d)
	if c := e.has(ipc.CheckWarn, "keyring", "no keyring answers here"); c.Hint == "" {
		t.Errorf("%+v", c)
	}
	bus.StartKeyring()
	examine(t, d).has(ipc.CheckOK, "keyring", "it answers, and is unlocked")
	d.Add(t, rfcSecret, "github")
	examine(t, d).has(ipc.CheckOK, "keyring", "it answers, is unlocked, and has the key")

	bus.LockKeyring()
	// The vault is open, so that is no failure yet.
	examine(t, d).has(ipc.CheckWarn, "keyring", "it will ask for its password")
	must[ipc.Status](t)(d.Client.Lock(t.Context()))
	examine(t, d).has(ipc.CheckFail, "keyring", "it will ask for its password")
	if !bus.KeyringLocked() {
		t.Error("the look has unlocked the keyring")
	}
	if s := must[ipc.Status](t)(d.Client.Status(t.Context())); s.State != ipc.StateLocked {
		t.Errorf("a dialog is shown: %s", s.State)
	}
	bus.UnlockKeyring()
	examine(t, d).has(ipc.CheckOK, "keyring", "has the key")

	// A user has reset the keyring.
	bus.KillKeyring()
	forgetKeyring(t, bus)
	bus.StartKeyring()
	if c := examine(t, d).has(ipc.CheckFail, "keyring", "no item"); c.Hint != "o2fa unlock, with another key slot" {
		t.Errorf("%+v", c)
	}
	bus.FreezeKeyring()
	examine(t, d).has(ipc.CheckFail, "keyring", "")
	bus.ThawKeyring()
	bus.KillKeyring()
	examine(t, d).has(ipc.CheckFail, "keyring", "no keyring answers here")
}

// forgetKeyring removes the files of a keyring that does not run.
func forgetKeyring(t *testing.T, bus *dbustest.Bus) {
	t.Helper()
	home := bus.Getenv("HOME")
	n := 0
	err := filepath.WalkDir(home, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".keyring" {
			n++
			err = os.Remove(path)
		}
		return err
	})
	if err != nil || n == 0 {
		t.Fatalf("%d keyrings, %v", n, err)
	}
}

func TestDoctorOfTheTimeService(t *testing.T) {
	for set, want := range map[bool]ipc.CheckStatus{true: ipc.CheckOK, false: ipc.CheckWarn} {
		bus := dbustest.Start(t, "")
		bus.StartTimedate(set)
		d := onBus(t, func(name string) string {
			if name == "DBUS_SYSTEM_BUS_ADDRESS" {
				return bus.Address
			}
			return bus.Getenv(name)
		})
		d.Start(t)
		if c := examine(t, d).has(want, "time service", "(timedatectl)"); set == (c.Hint != "") {
			t.Errorf("%+v", c)
		}
		d.Stop(t)
	}
	// Without the service the kernel is asked.
	d := onBus(t, func(name string) string {
		if name == "DBUS_SYSTEM_BUS_ADDRESS" {
			return "unix:path=/nonexistent"
		}
		return ""
	})
	d.Start(t)
	for _, c := range examine(t, d).checks {
		if c.Name == "time service" {
			examined{t, []ipc.Check{c}}.has(c.Status, "time service", "(the kernel)")
		}
	}
}
