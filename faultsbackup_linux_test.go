package o2fa_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/o2fa/o2fa/ipc"
)

// backupOnFullDisk: neither a backup nor a restore takes the last room of a disk,
// or touches anything where there is none. Codes and changes go on, status says
// what is wrong, and the backup is made once there is room.
func backupOnFullDisk(t *testing.T, r *room) {
	p := r.place(t, r.tight)
	o, _ := p.start(t, ipc.StateUninitialized)
	names := p.furnish(t)
	good, err := p.client.CreateBackup(t.Context(), ipc.BackupCreateRequest{})
	if err != nil {
		t.Fatal(err)
	}
	p.add(t, secretOf("late"), "late")
	names["late"] = true
	named := ipc.BackupRequest{Name: good.Backup.Name}
	plan, err := p.client.CompareBackup(t.Context(), named)
	if err != nil {
		t.Fatal(err)
	}
	back := ipc.BackupRestoreRequest{BackupRequest: named, Seen: plan.Seen}

	filler := leave(t, r.tight, 1<<20) // room for many backups, were they to take it
	p.noRoom(t, back, names)
	p.add(t, secretOf("again"), "again")
	names["again"] = true
	rest := fill(t, p.profile.Dir)
	p.noRoom(t, back, names)

	for _, path := range []string{filler, rest} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range []string{"lock", "unlock"} {
		if _, stderr, exit := p.o2fa(t, command); exit != 0 {
			t.Errorf("o2fa %s: exit code %d, %s", command, exit, stderr)
		}
	}
	if s := p.status(t, o); s.Backups.Count != 2 || p.warned(s) {
		t.Errorf("with room again: %+v, %+v", s.Backups, s.Warnings)
	}
	p.allVerify(t)
	if plan, err = p.client.CompareBackup(t.Context(), named); err != nil {
		t.Fatal(err)
	}
	back.Seen = plan.Seen
	if _, err := p.client.RestoreBackup(t.Context(), back); err != nil {
		t.Fatal(err)
	}
	delete(names, "late")
	delete(names, "again")
	p.worksAgain(t, o, names)
}

// leave takes all the room of a disk but so many bytes.
func leave(t *testing.T, dir string, bytes int64) string {
	t.Helper()
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "filler")
	if err := os.WriteFile(path, make([]byte, int64(s.Bavail)*s.Bsize-bytes), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (*place) warned(s ipc.Status) bool {
	return slices.ContainsFunc(s.Warnings, func(w ipc.Warning) bool { return w.Code == "backup" })
}

// noRoom wants a backup and a restore to be refused, and nothing to change by it.
func (p *place) noRoom(t *testing.T, back ipc.BackupRestoreRequest, names map[string]bool) {
	t.Helper()
	state := func() map[string]string {
		files := snapshot(t, p.profile.Dir)
		maps.DeleteFunc(files, func(name, _ string) bool { return filepath.Base(name) == "o2fad.log" })
		return files
	}
	before := state()
	_, err := p.client.CreateBackup(t.Context(), ipc.BackupCreateRequest{})
	p.prints(t, p.fail(t, "backup create", err, ipc.ErrDiskFull), "backup", "create")
	_, err = p.client.CreateBackup(t.Context(), ipc.BackupCreateRequest{To: filepath.Join(p.profile.Dir, "mine")})
	p.fail(t, "backup create --to", err, ipc.ErrDiskFull)
	if s, err := p.client.Status(t.Context()); err != nil || !p.warned(s) || s.Backups.Count != 1 || !s.Backups.Pending {
		t.Errorf("status: %+v, %v, %v", s.Backups, s.Warnings, err)
	}
	_, err = p.client.RestoreBackup(t.Context(), back)
	p.fail(t, "backup restore", err, ipc.ErrDiskFull)
	if !maps.Equal(before, state()) {
		t.Errorf("something has changed: %v, before %v", slices.Sorted(maps.Keys(state())), slices.Sorted(maps.Keys(before)))
	}
	p.allVerify(t)
	p.holds(t, names)
	p.codeIs(t, "a")
}
