package o2fa_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/ipc"
)

// fileOnFullDisk: a secrets.json that cannot be written stays as it is, whole, and is
// written when there is room again.
func fileOnFullDisk(t *testing.T, r *room) {
	p := r.place(t, r.small)
	o, _ := p.start(t, ipc.StateUninitialized)
	names := p.furnish(t)
	p.setMode(t, ipc.ModeMirror)
	path := p.profile.SecretsFile()
	before, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(before), secretOf("a")) {
		t.Fatalf("%s, %v", before, err)
	}
	filler := fill(t, r.small)
	// The vault may have free pages for a change yet; the new file has none.
	changed := p.tryAdd(t, "late") == nil
	names["late"] = changed
	if !changed {
		delete(names, "late")
	} else {
		await(t, "what is wrong with the file", func() bool {
			f := p.status(t, o).SecretsFile
			return strings.Contains(f.Problem, "no space left") || strings.Contains(f.Problem, "full")
		})
	}
	_, err = p.client.SetSecretsFile(t.Context(), ipc.SecretsFileRequest{Mode: ipc.ModeSeal})
	p.fail(t, "seal", err, ipc.ErrDiskFull)
	if now, err := os.ReadFile(path); err != nil || string(now) != string(before) || p.beside(path) != "nothing" {
		t.Errorf("the file was touched: %d bytes, before %d, beside it %s, %v", len(now), len(before), p.beside(path), err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	p.add(t, secretOf("again"), "again")
	names["again"] = true
	await(t, "the file to follow", func() bool {
		now, err := os.ReadFile(path)
		return err == nil && strings.Contains(string(now), secretOf("again")) && (!changed || strings.Contains(string(now), secretOf("late")))
	})
	p.setMode(t, ipc.ModeSeal)
	await(t, "the file to be emptied", func() bool { now, err := os.ReadFile(path); return err == nil && string(now) == `{"secrets": []}` })
	if err := os.Remove(filepath.Join(p.profile.Dir, "config.toml")); err != nil {
		t.Fatal(err)
	}
	p.worksAgain(t, o, names)
}
