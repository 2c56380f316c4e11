//go:build unix

package secretsfile

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestReadRefusesWhatIsNotRegular must return at once: a named pipe would hold
// a reader for as long as nobody writes.
func TestReadRefusesWhatIsNotRegular(t *testing.T) {
	dir := t.TempDir()
	pipe, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.Symlink("/dev/zero", link)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, link, dir} {
		if _, err := Read(path); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestReadRefusesLinkLoops(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.json")
	if err := os.Symlink("secrets.json", path); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("got %v", err)
	}
}

// TestReadRefusesForeignFiles needs a second user: root gives a file, then a
// link, away; others meet /etc/passwd, which is root's.
func TestReadRefusesForeignFiles(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if os.Getuid() != 0 {
		if _, err := Read("/etc/passwd"); !errors.Is(err, ErrForeign) {
			t.Errorf("foreign file: %v", err)
		}
		return
	}
	write(t, file, oneRow)
	if err := errors.Join(os.Symlink(file, link), os.Lchown(link, 65534, -1)); err != nil {
		t.Fatal(err)
	}
	wantOneRow(t, file)
	if _, err := Read(link); !errors.Is(err, ErrForeign) {
		t.Errorf("foreign link: %v", err)
	}
	if err := os.Chown(file, 65534, -1); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(file); !errors.Is(err, ErrForeign) {
		t.Errorf("foreign file: %v", err)
	}
}
