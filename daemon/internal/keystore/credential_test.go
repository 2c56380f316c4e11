package keystore_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
)

// handOver makes a directory as systemd does, with a new key in it.
func handOver(t *testing.T, name string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("no systemd on Windows")
	}
	dir := t.TempDir()
	value := keystore.NewValue()
	if err := os.WriteFile(filepath.Join(dir, name), value.Reveal(), 0o400); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestCredentialMissing: without systemd, or without the credential, the error says
// which, and a key is never made up.
func TestCredentialMissing(t *testing.T) {
	dir := handOver(t, "o2fa.key")
	h, _ := create(t, keystore.NewCredential(dir, "o2fa.key"), newVault())
	for _, elsewhere := range []string{"", "relative", t.TempDir(), filepath.Join(dir, "none")} {
		store := keystore.NewCredential(elsewhere, "o2fa.key")
		if _, err := store.Open(t.Context(), h); !errors.Is(err, keystore.ErrNoCredential) {
			t.Errorf("opening from %q: %v", elsewhere, err)
		}
		if _, key, err := store.Create(t.Context(), newVault()); !errors.Is(err, keystore.ErrNoCredential) || key.Len() != 0 {
			t.Errorf("making from %q: %v", elsewhere, err)
		}
	}
	for _, name := range []string{"", "..", "a/b", "a:b"} {
		if _, _, err := keystore.NewCredential(dir, name).Create(t.Context(), newVault()); !errors.Is(err, keystore.ErrHeader) {
			t.Errorf("name %q: %v", name, err)
		}
	}
}

// TestCredentialNotTheirs: what others may read or change, or what is no file, is
// not from systemd.
func TestCredentialNotTheirs(t *testing.T) {
	dir := handOver(t, "o2fa.key")
	path := filepath.Join(dir, "o2fa.key")
	store := keystore.NewCredential(dir, "o2fa.key")
	h, key := create(t, store, newVault())
	for mode, good := range map[os.FileMode]bool{0o400: true, 0o600: true, 0o440: true, 0o444: false, 0o420: false, 0o460: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Open(t.Context(), h); (err == nil) != good || err != nil && !errors.Is(err, keystore.ErrUnsafe) {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
	if err := os.Rename(path, path+".real"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path+".real", path); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), h); !errors.Is(err, keystore.ErrUnsafe) {
		t.Errorf("a link: %v", err)
	}
	other := keystore.NewValue()
	for _, content := range [][]byte{nil, []byte("no key\n"), other.Reveal()[:20]} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := store.Open(t.Context(), h)
		if !errors.Is(err, keystore.ErrDamaged) {
			t.Errorf("%d bytes: %v", len(content), err)
			continue
		}
		noSecret(t, err, key)
	}
}

// TestSpareKeyfile: the header says in which of two places its file is, whatever
// the directory is called by now.
func TestSpareKeyfile(t *testing.T) {
	path := keyfilePath(t)
	h, key := create(t, keystore.NewKeyfile(path), newVault())
	spare, other := create(t, keystore.NewKeyfile(keystore.SpareKeyfile(path)), newVault())
	moved := filepath.Join(filepath.Dir(path), "moved")
	if err := os.Mkdir(moved, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{path, keystore.SpareKeyfile(path)} {
		if err := os.Rename(from, filepath.Join(moved, filepath.Base(from))); err != nil {
			t.Fatal(err)
		}
	}
	store := keystore.NewKeyfile(filepath.Join(moved, "vault.key"))
	if !open(t, store, h).Equal(key) || !open(t, store, spare).Equal(other) {
		t.Error("a key came from the other's place")
	}
	spare.Path = `C:\Users\me\.open2fa\vault.key.2`
	if !open(t, store, spare).Equal(other) {
		t.Error("a path of another system")
	}
	if err := store.Remove(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if !open(t, store, spare).Equal(other) {
		t.Error("the wrong file was removed")
	}
}
