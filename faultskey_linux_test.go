package o2fa_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/o2fa/o2fa/internal/dbus/dbustest"
	"github.com/o2fa/o2fa/ipc"
)

func wrongPassphrase(t *testing.T, r *room) {
	p := r.place(t, r.open)
	p.env["O2FA_KEYSTORE"] = "passphrase"
	right, wrong := filepath.Join(p.env["HOME"], "right"), filepath.Join(p.env["HOME"], "wrong")
	for path, text := range map[string]string{right: "correct horse\n", wrong: "battery staple\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o, _ := p.start(t, ipc.StateUninitialized)
	if _, err := p.client.Init(t.Context(), ipc.InitRequest{Keystore: "passphrase", Passphrase: "correct horse"}); err != nil {
		t.Fatal(err)
	}
	names := p.furnish(t)
	o.stop(t)
	before := snapshot(t, p.profile.Dir)
	o, s := p.start(t, ipc.StateLocked)
	if s.Problem != nil {
		t.Errorf("problem: %v", s.Problem)
	}
	_, err := p.client.Code(t.Context(), "a", 0)
	p.prints(t, p.fail(t, "code", err, ipc.ErrLocked), "code", "a")
	_, err = p.client.Unlock(t.Context(), ipc.UnlockRequest{Passphrase: "battery staple"})
	wire := p.fail(t, "unlock", err, ipc.ErrPassphrase)
	if strings.Contains(wire.Message+wire.Hint+p.log(), "battery") {
		t.Error("the passphrase is repeated")
	}
	p.env["O2FA_PASSPHRASE_FILE"] = wrong
	p.prints(t, wire, "unlock")
	if s := p.status(t, o); s.State != ipc.StateLocked {
		t.Errorf("state %s", s.State)
	}
	p.untouched(t, before)
	p.env["O2FA_PASSPHRASE_FILE"] = right
	if _, stderr, exit := p.o2fa(t, "unlock"); exit != 0 {
		t.Errorf("o2fa unlock: exit code %d, %s", exit, stderr)
	}
	p.holds(t, names)
	o.stop(t)
	before = snapshot(t, p.profile.Dir) // codes leave rows in the log
	// A daemon that finds the wrong passphrase at its start says so.
	p.env["O2FA_PASSPHRASE_FILE"] = wrong
	o, s = p.start(t, ipc.StateLocked)
	p.fail(t, "status", s.Problem, ipc.ErrPassphrase)
	p.untouched(t, before)
	if _, err := p.client.Unlock(t.Context(), ipc.UnlockRequest{Passphrase: "correct horse"}); err != nil {
		t.Error(err)
	}
	p.holds(t, names)
	o.stop(t)
}

func keyFileGone(t *testing.T, r *room) {
	p := r.place(t, r.open)
	o, _ := p.start(t, ipc.StateUninitialized)
	names := p.furnish(t)
	o.stop(t)
	key := filepath.Join(p.profile.Dir, "vault.key")
	good, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	other := bytes.Clone(good)
	if other[20] = 'A'; good[20] == 'A' {
		other[20] = 'B'
	}
	for what, spoil := range map[string]func() error{
		"gone":       func() error { return os.Remove(key) },
		"another's":  func() error { return os.WriteFile(key, other, 0o600) },
		"cut":        func() error { return os.WriteFile(key, good[:20], 0o600) },
		"empty":      func() error { return os.WriteFile(key, nil, 0o600) },
		"unreadable": func() error { return os.Chmod(key, 0) },
		"shared":     func() error { return os.Chmod(key, 0o644) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		vault := snapshotOf(t, p.profile.VaultFile())
		o := p.launch(t)
		s := p.status(t, o)
		if s.State != ipc.StateLocked {
			t.Fatalf("%s: state %s", what, s.State)
		}
		want := ipc.ErrOrphan
		if what == "unreadable" {
			want = ipc.ErrStorage
		}
		p.fail(t, what+": status", s.Problem, want)
		_, err := p.client.Code(t.Context(), "a", 0)
		wire := p.fail(t, what+": code", err, ipc.ErrLocked)
		p.prints(t, wire, "code", "a")
		if strings.Contains(wire.Message+wire.Hint+p.log(), string(good[6:20])) {
			t.Errorf("%s: the key is told", what)
		}
		p.fail(t, what+": add", p.tryAdd(t, "late"), ipc.ErrLocked)
		_, err = p.client.Init(t.Context(), ipc.InitRequest{})
		p.fail(t, what+": init", err, ipc.ErrInitialized)
		if snapshotOf(t, p.profile.VaultFile()) != vault {
			t.Errorf("%s: the vault has changed", what)
		}
		_ = os.Remove(key)
		if err := os.WriteFile(key, good, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := p.client.Unlock(t.Context(), ipc.UnlockRequest{}); err != nil {
			t.Errorf("%s: unlock with the key back: %v", what, err)
		}
		p.holds(t, names)
		o.stop(t)
	}
}

func keyringGone(t *testing.T, r *room) {
	bus := dbustest.Start(t, "")
	bus.StartKeyring()
	p := r.place(t, r.open)
	p.env["O2FA_KEYSTORE"], p.env["DBUS_SESSION_BUS_ADDRESS"] = "keyring", bus.Address
	o, _ := p.start(t, ipc.StateUninitialized)
	names := p.furnish(t)
	bus.KillKeyring()
	p.codeIs(t, "a") // who has the key needs the keyring no more
	p.holds(t, names)
	o.stop(t)
	before := snapshot(t, p.profile.Dir)

	o = p.withoutKeyring(t, before)
	bus.StartKeyring()
	if _, stderr, exit := p.o2fa(t, "unlock"); exit != 0 {
		t.Errorf("o2fa unlock with the keyring back: exit code %d, %s", exit, stderr)
	}
	p.holds(t, names)
	bus.LockKeyring()
	if _, err := p.client.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := p.client.Unlock(t.Context(), ipc.UnlockRequest{})
	p.fail(t, "unlock with a locked keyring", err, ipc.ErrLocked)
	bus.UnlockKeyring()
	if _, stderr, exit := p.o2fa(t, "unlock"); exit != 0 {
		t.Errorf("o2fa unlock: exit code %d, %s", exit, stderr)
	}
	p.holds(t, names)
	o.stop(t)
	bus.Stop()
	before = snapshot(t, p.profile.Dir) // codes leave rows in the log
	p.withoutKeyring(t, before).stop(t)
}

// withoutKeyring checks a daemon whose keyring does not answer.
func (p *place) withoutKeyring(t *testing.T, before map[string]string) *agent {
	t.Helper()
	began := time.Now()
	o, s := p.start(t, ipc.StateLocked)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("status took %v", took)
	}
	p.fail(t, "status", s.Problem, ipc.ErrKeystore)
	_, err := p.client.Code(t.Context(), "a", 0)
	wire := p.fail(t, "code", err, ipc.ErrLocked)
	if !strings.Contains(wire.Message, s.Problem.Message) {
		t.Errorf("%q does not say why: %q", wire.Message, s.Problem.Message)
	}
	p.prints(t, wire, "code", "a")
	_, err = p.client.Unlock(t.Context(), ipc.UnlockRequest{})
	p.fail(t, "unlock", err, ipc.ErrLocked)
	p.untouched(t, before)
	return o
}
