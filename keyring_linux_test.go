package o2fa_test

import (
	"fmt"
	"os"
	"os/exec"
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

// A person at a terminal hears what the command waits for.
func TestKeyringDialogIsAnnounced(t *testing.T) {
	d := newKeyringDesk(t, true)
	d.code()
	d.must("lock")
	d.bus.LockKeyring()
	control, terminal, err := openTerminal()
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	shown := &screen{changed: make(chan struct{}, 1)}
	go shown.readFrom(control)
	cmd := exec.Command(filepath.Join(d.programs, "o2fa"), "unlock")
	cmd.Env, cmd.Dir, cmd.Stderr = d.environ(), "/", terminal
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	terminal.Close()
	if !shown.wait("waiting for the login keyring's password, in the dialog on display " + d.display) {
		t.Errorf("the terminal shows %q", shown.text())
	}
	dbustest.Type(t, d.display, prompter, dbustest.Password)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, shown.text())
	}
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
