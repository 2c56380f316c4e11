package o2fa_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"testing"

	"github.com/o2fa/o2fa/ipc"
)

// resetReadOnly resets where nothing can be removed: all stays, and goes on
// working. Settings cannot be changed there either.
func resetReadOnly(t *testing.T, r *room) {
	writer := r.place(t, r.open)
	o, _ := writer.start(t, ipc.StateUninitialized)
	names := writer.furnish(t)
	o.stop(t)
	p := r.place(t, r.view)
	before := snapshot(t, p.profile.Dir)
	o, s := p.start(t, ipc.StateReady)
	_, err := p.client.Reset(t.Context(), ipc.ResetRequest{Vault: s.Vault.ID, Backups: true})
	p.prints(t, p.fail(t, "reset", err, ipc.ErrReadOnly), "reset", "--force")
	_, err = p.client.Configure(t.Context(), ipc.ConfigRequest{Set: map[string]string{"trash_days": "5"}})
	p.prints(t, p.fail(t, "config set", err, ipc.ErrReadOnly), "config", "set", "trash_days", "5")
	p.codeIs(t, "a")
	p.holds(t, names)
	if after := snapshot(t, p.profile.Dir); !maps.Equal(before, after) {
		t.Error("a profile that could only be read has changed")
	}
	o.stop(t)
}

// resetOnFullDisk resets where nothing can be written, which a reset need not.
func resetOnFullDisk(t *testing.T, r *room) {
	p := r.place(t, r.small)
	o, _ := p.start(t, ipc.StateUninitialized)
	p.furnish(t)
	o.stop(t)
	fill(t, r.small)
	o, _ = p.start(t, ipc.StateReady)
	_, err := p.client.Configure(t.Context(), ipc.ConfigRequest{Set: map[string]string{"trash_days": "5"}})
	p.prints(t, p.fail(t, "config set", err, ipc.ErrDiskFull), "config", "set", "trash_days", "5")
	if stdout, stderr, exit := p.o2fa(t, "reset", "--force", "--backups"); exit != 0 {
		t.Errorf("o2fa reset: exit code %d\n%s%s", exit, stdout, stderr)
	}
	if _, err := os.Lstat(p.profile.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", p.profile.Dir, err)
	}
	await(t, "the end of the daemon", func() bool { return !o.alive() })
}
