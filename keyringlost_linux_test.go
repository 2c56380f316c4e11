package o2fa_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/internal/dbus/dbustest"
)

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
