package o2fa_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/o2fa/o2fa/ipc"
)

// TestFaults arranges what goes wrong with disks, vaults and keys, as a user
// without rights, around a real o2fad and a real o2fa: each has a clear error,
// leaves the old data as it is, and the daemon goes on answering.
func TestFaults(t *testing.T) {
	inRoom := house(t)
	for _, f := range []struct {
		name string
		run  func(*testing.T, *room)
	}{
		{"disk_full", diskFull},
		{"secrets_file_on_a_full_disk", fileOnFullDisk},
		{"backup_on_a_full_disk", backupOnFullDisk},
		{"start_on_a_full_disk", startOnFullDisk},
		{"first_start_on_a_full_disk", firstStartOnFullDisk},
		{"read_only_mount", readOnlyMount},
		{"first_start_on_a_read_only_mount", firstStartOnReadOnlyMount},
		{"read_only_modes", readOnlyModes},
		{"newer_format", newerFormat},
		{"damaged_page", damagedPage},
		{"truncated", truncated},
		{"replaced", replaced},
		{"wrong_passphrase", wrongPassphrase},
		{"key_file_gone", keyFileGone},
		{"keyring_gone", keyringGone},
		{"reset_on_a_read_only_mount", resetReadOnly},
		{"reset_on_a_full_disk", resetOnFullDisk},
		{"no_more_processes", noMoreProcesses},
	} {
		t.Run(f.name, func(t *testing.T) { inRoom(t, f.run) })
	}
}

// fill takes all the room that is left on the disk; remove the file to free it.
func fill(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return path
}

func diskFull(t *testing.T, r *room) {
	p := r.place(t, r.small)
	o, _ := p.start(t, ipc.StateUninitialized)
	names := p.furnish(t)
	filler := filepath.Join(r.small, "filler")
	if err := os.WriteFile(filler, make([]byte, 320<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	err := error(nil)
	for n := 0; err == nil; n++ {
		if n == 5000 {
			t.Fatal("the disk is never full")
		}
		name := fmt.Sprintf("n%d", n)
		if err = p.tryAdd(t, name); err == nil {
			names[name] = true
		}
	}
	full := p.fail(t, "add", err, ipc.ErrDiskFull)
	fill(t, p.profile.Dir) // what is left and too little for a change
	p.fullDisk(t, full, names)
	rows := p.rowsOnFullDisk(t, r)

	for _, path := range []string{filler, filepath.Join(p.profile.Dir, "filler")} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	p.add(t, secretOf("again"), "again")
	for _, name := range append(rows, "again") {
		names[name] = true
	}
	await(t, "the intake of secrets.json", func() bool { return p.status(t, o).SecretsFile.TakenAt != "" })
	p.worksAgain(t, o, names)
	t.Logf("the disk was full after %d entries", len(names)-1)
}

// rowsOnFullDisk lets the daemon meet rows of secrets.json for which there is no
// room, and returns their names. The file itself lies elsewhere.
func (p *place) rowsOnFullDisk(t *testing.T, r *room) (names []string) {
	t.Helper()
	var rows []*fileRow
	for n := range 20 {
		rows = append(rows, &fileRow{stem: fmt.Sprintf("row%d", n)})
		names = append(names, rows[n].name())
	}
	path := filepath.Join(r.open, "rows.json")
	if err := writeSecrets(path, secretsJSON(faultSeed, rows), true); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, p.profile.SecretsFile()); err != nil {
		t.Fatal(err)
	}
	await(t, "a look at secrets.json", func() bool {
		s, err := p.client.Status(t.Context())
		return err == nil && strings.Contains(s.SecretsFile.Problem, "full")
	})
	return names
}

// fullDisk checks what a daemon does that cannot write.
func (p *place) fullDisk(t *testing.T, full *ipc.Error, names map[string]bool) {
	t.Helper()
	p.holds(t, names)
	p.codeIs(t, "a")
	// A change for which pages inside the file are free works yet.
	for n := 0; ; n++ {
		name := fmt.Sprintf("late%d", n)
		if p.printsOrWorks(t, full, "add", secretOf(name), name) {
			break
		}
		if names[name] = true; n == 1000 {
			t.Fatal("o2fa add never meets the full disk")
		}
	}
	id := p.entries(t)["a"].ID
	if _, err := p.client.Delete(t.Context(), ipc.DeleteRequest{IDs: []string{id}}); err == nil {
		// A page that was free took it. Then it is true, and can be taken back.
		if _, err := p.client.Undo(t.Context()); err != nil {
			p.fail(t, "undo", err, ipc.ErrDiskFull)
			delete(names, "a")
		}
	} else {
		p.fail(t, "delete", err, ipc.ErrDiskFull)
	}
	before := *p.entries(t)["h"].Counter
	code, err := p.client.Code(t.Context(), "h", 0)
	after := *p.entries(t)["h"].Counter
	switch {
	case err == nil && (*code.Counter != before || after != before+1):
		t.Errorf("the code of counter %d was shown, stored are %d and then %d", *code.Counter, before, after)
	case err != nil:
		p.fail(t, "hotp code", err, ipc.ErrDiskFull)
		if after != before {
			t.Errorf("no code was shown, and the counter went from %d to %d", before, after)
		}
	}
	p.holds(t, names)
	if s, err := p.client.Status(t.Context()); err != nil || s.State != ipc.StateReady {
		t.Errorf("status: %+v, %v", s, err)
	}
	if _, stderr, exit := p.o2fa(t, "status"); exit != 0 {
		t.Errorf("o2fa status: exit code %d, %s", exit, stderr)
	}
	p.noSecret(t, "the log", p.log())
}

// worksAgain checks that the very same daemon works as before, and the next.
func (p *place) worksAgain(t *testing.T, o *agent, names map[string]bool) {
	t.Helper()
	p.add(t, secretOf("new"), "new")
	names["new"] = true
	if _, err := p.client.Code(t.Context(), "h", 0); err != nil {
		t.Errorf("hotp code: %v", err)
	}
	p.holds(t, names)
	o.stop(t)
	o, _ = p.start(t, ipc.StateReady)
	p.holds(t, names)
	if list := p.leftovers(t); len(list) > 0 {
		t.Errorf("left over: %v", list)
	}
	o.stop(t)
}

func startOnFullDisk(t *testing.T, r *room) {
	p := r.place(t, r.small)
	o, _ := p.start(t, ipc.StateUninitialized)
	names := p.furnish(t)
	o.stop(t)
	filler := fill(t, r.small)
	// Not even room to say who it is.
	if err := os.Truncate(p.profile.LockFile(), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	filler = fill(t, r.small)
	o, _ = p.start(t, ipc.StateReady)
	// Pages that are free inside the file take a few changes yet.
	var err error
	for n := 0; err == nil && n < 100; n++ {
		name := fmt.Sprintf("n%d", n)
		if err = p.tryAdd(t, name); err == nil {
			names[name] = true
		}
	}
	p.fullDisk(t, p.fail(t, "add", err, ipc.ErrDiskFull), names)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	p.worksAgain(t, o, names)
}

func firstStartOnFullDisk(t *testing.T, r *room) {
	p := r.place(t, r.small)
	filler := fill(t, r.small)
	o, _ := p.start(t, ipc.StateUninitialized)
	_, err := p.client.Init(t.Context(), ipc.InitRequest{})
	full := p.fail(t, "init", err, ipc.ErrDiskFull)
	p.prints(t, full, "init")
	p.prints(t, full, "add", secretOf("a"), "a")
	if s := p.status(t, o); s.State != ipc.StateUninitialized {
		t.Errorf("state %s", s.State)
	}
	if files := snapshot(t, p.profile.Dir); len(files) > 0 {
		t.Errorf("a vault that was not made left %v", maps.Keys(files))
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	p.worksAgain(t, o, p.furnish(t))
}

// changes are the commands that would change the vault.
func (p *place) changes(t *testing.T) map[string]error {
	t.Helper()
	failed := map[string]error{"add": p.tryAdd(t, "late")}
	_, failed["hotp code"] = p.client.Code(t.Context(), "h", 0)
	_, failed["undo"] = p.client.Undo(t.Context())
	_, failed["delete"] = p.client.Delete(t.Context(), ipc.DeleteRequest{IDs: []string{p.entries(t)["a"].ID}})
	return failed
}

// readOnly checks a daemon that may read its profile and nothing more.
func (p *place) readOnly(t *testing.T, dir string, names map[string]bool) {
	t.Helper()
	before := snapshot(t, dir)
	o, s := p.start(t, ipc.StateReady)
	if !s.Vault.ReadOnly || s.Problem != nil {
		t.Errorf("status: read only %t, problem %v", s.Vault.ReadOnly, s.Problem)
	}
	var wire *ipc.Error
	for what, err := range p.changes(t) {
		wire = p.fail(t, what, err, ipc.ErrReadOnly)
	}
	p.prints(t, wire, "add", secretOf("late"), "late")
	p.prints(t, wire, "code", "h")
	p.codeIs(t, "a")
	p.holds(t, names)
	if after := snapshot(t, dir); !maps.Equal(before, after) {
		t.Error("a profile that could only be read has changed")
	}
	o.stop(t)
	// The command line finds none running and starts one.
	p.codeIsStarting(t, "a")
}

func readOnlyMount(t *testing.T, r *room) {
	writer := r.place(t, r.open)
	o, _ := writer.start(t, ipc.StateUninitialized)
	names := writer.furnish(t)
	o.stop(t)
	r.place(t, r.view).readOnly(t, r.view, names)
	// Without the files that only a daemon that can write makes.
	for _, name := range []string{"o2fad.lock", "o2fad.log"} {
		if err := os.Remove(filepath.Join(writer.profile.Dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	r.place(t, r.view).readOnly(t, r.view, names)
}

func readOnlyModes(t *testing.T, r *room) {
	p := r.place(t, r.open)
	o, _ := p.start(t, ipc.StateUninitialized)
	names := p.furnish(t)
	o.stop(t)
	if err := os.Chmod(p.profile.VaultFile(), 0o400); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(p.profile.Dir, 0o500); err != nil {
		t.Fatal(err)
	}
	p.readOnly(t, p.profile.Dir, names)
	// Made writable, it works again by what the hint says.
	o, _ = p.start(t, ipc.StateReady)
	for path, mode := range map[string]os.FileMode{p.profile.Dir: 0o700, p.profile.VaultFile(): 0o600} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range []string{"lock", "unlock"} {
		if _, stderr, exit := p.o2fa(t, command); exit != 0 {
			t.Errorf("o2fa %s: exit code %d, %s", command, exit, stderr)
		}
	}
	p.worksAgain(t, o, names)
}

func firstStartOnReadOnlyMount(t *testing.T, r *room) {
	if err := os.Mkdir(filepath.Join(r.open, "p"), 0o700); err != nil {
		t.Fatal(err)
	}
	p := r.place(t, r.view)
	o, _ := p.start(t, ipc.StateUninitialized)
	_, err := p.client.Init(t.Context(), ipc.InitRequest{})
	wire := p.fail(t, "init", err, ipc.ErrReadOnly)
	p.prints(t, wire, "init")
	p.prints(t, wire, "add", secretOf("a"), "a")
	o.stop(t)
	if err := os.Remove(filepath.Join(r.open, "p")); err != nil {
		t.Fatal(err)
	}
	// Without even a directory there is nothing to serve, and that is told.
	_, stderr, exit := p.o2fa(t, "add", secretOf("a"), "a")
	if exit != documentedExit(t, ipc.CodeUnavailable) || !strings.Contains(stderr, "read-only file system") {
		t.Errorf("no directory: exit code %d: %s", exit, stderr)
	}
	p.noSecret(t, "o2fa add", stderr)
}
