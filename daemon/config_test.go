package daemon_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/o2fa/o2fa/daemon/daemontest"
	"github.com/o2fa/o2fa/ipc"
)

// configured returns a daemon, not started, with a config.toml and nothing in
// its environment that wins over it.
func configured(t *testing.T, text string) (d *daemontest.Daemon, path string) {
	t.Helper()
	d = daemontest.New(t)
	d.Config.Keystore = ""
	if err := d.Profile.MakeDir(); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(d.Profile.Dir, "config.toml")
	if text != "" {
		write(t, path, text)
	}
	return d, path
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s: %q, %v; want %q", path, got, err, want)
	}
}

// value returns what is in force for a key, and whence.
func value(t *testing.T, d *daemontest.Daemon, key string) string {
	t.Helper()
	c, err := d.Client.Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Settings {
		if s.Key == key {
			return s.Value + " " + s.Source
		}
	}
	t.Fatalf("no key %s in %+v", key, c)
	return ""
}

func set(t *testing.T, d *daemontest.Daemon, key, value string) (ipc.Config, error) {
	return d.Client.Configure(t.Context(), ipc.ConfigRequest{Set: map[string]string{key: value}})
}

// warned returns the warning of status on the configuration.
func warned(t *testing.T, d *daemontest.Daemon) string {
	t.Helper()
	s, err := d.Client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range s.Warnings {
		if w.Code == "config" {
			return w.Message
		}
	}
	return ""
}

func TestConfig(t *testing.T) {
	const text = "# mine\nmin_valid = '2s' # short\n"
	d, path := configured(t, text)
	d.Config.Keystore = "keyring"
	d.Start(t)
	for key, want := range map[string]string{"keystore": "keyring O2FA_KEYSTORE", "min_valid": "2s config.toml", "trash_days": "30 default", "passphrase_file": " default"} {
		if got := value(t, d, key); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
	if c, err := set(t, d, "trash_days", "90"); err != nil || !c.Present || c.Path != path || value(t, d, "trash_days") != "90 config.toml" {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := set(t, d, "keystore", "keyfile"); err != nil || value(t, d, "keystore") != "keyring O2FA_KEYSTORE" {
		t.Errorf("the environment must win: %v", err)
	}
	if _, err := d.Client.Configure(t.Context(), ipc.ConfigRequest{Set: map[string]string{"min_valid": "3s"}, Unset: []string{"keystore"}}); err != nil {
		t.Error(err)
	}
	const edited = "# mine\nmin_valid = \"3s\" # short\ntrash_days = 90\n"
	wantFile(t, path, edited)
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for _, req := range []ipc.ConfigRequest{
		{Set: map[string]string{"trash_days": "0"}}, {Set: map[string]string{"trash_day": "1"}}, {Unset: []string{"x"}},
		{Set: map[string]string{"trash_days": "7", "keystore": "moon"}}, {Set: map[string]string{"trash_days": "7"}, Unset: []string{"trash_days"}},
	} {
		wire := (*ipc.Error)(nil)
		if _, err := d.Client.Configure(t.Context(), req); !errors.As(err, &wire) || wire.Code != ipc.CodeInvalid || !strings.HasPrefix(wire.Hint, "o2fa config") {
			t.Errorf("%+v: %v", req, err)
		}
	}
	wantFile(t, path, edited)
}

// A change of the file comes into force by itself, a bad one does not, and a bad
// file is never written over.
func TestConfigIsFollowed(t *testing.T) {
	d, path := configured(t, "")
	d.Start(t)
	write(t, path, "trash_days = 5\n")
	until(t, func() bool { return value(t, d, "trash_days") == "5 config.toml" })
	const bad = "trash_days = 6\n\nmin_valid = 5\n"
	write(t, path, bad)
	until(t, func() bool { return warned(t, d) != "" })
	want := path + ":3: min_valid must be a time from 0s to 1m, such as 5s, in quotes; what it said before stays in force"
	if got := warned(t, d); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got := value(t, d, "trash_days"); got != "5 config.toml" {
		t.Errorf("the last good configuration is gone: %s", got)
	}
	if c, err := d.Client.Config(t.Context()); err != nil || !strings.HasPrefix(want, c.Problem) || c.Problem == "" {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := set(t, d, "trash_days", "7"); !errors.Is(err, ipc.ErrInvalid) || !strings.Contains(err.Error(), path+":3: ") {
		t.Errorf("%v", err)
	}
	wantFile(t, path, bad)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return value(t, d, "trash_days") == "30 default" && warned(t, d) == "" })

	// What another program wrote a moment ago is what is edited.
	write(t, path, "# new\n")
	if _, err := set(t, d, "trash_days", "8"); err != nil {
		t.Error(err)
	}
	wantFile(t, path, "# new\ntrash_days = 8\n")
}

// With a bad file at the start codes come all the same, but no vault is made in
// a place that nobody may have meant.
func TestStartWithABadConfig(t *testing.T) {
	d, path := configured(t, "")
	d.Start(t)
	d.Add(t, rfcSecret, "github")
	d.Stop(t)
	write(t, path, "keystore = 'pasphrase'\n")
	d.Start(t)
	if _, err := d.Client.Code(t.Context(), "github", 0); err != nil {
		t.Error(err)
	}
	if got := warned(t, d); got != path+":1: keystore must be auto, keyring, passphrase, keyfile or credential; the defaults stand in for it" {
		t.Error(got)
	}

	fresh, path := configured(t, "keystore = 'pasphrase'\n")
	write(t, filepath.Join(fresh.Profile.Dir, "secrets.json"), `{"secrets": [{"secret": "`+rfcSecret+`", "name": "row"}]}`)
	fresh.Start(t)
	for what, err := range map[string]error{
		"init": second(fresh.Client.Init(t.Context(), ipc.InitRequest{})),
		"add":  second(fresh.Client.Add(t.Context(), ipc.AddRequest{Secret: rfcSecret, Name: "x"})),
	} {
		wire := (*ipc.Error)(nil)
		if !errors.As(err, &wire) || wire.Code != ipc.CodeInvalid || !strings.Contains(wire.Message, path+":1: keystore") || !strings.Contains(wire.Hint, "--keystore") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := os.Stat(fresh.Profile.VaultFile()); err == nil {
		t.Error("a vault was made")
	}
	// Mended, the file decides, and the rows that waited are taken in.
	write(t, path, "keystore = 'keyfile'\n")
	until(t, func() bool { return warned(t, fresh) == "" })
	until(t, func() bool {
		list, err := fresh.Client.Entries(t.Context(), "", false)
		return err == nil && len(list.Entries) == 1
	})
	if s, err := fresh.Client.Status(t.Context()); err != nil || len(s.Vault.Slots) != 1 || s.Vault.Slots[0].Type != "keyfile" {
		t.Errorf("%+v, %v", s.Vault, err)
	}
}

// Who says where the key goes needs no file for it.
func TestChoiceBesideABadConfig(t *testing.T) {
	d, _ := configured(t, "[")
	d.Start(t)
	if _, err := d.Client.Init(t.Context(), ipc.InitRequest{Keystore: "keyfile"}); err != nil {
		t.Error(err)
	}
	d, _ = configured(t, "[")
	d.Config.Keystore = "keyfile"
	d.Start(t)
	if _, err := d.Client.Init(t.Context(), ipc.InitRequest{}); err != nil {
		t.Error(err)
	}
}

func TestConfiguredPassphraseFile(t *testing.T) {
	d, path := configured(t, "keystore = 'passphrase'\n")
	file := filepath.Join(t.TempDir(), "pass")
	write(t, file, "correct horse\n")
	d.Start(t)
	if _, err := set(t, d, "passphrase_file", file); err != nil {
		t.Fatal(err)
	}
	d.Add(t, rfcSecret, "github")
	d.Stop(t)
	d.Start(t)
	if _, err := d.Client.Code(t.Context(), "github", 0); err != nil {
		t.Error(err)
	}
	d.Stop(t)
	write(t, path, "")
	d.Start(t)
	if _, err := d.Client.Code(t.Context(), "github", 0); !errors.Is(err, ipc.ErrLocked) {
		t.Errorf("%v", err)
	}
}

// Changes of several programs at once all arrive.
func TestConfigOfManyAtOnce(t *testing.T) {
	d, path := configured(t, "# first\n")
	d.Start(t)
	var all sync.WaitGroup
	for key, values := range map[string][]string{"trash_days": {"1", "2", "3"}, "min_valid": {"1s", "2s", "3s"}, "keystore": {"keyfile", "auto", "keyring"}} {
		all.Go(func() {
			for _, v := range values {
				if _, err := set(t, d, key, v); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	text, err := os.ReadFile(path)
	for _, line := range []string{"# first\n", "trash_days = 3\n", "min_valid = \"3s\"\n", "keystore = \"keyring\"\n"} {
		if strings.Count(string(text), line) != 1 {
			t.Errorf("%q, %v", text, err)
		}
	}
}

// A file behind a link stays behind it; what is no file of ours is not read.
func TestConfigBehindALink(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a right of their own on Windows")
	}
	d, path := configured(t, "")
	elsewhere := filepath.Join(t.TempDir(), "dotfile")
	write(t, elsewhere, "trash_days = 3\n")
	if err := os.Symlink(elsewhere, path); err != nil {
		t.Fatal(err)
	}
	d.Start(t)
	if got := value(t, d, "trash_days"); got != "3 config.toml" {
		t.Error(got)
	}
	if _, err := set(t, d, "trash_days", "4"); err != nil {
		t.Error(err)
	}
	wantFile(t, elsewhere, "trash_days = 4\n")
	if _, err := os.Readlink(path); err != nil {
		t.Error(err)
	}
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return strings.Contains(warned(t, d), path+": not a regular file of this user") })
	if _, err := set(t, d, "trash_days", "5"); !errors.Is(err, ipc.ErrInvalid) {
		t.Errorf("%v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write(t, path, fmt.Sprintf("#%065536d", 0))
	until(t, func() bool { return strings.Contains(warned(t, d), path+": too large: the most is 65536 bytes") })
}
