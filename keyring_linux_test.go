package o2fa_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/internal/dbus/dbustest"
	"github.com/o2fa/o2fa/ipc"
)

// prompter is the class of the windows of gnome-keyring's dialog.
const prompter = "gcr-prompter"

// keyringTries is how often what fails is tried where nothing may pile up.
const keyringTries = 100

// newKeyringDesk returns a desk with a real gnome-keyring, which holds the key of
// a vault with an entry. No daemon runs.
func newKeyringDesk(t *testing.T, display bool) *desk {
	t.Helper()
	d := newDesk(t, display)
	d.bus.StartKeyring()
	d.add()
	if s := d.status(); len(s.Vault.Slots) != 1 || s.Vault.Slots[0].Type != "keyring" {
		t.Fatalf("%+v", s.Vault)
	}
	d.stop()
	return d
}

// The keyring is locked, and there is a display: its dialog appears once, every
// command has its answer meanwhile, and the vault opens when it is answered.
func TestKeyringLockedOnDisplay(t *testing.T) {
	d := newKeyringDesk(t, true)
	d.bus.LockKeyring()
	asks := "waiting for the login keyring's password, in the dialog on display " + d.display
	hint := "o2fa: hint: answer the dialog, and the vault opens by itself"
	d.fails(5, []string{"code", "github"}, "o2fa: error: "+asks, hint)
	if out := d.must("status"); !strings.Contains(out, "\nState: "+asks+"\n  Hint: answer the dialog") || !strings.Contains(out, "\nOpened by: keyring\n") {
		t.Errorf("status says\n%s", out)
	}
	if s := d.status(); s.State != ipc.StateWaiting || s.Problem == nil || s.Problem.Code != ipc.CodeWaiting {
		t.Errorf("%s, %+v", s.State, s.Problem)
	}
	dbustest.WaitWindow(t, d.display, prompter, true)
	d.pilesUp(func() {
		d.fails(5, []string{"code", "github"}, asks)
		d.fails(5, []string{"unlock"}, asks)
	})
	d.oneDialog()

	size := dbustest.Size(t, d.display, prompter)
	dbustest.Type(t, d.display, prompter, "not the password")
	dbustest.WaitResize(t, d.display, prompter, size) // it says that this is wrong
	d.oneDialog()
	d.fails(5, []string{"code", "github"}, asks)
	dbustest.Type(t, d.display, prompter, dbustest.Password)
	d.waitState(ipc.StateReady)
	d.code()
}

// oneDialog checks that the keyring asks, in one window.
func (d *desk) oneDialog() {
	d.t.Helper()
	dbustest.WaitWindow(d.t, d.display, prompter, true)
	if n := len(dbustest.Windows(d.t, d.display, prompter)); n != 1 {
		d.t.Errorf("%d dialogs", n)
	}
}

// The dialog is cancelled, or answered when nobody waits for it any more.
func TestKeyringDialogCancelled(t *testing.T) {
	d := newKeyringDesk(t, true)
	d.bus.LockKeyring()
	d.waitState(ipc.StateWaiting)
	dbustest.WaitWindow(t, d.display, prompter, true)
	dbustest.Press(t, d.display, "Escape")
	s := d.waitState(ipc.StateLocked)
	if s.Problem == nil || !strings.Contains(s.Problem.Message, "its dialog was dismissed") || s.Problem.Hint != "start or unlock the OS keyring, then o2fa unlock" {
		t.Errorf("%+v", s.Problem)
	}
	d.fails(5, []string{"code", "github"}, "its dialog was dismissed", "o2fa: hint: start or unlock the OS keyring, then o2fa unlock")
	dbustest.WaitWindow(t, d.display, prompter, false)

	c := d.begin("", "unlock") // shows it again, and waits
	dbustest.WaitWindow(t, d.display, prompter, true)
	if err := c.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if e := <-c.done; e != (ending{-1, "", ""}) { // the system's own way
		t.Errorf("interrupted: %+v", e)
	}
	d.waitState(ipc.StateLocked)
	dbustest.Type(t, d.display, prompter, dbustest.Password)
	d.waitState(ipc.StateReady)

	d.must("lock")
	d.bus.LockKeyring()
	c = d.begin("", "unlock")
	dbustest.WaitWindow(t, d.display, prompter, true)
	d.must("lock") // whoever locks it meanwhile means that
	if e := <-c.done; e.code != 5 {
		t.Errorf("locked meanwhile: %+v", e)
	}
	dbustest.Type(t, d.display, prompter, dbustest.Password)
	dbustest.Eventually(t, "the keyring to be unlocked", func() bool { return !d.bus.KeyringLocked() })
	d.fails(5, []string{"code", "github"}, "the vault is locked")
	d.must("unlock")
	d.code()
}

// Whoever types what opens the vault need not answer the dialog.
func TestKeyringDialogBesideAPassphrase(t *testing.T) {
	d := newKeyringDesk(t, true)
	d.passphrase("correct horse")
	d.must("key", "add", "passphrase")
	d.stop()
	file := d.env["O2FA_PASSPHRASE_FILE"]
	d.env["O2FA_PASSPHRASE_FILE"] = ""
	d.bus.LockKeyring()
	d.fails(5, []string{"code", "github", "--no-input"}, "waiting for", "o2fa: hint: answer the dialog", "o2fa: hint: o2fa unlock, with the passphrase")
	d.env["O2FA_PASSPHRASE_FILE"] = file
	d.must("unlock")
	d.code()
	d.oneDialog() // it stays: gnome-keyring does not survive that it is taken away
	dbustest.Type(t, d.display, prompter, dbustest.Password)
	dbustest.WaitWindow(t, d.display, prompter, false)
	d.code()
}

// passphrase puts a passphrase into a file that the commands of d read.
func (d *desk) passphrase(text string) {
	d.t.Helper()
	path := filepath.Join(d.t.TempDir(), "passphrase")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		d.t.Fatal(err)
	}
	d.env["O2FA_PASSPHRASE_FILE"] = path
}

// Without a display the answer comes at once; who comes from one later lends it.
func TestKeyringLockedWithoutDisplay(t *testing.T) {
	d := newKeyringDesk(t, true)
	d.env["DISPLAY"] = ""
	d.bus.LockKeyring()
	texts := []string{"keyring is locked, and there is no display to ask for its password on", "o2fa: hint: start or unlock the OS keyring, then o2fa unlock"}
	d.pilesUp(func() {
		d.fails(5, []string{"code", "github"}, texts...)
		d.fails(5, []string{"unlock"}, texts...)
	})
	if n := len(dbustest.Windows(t, d.display, prompter)); n != 0 {
		t.Errorf("%d dialogs", n)
	}
	delete(d.env, "DISPLAY") // the next command is given on the desktop
	c := d.begin("", "unlock")
	dbustest.Type(t, d.display, prompter, dbustest.Password)
	if e := <-c.done; e.code != 0 {
		t.Errorf("%+v", e)
	}
	d.code()
}

// pilesUp does 100 times what fails, and checks that nothing of it stays: no
// process, descriptor or thread. (The goroutines of the keyring's part are counted
// by its own tests.)
func (d *desk) pilesUp(do func()) {
	d.t.Helper()
	for range 3 { // what is made once
		do()
	}
	processes := len(d.bus.Processes())
	descriptors, threads := d.weight()
	for range keyringTries {
		do()
		if d.t.Failed() {
			return
		}
	}
	var now string
	dbustest.Eventually(d.t, "what was tried to leave nothing behind", func() bool {
		fds, tasks := d.weight()
		now = fmt.Sprintf("%d processes, %d descriptors, %d threads", len(d.bus.Processes()), fds, tasks)
		// Go starts a thread where others are in the system, and ends none.
		return len(d.bus.Processes()) <= processes && fds <= descriptors && tasks <= threads+4
	})
	d.t.Logf("%d processes, %d descriptors, %d threads; after %d tries %s", processes, descriptors, threads, keyringTries, now)
}

// There is a bus, and no keyring on it.
func TestKeyringServiceMissing(t *testing.T) {
	d := newKeyringDesk(t, false)
	d.bus.KillKeyring()
	texts := []string{"no keyring answers here: no secret service (install and start gnome-keyring or KWallet",
		"o2fa: hint: start or unlock the OS keyring, then o2fa unlock"}
	d.pilesUp(func() {
		d.fails(5, []string{"code", "github"}, texts...)
		d.fails(5, []string{"unlock"}, texts...)
	})
	d.bus.StartKeyring()
	d.must("unlock")
	d.code()
	d.bus.KillKeyring() // what is open needs it no more
	d.code()
}

// There is no bus. None is started, though dbus-launch is there.
func TestKeyringBusMissing(t *testing.T) {
	d := newKeyringDesk(t, false)
	mark := filepath.Join(t.TempDir(), "dbus-launch")
	if err := os.WriteFile(mark, []byte("#!/bin/sh\n: > "+mark+".ran\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	d.env["PATH"] = filepath.Dir(mark) + ":" + os.Getenv("PATH")
	d.env["DBUS_SESSION_BUS_ADDRESS"], d.env["XDG_RUNTIME_DIR"] = "", t.TempDir()
	d.fails(5, []string{"code", "github"}, "no keyring answers here: no session bus: DBUS_SESSION_BUS_ADDRESS is not set",
		"o2fa: hint: start or unlock the OS keyring, then o2fa unlock")
	d.pilesUp(func() { d.fails(5, []string{"unlock"}, "no session bus") })
	if _, err := os.Stat(mark + ".ran"); err == nil {
		t.Error("dbus-launch was run")
	}
}

// The bus ends while the daemon runs, and comes back under the same address, and
// then under another one, which the daemon learns from who asks.
func TestKeyringBusEnds(t *testing.T) {
	d := newKeyringDesk(t, false)
	d.code()
	pid := d.pid()
	d.bus.Restart("bus")
	d.code()
	d.must("lock")
	d.fails(5, []string{"unlock"}, "no keyring answers here")
	d.bus.StartKeyring()
	d.must("unlock")
	d.code()

	d.must("lock")
	d.bus.Restart("another")
	d.bus.StartKeyring()
	address := d.bus.Address
	d.env["DBUS_SESSION_BUS_ADDRESS"] = strings.Replace(address, "another", "bus", 1)
	d.fails(5, []string{"unlock"}, "no keyring answers here")
	d.env["DBUS_SESSION_BUS_ADDRESS"] = address
	d.must("unlock")
	d.code()
	if now := d.pid(); now != pid {
		t.Errorf("the daemon is %d, and was %d", now, pid)
	}
}

// The user resets the keyring, or deletes the item: the vault says what is left
// to open it by, and nothing is made over it.
func TestKeyringReset(t *testing.T) {
	for name, lose := range map[string]func(*dbustest.Bus){
		"files deleted": (*dbustest.Bus).ResetKeyring,
		"item deleted":  func(b *dbustest.Bus) { b.DeleteItems("o2fa") },
	} {
		t.Run(name, func(t *testing.T) {
			d := newKeyringDesk(t, false)
			id := d.status().Vault.ID
			d.stop()
			lose(d.bus)
			gone := "reading the keyring's item (service o2fa, username " + id + "): key is missing"
			texts := []string{gone, "no other key slot opens the vault", "put the key back from a backup", "to begin anew instead: o2fa reset"}
			d.untouched(func() {
				d.fails(5, []string{"code", "github"}, texts...)
				d.fails(5, []string{"unlock"}, texts[1:]...)
				d.fails(1, []string{"init"}, "this profile has a vault already")
				d.fails(5, []string{"add", rfcSecret, "other"}, texts...)
				d.pilesUp(func() { d.fails(5, []string{"unlock"}, gone) })
			})
			if out := d.must("status"); !strings.Contains(out, "Opened by: keyring (gone)") || !strings.Contains(out, "no other key slot") {
				t.Errorf("status says\n%s", out)
			}
		})
	}
}

// untouched checks that the vault is, byte for byte, what it was before do.
func (d *desk) untouched(do func()) {
	d.t.Helper()
	file := filepath.Join(d.dir, "vault.db")
	before, beforeErr := os.ReadFile(file)
	do()
	after, err := os.ReadFile(file)
	if (err == nil) != (beforeErr == nil) || !bytes.Equal(before, after) {
		d.t.Errorf("%s was changed: %d bytes, %d before, %v", file, len(after), len(before), err)
	}
}

// With other slots the vault opens by them, and gets its place in the keyring back.
func TestKeyringResetWithOtherSlots(t *testing.T) {
	d := newKeyringDesk(t, false)
	code := strings.TrimSpace(strings.SplitAfter(d.must("key", "add", "recovery"), "Recovery code: ")[1])
	code, _, _ = strings.Cut(code, "\n")
	d.passphrase("correct horse")
	d.must("key", "add", "passphrase")
	file := d.env["O2FA_PASSPHRASE_FILE"]
	d.env["O2FA_PASSPHRASE_FILE"] = ""
	d.stop()
	d.bus.ResetKeyring()
	d.fails(5, []string{"code", "github"}, "key is missing", "still there: the passphrase or the recovery code",
		"o2fa: hint: o2fa unlock, with the passphrase or the recovery code")
	d.passphrase(code)
	d.must("unlock")
	d.code()
	d.must("lock")
	d.env["O2FA_PASSPHRASE_FILE"] = file
	d.must("unlock")
	d.code()
	if out := d.must("status"); !strings.Contains(out, "Opened by: keyring (gone)") ||
		!strings.Contains(out, "Warning: the key in the OS keyring is gone: only the other key slots open the vault\n  Hint: o2fa key remove keyring, then o2fa key add keyring\n") {
		t.Errorf("status says\n%s", out)
	}
	d.must("key", "remove", "keyring", "--force")
	d.must("key", "add", "keyring")
	d.env["O2FA_PASSPHRASE_FILE"] = ""
	d.stop()
	d.code()
	if out := d.must("status"); strings.Contains(out, "gone") {
		t.Errorf("status says\n%s", out)
	}
}

// The vault goes to another profile, and back: the keyring knows it by its id, so
// it opens wherever it is. Where it was, nothing is made.
func TestKeyringVaultMoved(t *testing.T) {
	d := newKeyringDesk(t, false)
	here, there := d.dir, filepath.Join(t.TempDir(), "moved")
	d.move(filepath.Join(here, "vault.db"), filepath.Join(there, "vault.db"))
	d.untouched(func() {
		for range 3 {
			d.fails(1, []string{"code", "github"}, "vault.db is gone, but this profile has had the vault", "o2fa: hint: o2fa backup list, then o2fa backup restore NAME; or put a copy of vault.db back and run o2fa unlock; to begin anew instead: o2fa reset")
			d.fails(1, []string{"init"}, "is gone")
			d.fails(1, []string{"add", rfcSecret, "other"}, "is gone")
			d.fails(1, []string{"unlock"}, "is gone")
		}
	})
	if n := d.bus.Items("o2fa"); n != 1 {
		t.Errorf("the keyring has %d items", n)
	}
	d.dir = there
	d.code()
	d.stop()
	d.dir = here
	d.move(filepath.Join(there, "vault.db"), filepath.Join(here, "vault.db"))
	d.must("unlock")
	d.code()
}

// The vault goes to another machine, whose keyring does not know it.
func TestKeyringVaultOnAnotherMachine(t *testing.T) {
	old, d := newKeyringDesk(t, false), newDesk(t, false)
	d.bus.StartKeyring()
	d.move(filepath.Join(old.dir, "vault.db"), filepath.Join(d.dir, "vault.db"))
	d.untouched(func() {
		d.fails(5, []string{"code", "github"}, "key is missing", "no other key slot opens the vault", "put the key back from a backup")
		d.fails(1, []string{"init"}, "this profile has a vault already")
		d.fails(5, []string{"add", rfcSecret, "other"}, "key is missing")
	})
	if n := d.bus.Items("o2fa"); n != 0 {
		t.Errorf("the keyring has %d items", n)
	}
	d.stop()
	d.move(filepath.Join(d.dir, "vault.db"), filepath.Join(old.dir, "vault.db"))
	old.code()
}

// code checks that the vault is open: github has a code.
func (d *desk) code() {
	d.t.Helper()
	if out := d.must("code", "github"); len(out) != 7 {
		d.t.Errorf("the code is %q", out)
	}
}

// waitState waits until the daemon is in a state, and returns its status.
func (d *desk) waitState(want ipc.State) (s ipc.Status) {
	d.t.Helper()
	dbustest.Eventually(d.t, "the state "+string(want), func() bool {
		s = d.status()
		return s.State == want
	})
	return s
}

// pid is that of the daemon that runs.
func (d *desk) pid() int {
	d.t.Helper()
	pid := d.status().PID
	if pid == 0 {
		d.t.Fatal("no daemon runs")
	}
	return pid
}

// move puts a file elsewhere.
func (d *desk) move(from, to string) {
	d.t.Helper()
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Rename(from, to); err != nil {
		d.t.Fatal(err)
	}
}

// weight is what a daemon holds of the system: descriptors and threads.
func (d *desk) weight() (descriptors, threads int) {
	d.t.Helper()
	for name, n := range map[string]*int{"fd": &descriptors, "task": &threads} {
		list, err := os.ReadDir(fmt.Sprintf("/proc/%d/%s", d.pid(), name))
		if err != nil {
			d.t.Fatal(err)
		}
		*n = len(list)
	}
	return descriptors, threads
}
