package secretsfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// absent is what a look finds where there is no file.
const absent = "(absent)"

// watched runs a real Watcher on path until the test ends. Each look sends what
// it found.
func watched(t *testing.T, path string) <-chan string {
	t.Helper()
	found := make(chan string, 10_000)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- New(path, Config{}).Run(ctx, func() {
			content, err := os.ReadFile(path)
			switch {
			case err == nil:
				found <- string(content)
			case errors.Is(err, fs.ErrNotExist):
				found <- absent
			default:
				found <- err.Error()
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return found
}

// await waits until a look finds want.
func await(t *testing.T, found <-chan string, want string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	last := "nothing"
	for last != want {
		select {
		case last = <-found:
		case <-deadline:
			t.Fatalf("no look found %q; the last found %q", want, last)
		}
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// TestWatchSavePatterns saves the file in the ways of well-known programs.
func TestWatchSavePatterns(t *testing.T) {
	patterns := map[string]func(path, content string) error{
		"open2fa: temporary file renamed over": func(path, content string) error {
			return errors.Join(os.WriteFile(path+".tmp", []byte(content), 0o600), os.Rename(path+".tmp", path))
		},
		"truncate and write": func(path, content string) error {
			return os.WriteFile(path, []byte(content), 0o600)
		},
		"vim: probe, backup, new file": func(path, content string) error {
			probe := filepath.Join(filepath.Dir(path), "4913")
			return errors.Join(
				os.WriteFile(path+".swp", nil, 0o600), os.WriteFile(probe, nil, 0o600), os.Remove(probe),
				os.Rename(path, path+"~"), os.WriteFile(path, []byte(content), 0o600),
				os.Remove(path+"~"), os.Remove(path+".swp"))
		},
		"remove and create": func(path, content string) error {
			return errors.Join(os.Remove(path), os.WriteFile(path, []byte(content), 0o600))
		},
		"hard link swapped in": func(path, content string) error {
			other := path + ".new"
			return errors.Join(os.WriteFile(other, []byte(content), 0o600), os.Remove(path), os.Link(other, path), os.Remove(other))
		},
		"written in two steps": func(path, content string) error {
			f, err := os.Create(path)
			if err != nil {
				return err
			}
			_, err1 := f.WriteString(content[:1])
			_, err2 := f.WriteString(content[1:])
			return errors.Join(err1, err2, f.Close())
		},
	}
	for name, save := range patterns {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "secrets.json")
			found := watched(t, path)
			await(t, found, absent)
			must(t, os.WriteFile(path, []byte("first"), 0o600))
			await(t, found, "first")
			for i := range 3 {
				content := fmt.Sprintf("save %d", i)
				must(t, save(path, content))
				await(t, found, content)
			}
			must(t, os.Remove(path))
			await(t, found, absent)
		})
	}
}

func TestWatchDirectoryRemovedAndRecreated(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "deep", "profile")
	path := filepath.Join(dir, "secrets.json")
	found := watched(t, path)
	await(t, found, absent)
	for i := range 3 {
		content := fmt.Sprintf("life %d", i)
		must(t, os.MkdirAll(dir, 0o700), os.WriteFile(path, []byte(content), 0o600))
		await(t, found, content)
		must(t, os.WriteFile(path, []byte(content+" goes on"), 0o600))
		await(t, found, content+" goes on")
		must(t, os.RemoveAll(filepath.Join(top, "deep")))
		await(t, found, absent)
	}
}

func TestWatchDirectoryReplaced(t *testing.T) {
	top := t.TempDir()
	dir, other := filepath.Join(top, "profile"), filepath.Join(top, "other")
	path := filepath.Join(dir, "secrets.json")
	must(t, os.Mkdir(dir, 0o700), os.Mkdir(other, 0o700), os.WriteFile(path, []byte("old"), 0o600),
		os.WriteFile(filepath.Join(other, "secrets.json"), []byte("new"), 0o600))
	found := watched(t, path)
	await(t, found, "old")
	must(t, os.Rename(dir, filepath.Join(top, "away")), os.Rename(other, dir))
	await(t, found, "new")
	must(t, os.WriteFile(path, []byte("newer"), 0o600))
	await(t, found, "newer")
}

// TestWatchDirectoryRemovedWhileInUse: a file held open, as the daemon holds
// its vault, keeps the kernel from saying that the directory went.
func TestWatchDirectoryRemovedWhileInUse(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // there it cannot be removed
	}
	dir := filepath.Join(t.TempDir(), "profile")
	path, vault := filepath.Join(dir, "secrets.json"), filepath.Join(dir, "vault.db")
	must(t, os.Mkdir(dir, 0o700), os.WriteFile(path, []byte("old"), 0o600))
	held, err := os.Create(vault)
	must(t, err)
	defer held.Close()
	found := watched(t, path)
	await(t, found, "old")
	must(t, os.RemoveAll(dir))
	await(t, found, absent)
	must(t, os.Mkdir(dir, 0o700), os.WriteFile(path, []byte("new"), 0o600))
	await(t, found, "new")
}

func TestWatchThroughLinks(t *testing.T) {
	top := t.TempDir()
	at := func(name string) string { return filepath.Join(top, filepath.FromSlash(name)) }
	path := at("profile/secrets.json")
	must(t, os.Mkdir(at("profile"), 0o700), os.Mkdir(at("dotfiles"), 0o700),
		os.WriteFile(at("dotfiles/a.json"), []byte("a1"), 0o600))
	if err := os.Symlink("../dotfiles/a.json", path); err != nil {
		t.Skip(err) // Windows wants a privilege for links
	}
	found := watched(t, path)
	await(t, found, "a1")
	must(t, os.WriteFile(at("dotfiles/a.json"), []byte("a2"), 0o600))
	await(t, found, "a2")

	// The link is pointed to a file whose directory comes later.
	must(t, os.Symlink(at("later/on/b.json"), at("new")), os.Rename(at("new"), path))
	await(t, found, absent)
	must(t, os.MkdirAll(at("later/on"), 0o700), os.WriteFile(at("later/on/b.json"), []byte("b1"), 0o600))
	await(t, found, "b1")
	must(t, os.WriteFile(at("later/on/x"), []byte("b2"), 0o600), os.Rename(at("later/on/x"), at("later/on/b.json")))
	await(t, found, "b2")

	// A link to a link, the second one in the profile itself under another spelling.
	must(t, os.Symlink("profile", at("alias")), os.Symlink(at("alias/real.json"), at("later/on/link")),
		os.Symlink(at("later/on/link"), at("new")), os.Rename(at("new"), path))
	await(t, found, absent)
	must(t, os.WriteFile(at("profile/real.json"), []byte("c1"), 0o600))
	await(t, found, "c1")

	must(t, os.Remove(path), os.WriteFile(path, []byte("plain"), 0o600))
	await(t, found, "plain")
}

// TestWatchUnderConstantRewriting rewrites a hundred times a second for two
// seconds; looks must not wait for the end.
func TestWatchUnderConstantRewriting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.json")
	found := watched(t, path)
	await(t, found, absent)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := range 200 {
		<-tick.C
		must(t, os.WriteFile(path+".tmp", fmt.Append(nil, i), 0o600), os.Rename(path+".tmp", path))
	}
	if during := len(found); during < 2 || during > 40 {
		t.Errorf("%d looks during 2 s of rewriting", during)
	}
	await(t, found, "199")
}
