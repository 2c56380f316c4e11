package secret

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, perm fs.FileMode) string {
		path := filepath.Join(dir, name)
		makePrivate(t, path)
		if err := os.WriteFile(path, []byte(content), perm); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, perm); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for content, want := range map[string]string{
		"pass": "pass", "pass\n": "pass", "pass\r\nmore\n": "pass", " two words \n": " two words ", "été\n\xff": "été",
	} {
		got, err := ReadFile(write("good", content, 0o600))
		if err != nil || string(got.Reveal()) != want {
			t.Errorf("%q: %q, %v", content, got.Reveal(), err)
		}
	}
	if _, err := ReadFile(write("empty", "\nsecond", 0o600)); !errors.Is(err, ErrEmpty) {
		t.Errorf("empty first line: %v", err)
	}
	if _, err := ReadFile(write("latin", "\xe9t\xe9", 0o600)); !errors.Is(err, ErrEncoding) {
		t.Errorf("no UTF-8: %v", err)
	}
	if _, err := ReadFile(write("big", strings.Repeat("x", maxFile+1), 0o600)); err == nil {
		t.Error("a large file was read")
	}
	if _, err := ReadFile(dir); err == nil {
		t.Error("a directory was read")
	}
	if _, err := ReadFile(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	loose := write("loose", "pass", 0o600)
	share(t, loose)
	if _, err := ReadFile(loose); err == nil || strings.Contains(err.Error(), "pass ") {
		t.Errorf("a file that others may read: %v", err)
	}
}
