package daemon_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/o2fa/o2fa/daemon/daemontest"
	"github.com/o2fa/o2fa/ipc"
)

// examined is what the daemon finds of itself.
type examined struct {
	t      *testing.T
	checks []ipc.Check
}

func examine(t *testing.T, d *daemontest.Daemon) examined {
	t.Helper()
	reply, err := d.Client.Doctor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range reply.Checks {
		if c.Name == "" || c.Message == "" || c.Status != ipc.CheckOK && c.Status != ipc.CheckWarn && c.Status != ipc.CheckFail {
			t.Errorf("%+v", c)
		}
	}
	return examined{t, reply.Checks}
}

// has demands a check of that name, with that outcome and a text in its message.
func (e examined) has(status ipc.CheckStatus, name, text string) ipc.Check {
	e.t.Helper()
	for _, c := range e.checks {
		if c.Name == name && c.Status == status && strings.Contains(c.Message, text) {
			return c
		}
	}
	e.t.Errorf("no %s of %s with %q in %+v", status, name, text, e.checks)
	return ipc.Check{}
}

// hasNo demands that nothing else came out than what is given.
func (e examined) hasNo(status ipc.CheckStatus, but ...string) {
	e.t.Helper()
	for _, c := range e.checks {
		if c.Status == status && !strings.Contains(strings.Join(but, " ")+" time service", c.Name) {
			e.t.Errorf("%+v", c)
		}
	}
}

func TestDoctorOfAHealthyDaemon(t *testing.T) {
	d := daemontest.Run(t)
	e := examine(t, d)
	e.has(ipc.CheckOK, "vault", "there is none yet")
	e.hasNo(ipc.CheckFail)
	d.Add(t, rfcSecret, "github")
	must[ipc.SlotsReply](t)(d.Client.Slots(t.Context(), ipc.SlotsRequest{Add: "recovery"}))
	e = examine(t, d)
	e.hasNo(ipc.CheckFail)
	e.hasNo(ipc.CheckWarn)
	for name, text := range map[string]string{"vault": "it is open, and 1 entry is whole (format 1)", "key slots": "recovery", "executable": "/", "config.toml": "defaults",
		"disk": "MiB free", "secrets.json": "there is none", "open2fa.uuid": "there is none", "clock": "it is 20", "log": "it is on", "hardening": "no core dumps"} {
		e.has(ipc.CheckOK, name, text)
	}
	raw := must[[]byte](t)(json.Marshal(e.checks))
	if strings.Contains(string(raw), rfcSecret) || strings.Contains(string(raw), "github") {
		t.Errorf("it tells of entries: %s", raw)
	}
}

func TestDoctorOfALockedDaemon(t *testing.T) {
	d := daemontest.Run(t)
	d.Add(t, rfcSecret, "github")
	must[ipc.Status](t)(d.Client.Lock(t.Context()))
	e := examine(t, d)
	if c := e.has(ipc.CheckOK, "vault", "it is locked, and its pages are whole"); c.Hint != "o2fa unlock" {
		t.Errorf("%+v", c)
	}
	e.has(ipc.CheckWarn, "key slots", "one key slot alone")
	e.hasNo(ipc.CheckFail)
	if s := must[ipc.Status](t)(d.Client.Status(t.Context())); s.State != ipc.StateLocked {
		t.Errorf("it opened the vault: %s", s.State)
	}
}

// onFile returns a daemon whose vault's key is in a file, with one entry.
func onFile(t *testing.T) *daemontest.Daemon {
	t.Helper()
	d := daemontest.New(t)
	d.Config.Keystore = "keyfile"
	d.Start(t)
	d.Add(t, rfcSecret, "github")
	return d
}

func TestDoctorOfKeySlots(t *testing.T) {
	d := onFile(t)
	e := examine(t, d)
	e.has(ipc.CheckWarn, "key slots", "lies unprotected in ")
	e.has(ipc.CheckOK, "keyring", "nothing needs one")
	if err := os.Remove(filepath.Join(d.Profile.Dir, "vault.key")); err != nil {
		t.Fatal(err)
	}
	if c := examine(t, d).has(ipc.CheckFail, "key slots", "the vault is open only until it is locked"); c.Hint == "" {
		t.Errorf("%+v", c)
	}
	d.Stop(t)
	d.Start(t)
	examine(t, d).has(ipc.CheckFail, "key slots", "vault.key is gone")
}

func TestDoctorOfADamagedVault(t *testing.T) {
	d := onFile(t)
	for range 20 {
		d.Add(t, rfcSecret, "another")
		must[ipc.UndoReply](t)(d.Client.Undo(t.Context()))
	}
	d.Stop(t)
	path := d.Profile.VaultFile()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// A flipped bit in the middle of a sealed value: the page is whole, and the
	// record does not open. Some pages are free: then it is found elsewhere.
	found := false
	for at := len(whole) - 600; at > 16<<10 && !found; at -= 512 {
		bent := append([]byte{}, whole...)
		bent[at] ^= 1
		if err := os.WriteFile(path, bent, 0o600); err != nil {
			t.Fatal(err)
		}
		d.Start(t)
		for _, c := range examine(t, d).checks {
			found = found || c.Name == "vault" && c.Status == ipc.CheckFail && strings.Contains(c.Message, "entries do not open") && c.Hint != ""
		}
		d.Stop(t)
	}
	if !found {
		t.Error("no flipped bit was found")
	}
	for name, content := range map[string]string{"is damaged": "", "is not a vault": strings.Repeat("nonsense", 10_000)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		d.Start(t)
		e := examine(t, d)
		if c := e.has(ipc.CheckFail, "vault", name); c.Hint == "" {
			t.Errorf("%+v", c)
		}
		d.Stop(t)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	d.Start(t)
	examine(t, d).has(ipc.CheckFail, "vault", "is gone")
}

func TestDoctorOfSettings(t *testing.T) {
	d := daemontest.New(t)
	if err := os.MkdirAll(d.Profile.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(d.Profile.Dir, "config.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("trash_days = 0\n")
	d.Start(t)
	if c := examine(t, d).has(ipc.CheckFail, "config.toml", "config.toml:1: trash_days must be"); c.Hint == "" {
		t.Errorf("%+v", c)
	}
	d.Stop(t)
	write("log = 'off'\n")
	d.Start(t)
	d.Add(t, rfcSecret, "github")
	e := examine(t, d)
	e.has(ipc.CheckOK, "config.toml", "is in force")
	e.has(ipc.CheckOK, "log", "it is off")
}

func TestDoctorOfPlaintext(t *testing.T) {
	d := daemontest.New(t)
	if err := os.MkdirAll(d.Profile.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(d.Profile.Dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("secrets.json", `{"secrets": [{"secret": "`+rfcSecret+`", "name": "github"}]}`)
	put("open2fa.uuid", "0e4742ef-780b-406d-8651-7766cf67be3f")
	d.Start(t)
	must[ipc.Entries](t)(d.Client.Entries(t.Context(), "", false))
	e := examine(t, d)
	e.has(ipc.CheckWarn, "secrets.json", "in clear")
	e.has(ipc.CheckWarn, "open2fa.uuid", "in clear")
	raw := must[[]byte](t)(json.Marshal(e.checks))
	if strings.Contains(string(raw), rfcSecret) || strings.Contains(string(raw), "0e4742ef") {
		t.Errorf("%s", raw)
	}
	d.Stop(t)
	put("secrets.json", "nonsense")
	put("open2fa.uuid", "nonsense")
	d.Start(t)
	e = examine(t, d)
	e.has(ipc.CheckWarn, "secrets.json", "is left alone")
	e.has(ipc.CheckWarn, "open2fa.uuid", "holds no UUID")
}

func TestDoctorOfAClockSetBack(t *testing.T) {
	now := time.Now()
	d := daemontest.New(t)
	d.Config.Now = func() time.Time { return now }
	d.Start(t)
	d.Add(t, rfcSecret, "github")
	examine(t, d).has(ipc.CheckOK, "clock", "it is 20")
	d.Stop(t)
	now = now.Add(-time.Hour)
	d.Start(t)
	if c := examine(t, d).has(ipc.CheckWarn, "clock", "but the vault was used at "); c.Hint == "" {
		t.Errorf("%+v", c)
	}
}

// What no check knows is told all the same.
func TestDoctorTellsEveryWarning(t *testing.T) {
	d := daemontest.New(t)
	d.Config.Warnings = []ipc.Warning{{Code: "core_dumps", Message: "core dumps could not be switched off"}}
	d.Start(t)
	e := examine(t, d)
	e.has(ipc.CheckWarn, "hardening", "core dumps could not be switched off")
	status := must[ipc.Status](t)(d.Client.Status(t.Context()))
	for _, w := range status.Warnings {
		found := false
		for _, c := range e.checks {
			found = found || c.Message == w.Message && c.Status != ipc.CheckOK
		}
		if !found {
			t.Errorf("no check tells: %+v", w)
		}
	}
}

// The whole file is read although a change comes in between, and a lock does not
// wait for it.
func TestDoctorBesideChanges(t *testing.T) {
	d := daemontest.Run(t)
	d.Add(t, rfcSecret, "github")
	done := make(chan error, 1)
	go func() {
		for range 50 {
			if _, err := d.Client.Add(t.Context(), ipc.AddRequest{Secret: rfcSecret, Name: "x"}); err != nil {
				done <- err
				return
			}
			if _, err := d.Client.Undo(t.Context()); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for range 50 {
		for _, c := range examine(t, d).checks {
			if c.Status == ipc.CheckFail {
				t.Errorf("%+v", c)
			}
		}
	}
	if err := <-done; err != nil && !errors.Is(err, ipc.ErrNothing) {
		t.Error(err)
	}
}
