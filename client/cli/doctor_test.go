package cli

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/o2fa/o2fa"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/internal/command/ptytest"
	"github.com/o2fa/o2fa/ipc"
)

// doctor calls o2fa doctor --json and wants that exit code.
func (w *world) doctor(code int) []ipc.Check {
	w.t.Helper()
	got := w.run("", "doctor", "--json")
	if got.code != code {
		w.t.Errorf("exit %d, want %d: %s%s", got.code, code, got.out, got.errs)
	}
	return fromJSON[ipc.Doctor](w.t, got.out).Checks
}

// find returns the check of that name that is not ok, or the first of it.
func find(t *testing.T, checks []ipc.Check, name string) ipc.Check {
	t.Helper()
	var first ipc.Check
	for _, c := range slices.Backward(checks) {
		if c.Name == name {
			first = c
			if c.Status != ipc.CheckOK {
				return c
			}
		}
	}
	if first.Name == "" {
		t.Errorf("no check %s in %+v", name, checks)
	}
	return first
}

func TestDoctorOfFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes are no access lists")
	}
	w := newWorld(t)
	delete(w.env, "O2FA_SOCKET")
	w.env["XDG_RUNTIME_DIR"] = filepath.Dir(filepath.Dir(w.Profile.Socket))
	w.Start(t)
	w.ok("add", rfcSecret, "github")
	if c := find(t, w.doctor(0), "files"); c.Status != ipc.CheckOK || !strings.HasSuffix(c.Message, "are this user's alone") {
		t.Errorf("%+v", c)
	}
	dir := w.Profile.Dir
	secrets := w.write("secrets.json.old", "{}")
	for _, tc := range []struct {
		dir, vault, file os.FileMode
		status           ipc.CheckStatus
		path             string
		code             int
	}{
		{0o700, 0o600, 0o600, ipc.CheckOK, dir, 0},
		{0o700, 0o644, 0o600, ipc.CheckOK, dir, 0}, // nobody comes so far, and it is sealed
		{0o700, 0o600, 0o644, ipc.CheckWarn, secrets, 0},
		{0o711, 0o644, 0o600, ipc.CheckWarn, w.Profile.VaultFile(), 0},
		{0o711, 0o600, 0o640, ipc.CheckFail, secrets, 1},
		{0o755, 0o600, 0o600, ipc.CheckWarn, dir, 0},
		{0o700, 0o620, 0o600, ipc.CheckFail, w.Profile.VaultFile(), 1},
	} {
		for path, mode := range map[string]os.FileMode{dir: tc.dir, w.Profile.VaultFile(): tc.vault, secrets: tc.file} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
		c := find(t, w.doctor(tc.code), "files")
		if c.Status != tc.status || !strings.Contains(c.Message, tc.path) || tc.status != ipc.CheckOK && !strings.HasSuffix(c.Hint, " "+tc.path) {
			t.Errorf("%+v: %+v", tc, c)
		}
	}
}

func TestDoctorOfAnotherUsersFile(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	w := newWorld(t)
	path := w.write("open2fa.uuid", "")
	if err := os.Chown(path, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	w.Start(t)
	delete(w.env, "O2FA_SOCKET")
	w.env["XDG_RUNTIME_DIR"] = filepath.Dir(filepath.Dir(w.Profile.Socket))
	if c := find(t, w.doctor(1), "files"); c.Status != ipc.CheckFail || !strings.Contains(c.Message, path+" belongs to user 65534") || c.Hint != "sudo chown 0 "+path {
		t.Errorf("%+v", c)
	}
}

// Where no daemon answers the rest is told all the same.
func TestDoctorWithoutADaemon(t *testing.T) {
	w := newWorld(t) // its socket is fixed, and nobody listens there
	checks := w.doctor(1)
	if c := find(t, checks, "daemon"); c.Status != ipc.CheckFail || !strings.Contains(c.Hint, "unset O2FA_SOCKET") {
		t.Errorf("%+v", c)
	}
	if c := find(t, checks, "environment"); !strings.Contains(c.Message, "OPEN2FA_DIR, O2FA_SOCKET") || strings.Contains(c.Message, w.Profile.Dir) {
		t.Errorf("%+v", c)
	}
	w.env["OPEN2FA_DIR"] = "\xff"
	if c := find(t, w.doctor(1), "profile"); c.Status != ipc.CheckFail || c.Hint == "" {
		t.Errorf("%+v", c)
	}
}

// A daemon of another release is told of, and one that is too old to look at
// itself.
func TestDoctorOfAnOldDaemon(t *testing.T) {
	status, err := json.Marshal(ipc.Status{State: ipc.StateReady, Release: "0.0.1", PID: 4711, Socket: "/elsewhere"})
	if err != nil {
		t.Fatal(err)
	}
	addr := serve(t, func(r *http.Request) (int, string) {
		if r.URL.Path == ipc.PathStatus {
			return 200, string(status)
		}
		return 404, `{"error":{"code":"unknown_path","message":"there is no such path in this API"}}`
	})
	w := newWorld(t)
	w.env["O2FA_SOCKET"] = addr
	checks := w.doctor(0)
	for name, text := range map[string]string{"versions": "o2fa is " + o2fa.Version() + ", and the daemon that runs 0.0.1", "daemon": "it is too old"} {
		if c := find(t, checks, name); c.Status != ipc.CheckWarn || !strings.Contains(c.Message, text) || !strings.Contains(c.Hint, "4711") {
			t.Errorf("%+v", c)
		}
	}
}

// What a daemon says is shown escaped, in lines that fit, and in colours where
// that is wanted.
func TestDoctorOnATerminal(t *testing.T) {
	found := ipc.Doctor{Checks: []ipc.Check{{Name: "vault", Status: ipc.CheckFail, Message: "it \x1b[31m has " + strings.Repeat("words ", 20), Hint: "o2fa unlock"}}}
	reply, err := json.Marshal(found)
	if err != nil {
		t.Fatal(err)
	}
	status, err := json.Marshal(ipc.Status{State: ipc.StateReady, Release: o2fa.Version()})
	if err != nil {
		t.Fatal(err)
	}
	addr := serve(t, func(r *http.Request) (int, string) {
		if r.URL.Path == ipc.PathDoctor {
			return 200, string(reply)
		}
		return 200, string(status)
	})
	w := newWorld(t)
	w.env["O2FA_SOCKET"], w.env["TERM"] = addr, "xterm"
	p := ptytest.New(t)
	p.Resize(60, 24)
	code := Run(t.Context(), []string{"doctor"}, command.Stdio{In: p.Device, Out: p.Device, Err: p.Device, Getenv: w.getenv})
	p.Expect("1 check failed")
	text := p.Screen()
	if code != 1 || !strings.Contains(text, "\x1b[31mfail\x1b[0m  vault ") || !strings.Contains(text, `\u{1b}[31m has words`) || !strings.Contains(text, "hint: o2fa unlock") {
		t.Errorf("exit %d\n%q", code, text)
	}
	for line := range strings.Lines(text) {
		line = strings.NewReplacer("\x1b[31m", "", "\x1b[32m", "", "\x1b[33m", "", "\x1b[0m", "").Replace(strings.TrimRight(line, "\r\n"))
		if strings.Contains(line, "words") && command.Width(line) > 60 {
			t.Errorf("%d cells: %q", command.Width(line), line)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, tc := range []struct {
		text  string
		cells int
		want  string
	}{
		{"one two three", 0, "one two three"},
		{"one two three", 10, "one two three"}, // hardly any room
		{"", 40, ""},
		{strings.Repeat("a", 50) + " b", 40, strings.Repeat("a", 50) + "\nb"},
		{strings.Repeat("word ", 9) + "end", 40, strings.Repeat("word ", 7) + "word\nword end"},
	} {
		if got := strings.Join(wrap(tc.text, tc.cells), "\n"); got != tc.want {
			t.Errorf("%q at %d: %q", tc.text, tc.cells, got)
		}
	}
}
