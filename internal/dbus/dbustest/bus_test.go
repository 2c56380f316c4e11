//go:build linux

package dbustest

import "testing"

func TestKeyringLife(t *testing.T) {
	b := Start(t, "")
	if n := len(b.Processes()); n != 1 {
		t.Errorf("%d processes after Start, want 1", n)
	}
	b.StartKeyring()
	if b.KeyringLocked() {
		t.Error("locked after StartKeyring")
	}
	b.LockKeyring()
	if !b.KeyringLocked() {
		t.Error("not locked after LockKeyring")
	}
	b.UnlockKeyring()
	if b.KeyringLocked() {
		t.Error("locked after UnlockKeyring")
	}
	b.KillKeyring()
	b.StartKeyringLocked()
	if !b.KeyringLocked() {
		t.Error("not locked after StartKeyringLocked")
	}
	b.FreezeKeyring()
	b.ThawKeyring()
	b.UnlockKeyring()
	if b.KeyringLocked() {
		t.Error("locked after a restart and UnlockKeyring")
	}
}
