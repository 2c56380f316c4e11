package keystore_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
)

func TestKeyfileContent(t *testing.T) {
	path := keyfilePath(t)
	s := keystore.NewKeyfile(path)
	h, key := create(t, s, newVault())
	if h.Path != path {
		t.Errorf("header has %q, want %q", h.Path, path)
	}
	value, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(value) != 49 || !strings.HasPrefix(string(value), "o2fa1:") {
		t.Errorf("a value of %d characters", len(value))
	}
	overwrite(t, path, string(value)+"\n") // as an editor leaves it
	if !open(t, s, h).Equal(key) {
		t.Error("another key with a newline at the end")
	}
	for _, bad := range []string{"", "\n", string(value) + "\n\n", string(value) + " ", string(value[:48]), "o2fa1:", strings.Repeat("x", 1<<20)} {
		overwrite(t, path, bad)
		_, err := s.Open(t.Context(), h)
		if !errors.Is(err, keystore.ErrDamaged) || !strings.Contains(err.Error(), path) {
			t.Errorf("%.60q: %v, want ErrDamaged and the path", bad, err)
		}
		noSecret(t, err, key)
		if err := s.Remove(t.Context(), h); !errors.Is(err, keystore.ErrDamaged) {
			t.Errorf("Remove: %v, want ErrDamaged", err)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("a file that is no key of ours was removed: %v", err)
	}
}

func TestKeyfileNeverOverwrites(t *testing.T) {
	path := keyfilePath(t)
	overwrite(t, path, "something of the user's")
	if _, _, err := keystore.NewKeyfile(path).Create(t.Context(), newVault()); !errors.Is(err, keystore.ErrExists) {
		t.Errorf("%v, want ErrExists", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "something of the user's" {
		t.Errorf("it holds %q, %v", got, err)
	}
}

func TestKeyfileMoved(t *testing.T) {
	path := keyfilePath(t)
	h, key := create(t, keystore.NewKeyfile(path), newVault())
	moved := filepath.Join(t.TempDir(), "vault.key")
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	if !open(t, keystore.NewKeyfile(moved), h).Equal(key) {
		t.Error("another key in the moved profile")
	}
	byHeader := keystore.NewKeyfile("")
	if _, err := byHeader.Open(t.Context(), h); !errors.Is(err, keystore.ErrMissing) {
		t.Errorf("by header: %v, want ErrMissing", err)
	}
	if err := os.Rename(moved, path); err != nil {
		t.Fatal(err)
	}
	if !open(t, byHeader, h).Equal(key) {
		t.Error("another key by header")
	}
}

func TestKeyfileBadPath(t *testing.T) {
	for _, path := range []string{"", "vault.key", "./vault.key", "/" + strings.Repeat("x", 600)} {
		if _, _, err := keystore.NewKeyfile(path).Create(t.Context(), newVault()); !errors.Is(err, keystore.ErrHeader) {
			t.Errorf("%.20q: %v, want ErrHeader", path, err)
		}
	}
	_, _, err := keystore.NewKeyfile(filepath.Join(t.TempDir(), "none", "vault.key")).Create(t.Context(), newVault())
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v, want ErrNotExist", err)
	}
}

// overwrite makes path a private file with the given content.
func overwrite(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
