package secretsfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const oneRow = `{"secrets": [{"secret": "GEZDGNBV", "name": "a"}]}`

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func wantOneRow(t *testing.T, path string) {
	t.Helper()
	data, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if got := show(f); got != "1 \"a\" GEZDGNBV\n" {
		t.Errorf("got %s", got)
	}
}

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.json")
	if _, err := Read(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	write(t, path, oneRow)
	wantOneRow(t, path)
	write(t, path, "")
	if data, err := Read(path); err != nil || len(data) != 0 {
		t.Errorf("empty: %q, %v", data, err)
	}
}

func TestReadThroughOwnLinks(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	err := errors.Join(
		os.Mkdir(at("dotfiles"), 0o700), os.Mkdir(at("profile"), 0o700),
		os.Symlink("../dotfiles/link.json", at("profile/secrets.json")),
		os.Symlink(at("dotfiles/real.json"), at("dotfiles/link.json")),
		os.Symlink("profile", at("alias")))
	if err != nil {
		t.Skip(err) // Windows wants a privilege for links
	}
	if _, err := Read(at("alias/secrets.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("link to nowhere: %v", err)
	}
	write(t, at("dotfiles/real.json"), oneRow)
	wantOneRow(t, at("profile/secrets.json"))
	wantOneRow(t, at("alias/secrets.json"))
}

func TestReadRefusesWhatIsTooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.json")
	write(t, path, "")
	if err := os.Truncate(path, MaxSize+1); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "larger") {
		t.Errorf("got %v", err)
	}
}
