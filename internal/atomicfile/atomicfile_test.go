package atomicfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// wantNames fails if dir holds anything but names: no temporary file may stay.
func wantNames(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("directory holds %q, want %q", got, names)
	}
}

func wantContent(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s holds %d bytes, want %d", path, len(got), len(want))
	}
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secrets.json")
	for _, content := range []string{"first", "", strings.Repeat("long ", 100_000)} {
		if err := WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		wantContent(t, path, content)
		wantNames(t, dir, "secrets.json")
	}
}

func TestWriteFileInWorkingDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := WriteFile("plain", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantContent(t, "plain", "x")
}

func TestModeIsExact(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // has no such modes
	}
	path := filepath.Join(t.TempDir(), "f")
	for _, perm := range []fs.FileMode{0o600, 0o666, 0o640, 0o777, 0o400} {
		if err := WriteFile(path, []byte("x"), perm); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != perm {
			t.Errorf("mode %v, want %v", info.Mode(), perm)
		}
	}
}

// TestLongestName: a target whose name has the 255 bytes that file systems
// allow leaves no room for a suffix.
func TestLongestName(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("n", 255))
	if runtime.GOOS == "windows" {
		path = path[:200]
	}
	if err := WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantContent(t, path, "x")
}

// TestHardLinkKeepsOldContent shows that the file is replaced, not written in
// place: another name of the old file is not touched.
func TestHardLinkKeepsOldContent(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "f"), filepath.Join(dir, "other")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(path, other); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantContent(t, path, "new")
	wantContent(t, other, "old")
}

func TestMissingDirectory(t *testing.T) {
	err := WriteFile(filepath.Join(t.TempDir(), "no", "f"), nil, 0o600)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	tmp, path := filepath.Join(dir, "tmp"), filepath.Join(dir, "vault.db")
	for _, content := range []string{"first", "second"} { // into a gap, then over a file
		if err := os.WriteFile(tmp, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Replace(tmp, path); err != nil {
			t.Fatal(err)
		}
		wantContent(t, path, content)
		wantNames(t, dir, "vault.db")
	}
	if err := Replace(tmp, path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a temporary file: %v", err)
	}
	wantContent(t, path, "second")
}

func TestReplaceRefusesDirectories(t *testing.T) {
	dir := t.TempDir()
	file, sub := filepath.Join(dir, "file"), filepath.Join(dir, "sub")
	if err := errors.Join(os.WriteFile(file, []byte("x"), 0o600), os.Mkdir(sub, 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := Replace(file, sub); !errors.Is(err, ErrNotRegular) {
		t.Errorf("over a directory: %v", err)
	}
	if err := Replace(sub, filepath.Join(dir, "new")); !errors.Is(err, ErrNotRegular) {
		t.Errorf("of a directory: %v", err)
	}
	wantNames(t, dir, "file", "sub")
}

func TestSyncDir(t *testing.T) {
	dir := t.TempDir()
	if err := SyncDir(dir); err != nil {
		t.Error(err)
	}
	if err := SyncDir(filepath.Join(dir, "no")); runtime.GOOS != "windows" && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of a missing directory: %v", err)
	}
}

// TestReadersNeverSeeTorn reads all the time while the file is replaced.
func TestReadersNeverSeeTorn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	contents := [][]byte{bytes.Repeat([]byte("a"), 100_000), bytes.Repeat([]byte("b"), 50_000)}
	if err := WriteFile(path, contents[0], 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < 50 && err == nil; i++ {
			err = WriteFile(path, contents[i%2], 0o600)
		}
		done <- err
	}()
	for {
		got, err := os.ReadFile(path)
		if err != nil && runtime.GOOS != "windows" { // there an open may meet the move
			t.Fatal(err)
		}
		if err == nil && !bytes.Equal(got, contents[0]) && !bytes.Equal(got, contents[1]) {
			t.Fatalf("read a torn file of %d bytes", len(got))
		}
		gap := time.After(0)
		if runtime.GOOS == "windows" { // which replaces no file that somebody has open
			gap = time.After(time.Millisecond)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			return
		case <-gap:
		}
	}
}
