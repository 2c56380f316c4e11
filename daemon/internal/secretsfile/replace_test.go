package secretsfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

// wantDir fails unless the directory holds these names alone: nothing of ours
// stays beside the file.
func wantDir(t *testing.T, dir string, want ...string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	must(t, err)
	var got []string
	for _, e := range list {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s holds %q, want %q", dir, got, want)
	}
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s holds %q, %v, want %q", path, got, err, want)
	}
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secrets.json")
	must(t, Replace(path, nil, []byte("one"), 0))
	wantFile(t, path, "one")
	must(t, os.Chmod(path, 0o640), Replace(path, []byte("one"), []byte("two"), 0))
	wantFile(t, path, "two")
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Errorf("the mode is %v, %v", info.Mode(), err)
	}
	must(t, Replace(path, []byte("two"), []byte("three"), 0o600))
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the mode is %v, %v", info.Mode(), err)
	}
	for what, was := range map[string][]byte{"other content": []byte("thre"), "a longer one": []byte("three!"), "the same length": []byte("THREE"), "no file": nil} {
		if err := Replace(path, was, []byte("four"), 0); !errors.Is(err, ErrChanged) {
			t.Errorf("%s: %v", what, err)
		}
	}
	wantFile(t, path, "three")
	must(t, Remove(path, []byte("three")))
	wantDir(t, dir)
	if err := Replace(path, []byte("three"), []byte("four"), 0); !errors.Is(err, ErrChanged) {
		t.Errorf("a file that is gone: %v", err)
	}
	if err := Replace(filepath.Join(dir, "none", "x"), nil, nil, 0); err == nil {
		t.Error("without a directory")
	}
	wantDir(t, dir)
}

func TestReplaceThroughLinks(t *testing.T) {
	top := t.TempDir()
	at := func(name string) string { return filepath.Join(top, name) }
	must(t, os.Mkdir(at("p"), 0o700), os.Mkdir(at("dots"), 0o700), os.WriteFile(at("dots/real"), []byte("one"), 0o600))
	if err := os.Symlink("../dots/link", at("p/secrets.json")); err != nil {
		t.Skip(err) // Windows wants a privilege for links
	}
	must(t, os.Symlink("real", at("dots/link")))
	must(t, Replace(at("p/secrets.json"), []byte("one"), []byte("two"), 0))
	wantFile(t, at("dots/real"), "two")
	wantDir(t, at("dots"), "link", "real")
	wantDir(t, at("p"), "secrets.json")
	if to, err := os.Readlink(at("p/secrets.json")); err != nil || to != "../dots/link" {
		t.Errorf("the link is %q, %v", to, err)
	}
	// Where the end of the links is missing it is made.
	must(t, os.Remove(at("dots/real")), Replace(at("p/secrets.json"), nil, []byte("three"), 0))
	wantFile(t, at("dots/real"), "three")

	must(t, os.Symlink("round", at("p/round")), os.Mkdir(at("p/dir"), 0o700))
	for _, name := range []string{"p/round", "p/dir"} {
		if err := Replace(at(name), nil, []byte("x"), 0); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAside looks at each state in which a crash can leave the directory.
func TestAside(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secrets.json")
	aside := path + asideSuffix
	if data, err := Aside(path); data != nil || err != nil {
		t.Errorf("nothing: %q, %v", data, err)
	}
	must(t, os.WriteFile(path, []byte("now"), 0o600), os.WriteFile(aside, []byte("was"), 0o600))
	data, err := Aside(path)
	if err != nil || string(data) != "was" {
		t.Errorf("%q, %v", data, err)
	}
	if err := Replace(path, []byte("now"), []byte("new"), 0); !errors.Is(err, ErrChanged) {
		t.Errorf("over what is not taken yet: %v", err)
	}
	if err := DropAside(path, []byte("else")); !errors.Is(err, ErrChanged) {
		t.Errorf("dropping what was not read: %v", err)
	}
	must(t, DropAside(path, data))
	wantDir(t, dir, "secrets.json")

	must(t, os.Rename(path, aside))
	if data, err := Aside(path); data != nil || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	wantFile(t, path, "now")
	wantDir(t, dir, "secrets.json")

	must(t, os.WriteFile(path+newSuffix, []byte("half"), 0o600), Replace(path, []byte("now"), []byte("new"), 0))
	wantDir(t, dir, "secrets.json")
}

// TestTakeAway is Replace where two files cannot change places.
func TestTakeAway(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secrets.json")
	must(t, os.WriteFile(path, []byte("was"), 0o600), writeNew(path, []byte("new"), 0))
	if err := takeAway(path, []byte("other")); !errors.Is(err, ErrChanged) {
		t.Errorf("another content: %v", err)
	}
	wantFile(t, path, "was")
	must(t, takeAway(path, []byte("was")))
	wantFile(t, path, "new")
	wantDir(t, dir, "secrets.json")
	if err := takeAway(path, []byte("new")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a new file: %v", err)
	}
	wantFile(t, path, "new")
	wantDir(t, dir, "secrets.json")
}
