package o2fa_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/o2fa/o2fa/internal/dbus/dbustest"
	"github.com/o2fa/o2fa/ipc"
)

// The vault is locked while the keyring asks. The dialog stays the only one, whoever
// answers it late opens the keyring and not the vault, and the keyring, which takes
// it ill when who asks goes away, has nothing to complain of.
func TestKeyringLockDuringDialog(t *testing.T) {
	d := newKeyringDesk(t, true)
	d.bus.LockKeyring()
	pid := d.waitState(ipc.StateWaiting).PID
	dbustest.WaitWindow(t, d.display, prompter, true)
	for range 3 {
		d.lockInTime(pid)
		d.oneDialog()
		c := d.begin("", "unlock")
		d.waitState(ipc.StateWaiting)
		d.lockInTime(pid)
		if e := <-c.done; e.code != 5 {
			t.Errorf("locked meanwhile: %+v", e)
		}
	}
	d.oneDialog()
	dbustest.Type(t, d.display, prompter, dbustest.Password)
	dbustest.WaitWindow(t, d.display, prompter, false)
	if d.bus.KeyringLocked() {
		t.Error("the keyring is locked")
	}
	d.fails(5, []string{"code", "github"}, "the vault is locked")
	d.must("unlock")
	d.code()

	d.must("lock") // another image now, in which the key never was
	d.bus.LockKeyring()
	c := d.begin("", "unlock")
	dbustest.WaitWindow(t, d.display, prompter, true)
	d.lockInTime(pid)
	if e := <-c.done; e.code != 5 {
		t.Errorf("locked meanwhile: %+v", e)
	}
	c = d.begin("", "unlock") // waits for the dialog that is there
	d.waitState(ipc.StateWaiting)
	dbustest.Type(t, d.display, prompter, dbustest.Password)
	if e := <-c.done; e.code != 0 {
		t.Errorf("%+v", e)
	}
	d.code()
	d.bus.KeyringIsContent()
}

// lockInTime locks the vault of the daemon pid, which does not wait for a person.
func (d *desk) lockInTime(pid int) {
	d.t.Helper()
	began := time.Now()
	d.must("lock")
	if took := time.Since(began); took > patience/2 {
		d.t.Errorf("the lock took %v", took)
	}
	if s := d.status(); s.State != ipc.StateLocked || s.LockedBy != ipc.LockAsked || s.PID != pid {
		d.t.Errorf("%s by %q, pid %d, want %d", s.State, s.LockedBy, s.PID, pid)
	}
}

// A passphrase was typed beside the dialog: the lock takes the key out of the
// process, although the dialog is open.
func TestKeyringLockBesideAPassphrase(t *testing.T) {
	d := newKeyringDesk(t, true)
	d.passphrase("correct horse")
	d.must("key", "add", "passphrase")
	d.stop()
	file := d.env["O2FA_PASSPHRASE_FILE"]
	d.env["O2FA_PASSPHRASE_FILE"] = ""
	d.bus.LockKeyring()
	pid := d.waitState(ipc.StateWaiting).PID
	if images := d.images(); images != 0 {
		t.Errorf("%d images were replaced", images)
	}
	d.lockInTime(pid)
	if images := d.images(); images != 0 {
		t.Errorf("%d images were replaced, and none had a key", images)
	}
	c := d.begin("", "unlock", "--no-input")
	d.waitState(ipc.StateWaiting)
	d.env["O2FA_PASSPHRASE_FILE"] = file
	d.must("unlock")
	<-c.done
	d.code()
	d.oneDialog()
	d.lockInTime(pid)
	if images := d.images(); images != 1 {
		t.Errorf("%d images were replaced, want the one with the key", images)
	}
	d.env["O2FA_PASSPHRASE_FILE"] = ""
	dbustest.Type(t, d.display, prompter, dbustest.Password)
	dbustest.WaitWindow(t, d.display, prompter, false)
	d.fails(5, []string{"code", "github", "--no-input"}, "the vault is locked")
	if d.bus.KeyringLocked() {
		t.Error("the keyring is locked")
	}
	d.must("unlock")
	d.code()
}

// images is how many images of the daemon's process were replaced.
func (d *desk) images() int {
	d.t.Helper()
	log, err := os.ReadFile(filepath.Join(d.dir, "o2fad.log"))
	if err != nil {
		d.t.Fatal(err)
	}
	from := max(bytes.LastIndex(log, []byte("msg=stopped")), 0)
	return bytes.Count(log[from:], []byte("executing anew"))
}

// A desktop that was lent is there after a lock too, for whoever asks, from
// wherever.
func TestKeyringLockKeepsTheDesktop(t *testing.T) {
	d := newKeyringDesk(t, true)
	bus, display := d.getenv("DBUS_SESSION_BUS_ADDRESS"), d.getenv("DISPLAY")
	sit := func(bus, display string) { d.env["DBUS_SESSION_BUS_ADDRESS"], d.env["DISPLAY"] = bus, display }
	sit("", "")
	d.env["XDG_RUNTIME_DIR"] = t.TempDir() // which may have a bus too
	d.fails(5, []string{"unlock"}, "no session bus")
	pid := d.pid()
	sit(bus, display)
	d.must("unlock")
	d.code()
	sit("", "")
	for range 2 { // from one image to the next, and from that to another
		d.lockInTime(pid)
		d.must("unlock")
		d.code()
	}
	d.lockInTime(pid)
	d.bus.LockKeyring()
	c := d.begin("", "unlock")
	dbustest.WaitWindow(t, d.display, prompter, true)
	dbustest.Type(t, d.display, prompter, dbustest.Password)
	if e := <-c.done; e.code != 0 {
		t.Errorf("%+v", e)
	}
	d.code()
	if d.pid() != pid {
		t.Errorf("the daemon is %d, and was %d", d.pid(), pid)
	}
}
