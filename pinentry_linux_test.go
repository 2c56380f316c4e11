package o2fa_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/internal/dbus/dbustest"
	"github.com/o2fa/o2fa/ipc"
)

const gtkPinentry = "/usr/bin/pinentry-gtk-2"

// anyDialog is the class of the windows of all pinentries that the tests use.
const anyDialog = "pinentry|gcr-prompter"

// The passphrases are canaries: nothing but the dialogs may ever hold them.
const (
	newPassphrase = "horse battery 100% staple"
	badPassphrase = "camel battery"
)

// newPassphraseDesk returns a display where o2fa asks with GTK's pinentry, and a
// passphrase vault with an entry.
func newPassphraseDesk(t *testing.T) *desk {
	t.Helper()
	dbustest.Need(t, gtkPinentry, "pinentry-gtk2")
	d := newDesk(t, true)
	d.must("config", "set", "pinentry", gtkPinentry)
	made := d.begin("", "init", "--keystore", "passphrase")
	for range 2 { // Return leads to the second field
		dbustest.Type(t, d.display, anyDialog, newPassphrase)
	}
	if e := <-made.done; e.code != 0 || !strings.Contains(e.out, "Opened by: passphrase") {
		t.Fatalf("%+v", e)
	}
	d.add()
	return d
}

// Without a terminal, but with a display, o2fa asks in a dialog.
func TestPinentry(t *testing.T) {
	d := newPassphraseDesk(t)
	before := len(d.bus.Processes())

	d.must("lock")
	c := d.begin("", "code", "github")
	dbustest.WaitWindow(t, d.display, anyDialog, true)
	lookAtAsking(t, d)
	dbustest.Type(t, d.display, anyDialog, newPassphrase)
	if e := <-c.done; e.code != 0 || len(e.out) != 7 || e.errs != "" {
		t.Errorf("answered: %+v", e)
	}

	d.must("lock")
	c = d.begin("", "code", "github")
	dbustest.WaitWindow(t, d.display, anyDialog, true)
	first := asking(d)
	dbustest.Type(t, d.display, anyDialog, badPassphrase)
	dbustest.Eventually(t, "another dialog", func() bool { next := asking(d); return next != 0 && next != first })
	dbustest.Type(t, d.display, anyDialog, newPassphrase)
	if e := <-c.done; e.code != 0 || len(e.out) != 7 {
		t.Errorf("wrong, then right: %+v", e)
	}

	d.must("lock")
	c = d.begin("", "unlock")
	dbustest.WaitWindow(t, d.display, anyDialog, true)
	dbustest.Press(t, d.display, "Escape")
	if e := <-c.done; e != (ending{130, "", ""}) {
		t.Errorf("cancelled: %+v", e)
	}
	if s := d.status(); s.State != ipc.StateLocked {
		t.Errorf("after cancelling: %s", s.State)
	}
	dbustest.Eventually(t, "the dialogs' processes to end", func() bool { return len(d.bus.Processes()) <= before })
	for _, passphrase := range []string{newPassphrase, badPassphrase} {
		if found := d.holds(passphrase); found != nil {
			t.Errorf("a passphrase stands in %s", found)
		}
	}
}

// A person who gives a command several times sees one dialog, and its answer is
// for all of them.
func TestPinentryOneAtATime(t *testing.T) {
	d := newPassphraseDesk(t)
	d.must("lock")
	var calls []*errand
	for range 8 {
		calls = append(calls, d.begin("", "code", "github"))
	}
	dbustest.WaitWindow(t, d.display, anyDialog, true)
	if n := len(dbustest.Windows(t, d.display, anyDialog)); n != 1 {
		t.Errorf("%d dialogs", n)
	}
	dbustest.Type(t, d.display, anyDialog, newPassphrase)
	for _, c := range calls {
		if e := <-c.done; e.code != 0 || len(e.out) != 7 {
			t.Errorf("%+v", e)
		}
	}
	if asking(d) != 0 {
		t.Error("a pinentry is still there")
	}
}

// asking returns the pid of the pinentry that runs, 0 if there is none.
func asking(d *desk) int {
	for _, pid := range d.bus.Processes() {
		args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && strings.HasPrefix(string(args), gtkPinentry) {
			return pid
		}
	}
	return 0
}

// lookAtAsking looks at what the system shows of a pinentry that asks: the
// display, and nothing of the vault's.
func lookAtAsking(t *testing.T, d *desk) {
	t.Helper()
	pid := asking(d)
	args, argsErr := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	env, envErr := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if argsErr != nil || envErr != nil || string(args) != gtkPinentry+"\x00" ||
		!strings.Contains(string(env), "DISPLAY="+d.display) || strings.Contains(string(env), "2FA") {
		t.Errorf("%q with %q, %v, %v", args, env, argsErr, envErr)
	}
}

// A dialog does not outlive the command that asks.
func TestPinentryEndsWithCommand(t *testing.T) {
	d := newPassphraseDesk(t)
	d.must("lock")
	c := d.begin("", "code", "github")
	dbustest.WaitWindow(t, d.display, anyDialog, true)
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-c.done
	dbustest.WaitWindow(t, d.display, anyDialog, false)
}

// Where nobody may be asked, or cannot be, the vault stays locked, at once.
func TestPinentryAsksNobody(t *testing.T) {
	d := newPassphraseDesk(t)
	d.must("lock")
	code := []string{"code", "github"}
	want := "nobody can be asked"
	d.fails(5, append(code, "--no-input"), "the vault is locked")
	d.fails(5, []string{"unlock", "--no-input"}, want)

	d.env["DISPLAY"] = ""
	d.fails(5, code, "the vault is locked")
	d.fails(5, []string{"unlock"}, want, "o2fa: hint: on a terminal: o2fa unlock")
	d.env["DISPLAY"] = ":99999" // nobody is there
	d.fails(5, code, want, "no dialog could be shown")
	delete(d.env, "DISPLAY")

	d.must("config", "set", "pinentry", "never")
	d.fails(5, []string{"unlock"}, want)
	d.must("config", "set", "pinentry", filepath.Join(d.dir, "missing"))
	d.fails(5, []string{"unlock"}, want, "no dialog could be shown", "missing")
	d.fails(2, []string{"config", "set", "pinentry", "pinentry"}, "pinentry must be an absolute path, never, or nothing")
	if s := d.status(); s.State != ipc.StateLocked {
		t.Error(s.State)
	}
}

// Without a setting the usual places are tried, of which one cannot show
// anything where there is no bus. PATH is none of them.
func TestPinentryOfTheSystem(t *testing.T) {
	dbustest.Need(t, gtkPinentry, "pinentry-gtk2")
	d := newPassphraseDesk(t)
	d.must("config", "unset", "pinentry")
	trap := filepath.Join(t.TempDir(), "pinentry")
	if err := os.WriteFile(trap, []byte("#!/bin/sh\n: > "+trap+".ran\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	d.env["PATH"] = filepath.Dir(trap) + ":" + os.Getenv("PATH")
	for _, bus := range []string{d.bus.Address, ""} {
		d.must("lock")
		d.env["DBUS_SESSION_BUS_ADDRESS"] = bus
		c := d.begin("", "code", "github")
		dbustest.Type(t, d.display, anyDialog, newPassphrase)
		if e := <-c.done; e.code != 0 || len(e.out) != 7 {
			t.Errorf("with the bus %q: %+v", bus, e)
		}
	}
	if _, err := os.Stat(trap + ".ran"); err == nil {
		t.Error("a pinentry of PATH was run")
	}
}
