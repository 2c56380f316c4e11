package atomicfile

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

func TestRemoveLeftovers(t *testing.T) {
	name := "[a]*" // nothing of it is a pattern
	if runtime.GOOS == "windows" {
		name = "[a]" // Windows has no files with a star
	}
	dir := filepath.Join(t.TempDir(), name)
	if err := os.MkdirAll(filepath.Join(dir, ".o2fa-1.tmp.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, ".o2fa-2.tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".o2fa-3.tmp", ".o2fa-.tmp", "vault.db", "secrets.json.tmp", ".o2fa-4.tmp~", "x.o2fa-5.tmp"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o400); err != nil {
			t.Fatal(err)
		}
	}
	if err := RemoveLeftovers(dir); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range left {
		names = append(names, e.Name())
	}
	if want := []string{".o2fa-1.tmp.d", ".o2fa-2.tmp", ".o2fa-4.tmp~", "secrets.json.tmp", "vault.db", "x.o2fa-5.tmp"}; !slices.Equal(names, want) {
		t.Errorf("left %q, want %q", names, want)
	}
	if err := RemoveLeftovers(filepath.Join(dir, "none")); err == nil {
		t.Error("a directory that is not there is no failure")
	}
}
