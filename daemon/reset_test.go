package daemon_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/o2fa/o2fa/daemon/daemontest"
	"github.com/o2fa/o2fa/ipc"
)

// furnished returns a running daemon with a vault that a key file opens, one
// entry, and a log of its own.
func furnished(t *testing.T) *daemontest.Daemon {
	t.Helper()
	d := daemontest.New(t)
	d.Config.Keystore, d.Config.Log, d.Config.Keyring = "keyfile", nil, nil
	d.Start(t)
	d.Add(t, rfcSecret, "github")
	return d
}

// reset resets and waits for the daemon's end.
func reset(t *testing.T, d *daemontest.Daemon, vault string) ipc.ResetReply {
	t.Helper()
	reply, err := d.Client.Reset(t.Context(), ipc.ResetRequest{Vault: vault, Backups: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Client.AwaitEnd(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.Stop(t)
	return reply
}

// vaultID is the vault's id as status tells it.
func vaultID(t *testing.T, d *daemontest.Daemon) string {
	t.Helper()
	s, err := d.Client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.Vault == nil {
		return ""
	}
	return s.Vault.ID
}

// wantNothing checks that the profile is gone, and that the next daemon finds a
// fresh one.
func wantNothing(t *testing.T, d *daemontest.Daemon, reply ipc.ResetReply) {
	t.Helper()
	if len(reply.Left) != 0 {
		t.Errorf("left: %+v", reply.Left)
	}
	for _, path := range append(reply.Removed, d.Profile.Dir, filepath.Dir(d.Profile.Socket)) {
		if _, err := os.Lstat(path); filepath.IsAbs(path) && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
	d.Start(t)
	if s, err := d.Client.Status(t.Context()); err != nil || s.State != ipc.StateUninitialized || s.Problem != nil {
		t.Errorf("%s, %v, %v", s.State, s.Problem, err)
	}
	d.Add(t, rfcSecret, "new")
	d.Stop(t)
}

func TestReset(t *testing.T) {
	d := furnished(t)
	dir := d.Profile.Dir
	for _, name := range []string{"vault.key.unused-20260101T000000.000", ".o2fa-1.tmp", "o2fad.log.1", "o2fad.log.2"} {
		write(t, filepath.Join(dir, name), "x")
	}
	plan, err := d.Client.ResetPlan(t.Context(), ipc.ResetRequest{Backups: true})
	if err != nil {
		t.Fatal(err)
	}
	reply := reset(t, d, vaultID(t, d))
	for _, name := range []string{"vault.db", "vault.key", "vault.key.unused-20260101T000000.000", "vault.id", "o2fad.log", "o2fad.log.1", "o2fad.log.2", "o2fad.lock"} {
		path := filepath.Join(dir, name)
		if !slices.Contains(reply.Removed, path) || !slices.Contains(plan.Removed, path) {
			t.Errorf("%s was not announced, or not removed: %q, %q", path, plan.Removed, reply.Removed)
		}
	}
	wantNothing(t, d, reply)
}

// The state of a vault does not matter for its removal.
func TestResetInEveryState(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, d *daemontest.Daemon){
		"locked":  func(t *testing.T, d *daemontest.Daemon) { check(t, second(d.Client.Lock(t.Context()))) },
		"corrupt": func(t *testing.T, d *daemontest.Daemon) { spoilVault(t, d, func([]byte) []byte { return nil }) },
		"no vault at all": func(t *testing.T, d *daemontest.Daemon) {
			spoilVault(t, d, func([]byte) []byte { return []byte("never was one") })
		},
		"newer format":                func(t *testing.T, d *daemontest.Daemon) { spoilVault(t, d, newer) },
		"vault.db gone":               func(t *testing.T, d *daemontest.Daemon) { spoilVault(t, d, nil) },
		"key gone":                    func(t *testing.T, d *daemontest.Daemon) { lose(t, d, "vault.key") },
		"marker gone":                 func(t *testing.T, d *daemontest.Daemon) { lose(t, d, "vault.id") },
		"vault.db gone while open":    func(t *testing.T, d *daemontest.Daemon) { check(t, os.Remove(d.Profile.VaultFile())) },
		"vault and marker damaged":    damageAll,
		"only a key of a failed init": func(t *testing.T, d *daemontest.Daemon) { lose(t, d, "vault.db", "vault.id") },
		"uninitialized":               func(t *testing.T, d *daemontest.Daemon) { lose(t, d, "vault.db", "vault.id", "vault.key") },
	} {
		t.Run(name, func(t *testing.T) {
			d := furnished(t)
			spoil(t, d)
			wantNothing(t, d, reset(t, d, vaultID(t, d)))
		})
	}
}

// spoilVault stops the daemon, changes vault.db (nil: removes it) and starts it.
func spoilVault(t *testing.T, d *daemontest.Daemon, change func([]byte) []byte) {
	t.Helper()
	d.Stop(t)
	path := d.Profile.VaultFile()
	if change == nil {
		check(t, os.Remove(path))
	} else {
		data, err := os.ReadFile(path)
		check(t, err)
		write(t, path, string(change(data)))
	}
	d.Start(t)
	if s, err := d.Client.Status(t.Context()); err != nil || s.State != ipc.StateFailed {
		t.Fatalf("%s, %v", s.State, err)
	}
}

func newer(vault []byte) []byte {
	return bytes.ReplaceAll(vault, []byte("format\x00\x00\x00\x01"), []byte("format\x00\x00\x00\x02"))
}

func lose(t *testing.T, d *daemontest.Daemon, names ...string) {
	t.Helper()
	d.Stop(t)
	for _, name := range names {
		check(t, os.Remove(filepath.Join(d.Profile.Dir, name)))
	}
	d.Start(t)
}

func damageAll(t *testing.T, d *daemontest.Daemon) {
	t.Helper()
	spoilVault(t, d, func([]byte) []byte { return []byte("x") })
	write(t, filepath.Join(d.Profile.Dir, "vault.id"), "not an id\n")
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Another vault than the one that was seen stays, and goes on working.
func TestResetOfAnotherVault(t *testing.T) {
	d := furnished(t)
	for _, seen := range []string{"", strings.Repeat("0", 32), "x"} {
		if _, err := d.Client.Reset(t.Context(), ipc.ResetRequest{Vault: seen}); !errors.Is(err, ipc.ErrReplaced) {
			t.Errorf("%q: %v", seen, err)
		}
	}
	if _, err := d.Client.Code(t.Context(), "github", 0); err != nil {
		t.Error(err)
	}
	// The open file is one, the file in its place another: only that would go.
	other := furnished(t)
	other.Stop(t)
	data, err := os.ReadFile(other.Profile.VaultFile())
	check(t, err)
	write(t, d.Profile.VaultFile()+".new", string(data))
	seen := vaultID(t, d)
	check(t, os.Rename(d.Profile.VaultFile()+".new", d.Profile.VaultFile()))
	if _, err := d.Client.Reset(t.Context(), ipc.ResetRequest{Vault: seen}); !errors.Is(err, ipc.ErrReplaced) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(d.Profile.VaultFile()); err != nil {
		t.Error(err)
	}
}

// What is not o2fa's, or still of use, stays and is named.
func TestResetLeaves(t *testing.T) {
	d := furnished(t)
	dir := d.Profile.Dir
	kept := map[string]string{"secrets.json": "in clear", "open2fa.uuid": "account", "config.toml": "settings", "vault.db.bak": "not o2fa's"}
	for name := range kept {
		write(t, filepath.Join(dir, name), "")
	}
	check(t, os.MkdirAll(filepath.Join(dir, "notes", "deep"), 0o700))
	reply := reset(t, d, vaultID(t, d))
	kept["notes"] = "not o2fa's"
	if len(reply.Left) != len(kept) {
		t.Errorf("%+v", reply.Left)
	}
	for _, l := range reply.Left {
		if why := kept[filepath.Base(l.What)]; why == "" || !strings.Contains(l.Why, why) || l.Failed {
			t.Errorf("%+v", l)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(kept) {
		t.Errorf("%v, %v", entries, err)
	}

	// The list has an end.
	d.Start(t)
	for n := range 50 {
		write(t, filepath.Join(dir, fmt.Sprint("file", n)), "")
	}
	reply = reset(t, d, "")
	if last := reply.Left[len(reply.Left)-1]; len(reply.Left) != 3+20+1 || last.What != "32 more in "+dir {
		t.Errorf("%d left, the last %+v", len(reply.Left), last)
	}
}

// A link goes, and what it leads to is named: it holds the entries yet.
func TestResetOfALinkedVault(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a right of their own on Windows")
	}
	d := furnished(t)
	d.Stop(t)
	elsewhere := filepath.Join(t.TempDir(), "vault")
	check(t, errors.Join(os.Rename(d.Profile.VaultFile(), elsewhere), os.Symlink(elsewhere, d.Profile.VaultFile())))
	d.Start(t)
	reply := reset(t, d, vaultID(t, d))
	if len(reply.Left) != 1 || reply.Left[0].What != elsewhere || !reply.Left[0].Failed || !slices.Contains(reply.Removed, d.Profile.VaultFile()) {
		t.Errorf("%+v", reply)
	}
}

// Whoever is busy meanwhile makes nothing anew.
func TestResetOfABusyDaemon(t *testing.T) {
	d := furnished(t)
	var crowd sync.WaitGroup
	for range 4 {
		crowd.Go(func() {
			for n := 0; ; n++ {
				_, err := d.Client.Add(t.Context(), ipc.AddRequest{Secret: rfcSecret, Name: fmt.Sprint(n)})
				if errors.Is(err, ipc.ErrUnavailable) {
					return
				}
				if err != nil && !errors.Is(err, ipc.ErrLocked) {
					t.Errorf("%v", err)
				}
			}
		})
	}
	crowd.Go(func() {
		for deadline := time.Now().Add(20 * time.Second); ; {
			if _, err := d.Client.Init(t.Context(), ipc.InitRequest{Keystore: "keyfile"}); errors.Is(err, ipc.ErrUnavailable) {
				return
			} else if time.Now().After(deadline) {
				t.Errorf("%v", err)
				return
			}
		}
	})
	reply := reset(t, d, vaultID(t, d))
	crowd.Wait()
	wantNothing(t, d, reply)
}

// TestResetTellsOfTheUUID: mode seal leaves open2fa's UUID in the vault alone, and
// with that it goes. Where the file is there still, it stays.
func TestResetTellsOfTheUUID(t *testing.T) {
	d := furnished(t)
	told := func() string {
		plan, err := d.Client.ResetPlan(t.Context(), ipc.ResetRequest{})
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(plan.Removed, func(what string) bool { return strings.Contains(what, "UUID") })
		if i < 0 {
			return ""
		}
		return plan.Removed[i]
	}
	set := func(mode string) {
		if _, err := d.Client.SetSecretsFile(t.Context(), ipc.SecretsFileRequest{Mode: mode}); err != nil {
			t.Fatal(err)
		}
	}
	if text := told(); text != "" {
		t.Errorf("without a UUID: %q", text)
	}
	file := filepath.Join(d.Profile.Dir, "open2fa.uuid")
	write(t, file, "0e4742ef-780b-406d-8651-7766cf67be3f")
	set(ipc.ModeWatch)
	if text := told(); text != "" {
		t.Errorf("with the file: %q", text)
	}
	set(ipc.ModeSeal)
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the file: %v", err)
	}
	if text := told(); !strings.Contains(text, "in the vault alone") || !strings.Contains(text, "o2fa info -s") {
		t.Errorf("sealed: %q", text)
	}
	check(t, second(d.Client.Lock(t.Context())))
	if text := told(); !strings.Contains(text, "if it was sealed") {
		t.Errorf("sealed, and the vault locked: %q", text)
	}
	check(t, second(d.Client.Unlock(t.Context(), ipc.UnlockRequest{})))
	reply := reset(t, d, vaultID(t, d))
	if !slices.ContainsFunc(reply.Removed, func(what string) bool { return strings.Contains(what, "in the vault alone") }) {
		t.Errorf("removed: %q", reply.Removed)
	}
}
