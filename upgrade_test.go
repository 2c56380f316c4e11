package o2fa_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

// buildRelease builds o2fa and o2fad as the given release, speaking API api.
func buildRelease(t *testing.T, release string, api int) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"build", "-trimpath", "-ldflags", "-s -w -X github.com/o2fa/o2fa.version=" + release}
	if api != ipc.Version {
		args = append(args, "-overlay", apiOverlay(t, api))
	}
	cmd := exec.Command("go", append(args, "-o", dir+string(filepath.Separator), "./client/o2fa", "./daemon/o2fad")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", release, err, out)
	}
	return dir
}

// apiOverlay is the source with another API number: a future release.
func apiOverlay(t *testing.T, api int) string {
	t.Helper()
	source, err := filepath.Abs("ipc/ipc.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	now, future := []byte(fmt.Sprintf("const Version = %d\n", ipc.Version)), []byte(fmt.Sprintf("const Version = %d\n", api))
	if bytes.Count(text, now) != 1 {
		t.Fatal("ipc.go does not declare the API number as expected")
	}
	copied, overlay := filepath.Join(t.TempDir(), "ipc.go"), filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(copied, bytes.Replace(text, now, future, 1), 0o600); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(map[string]map[string]string{"Replace": {source: copied}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return overlay
}

// user is somebody with a profile, who runs one installation or another.
type user struct {
	t *testing.T
	b *sandbox
}

func newUser(t *testing.T) *user {
	t.Helper()
	work, err := os.MkdirTemp("", "o2fa-up") // short: a socket lies below it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(work) })
	env := map[string]string{"HOME": work, "USERPROFILE": work, "XDG_RUNTIME_DIR": filepath.Join(work, "run"),
		"PATH": os.Getenv("PATH"), "O2FA_KEYSTORE": "keyfile"}
	if err := os.Mkdir(env["XDG_RUNTIME_DIR"], 0o700); err != nil {
		t.Fatal(err)
	}
	u := &user{t: t, b: &sandbox{work: work, environ: func(name string) string { return env[name] }}}
	t.Cleanup(func() {
		for _, dir := range u.b.profiles() {
			stopDaemon(t, u.b, dir)
		}
	})
	return u
}

// run runs an o2fa and returns all that it printed, and its exit code.
func (u *user) run(installation string, args ...string) (string, int) {
	cmd := exec.Command(filepath.Join(installation, "o2fa"), args...)
	cmd.Env = u.environ()
	out, err := cmd.CombinedOutput()
	return string(out), exitCode(err)
}

// environ is the environment of the user.
func (u *user) environ() (env []string) {
	for _, name := range []string{"HOME", "USERPROFILE", "XDG_RUNTIME_DIR", "PATH", "O2FA_KEYSTORE"} {
		env = append(env, name+"="+u.b.environ(name))
	}
	return env
}

// must is run for what has to work.
func (u *user) must(installation string, args ...string) string {
	u.t.Helper()
	out, code := u.run(installation, args...)
	if code != 0 {
		u.t.Fatalf("o2fa %q: exit code %d\n%s", args, code, out)
	}
	return out
}

func (u *user) status(installation string) ipc.Status {
	u.t.Helper()
	var s ipc.Status
	if out := u.must(installation, "status", "--json"); json.Unmarshal([]byte(out), &s) != nil {
		u.t.Fatalf("status: %s", out)
	}
	return s
}

// TestNewerAPITakesOver is the day of an upgrade that needs another daemon.
func TestNewerAPITakesOver(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("it edits a lock file that Windows keeps closed")
	}
	old, next := buildRelease(t, "1.0.0", ipc.Version), buildRelease(t, "1.1.0", ipc.Version+1)
	u := newUser(t)
	u.must(old, "add", "JBSWY3DPEHPK3PXP", "github")
	first := u.status(old)

	// A daemon that has only just started is not replaced again.
	out, code := u.run(next, "code", "github")
	if code != 6 || !strings.Contains(out, first.Executable) || !strings.Contains(out, filepath.Join(next, "o2fad")) {
		t.Fatalf("exit code %d: it should name both binaries\n%s", code, out)
	}
	age(t, first, 2*time.Minute)
	u.must(next, "code", "github")
	second := u.status(next)
	if second.Release != "1.1.0" || second.API != ipc.Version+1 || second.PID == first.PID || second.State != ipc.StateReady {
		t.Errorf("%+v", second)
	}
	// The older one never takes it back.
	age(t, second, 2*time.Minute)
	if out, code := u.run(old, "code", "github"); code != 6 || !strings.Contains(out, "API") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if again := u.status(next); again.PID != second.PID {
		t.Errorf("the daemon was replaced: %+v", again)
	}
}

// age makes the lock file say that the daemon was started earlier.
func age(t *testing.T, s ipc.Status, by time.Duration) {
	t.Helper()
	path := filepath.Join(s.Dir, "o2fad.lock")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var info socket.LockInfo
	if err := json.Unmarshal(data, &info); err != nil {
		t.Fatal(err)
	}
	info.Started = info.Started.Add(-by)
	if data, err = json.Marshal(info); err != nil {
		t.Fatal(err)
	}
	// In place: the lock is on this very file.
	if err := os.WriteFile(path, append(data, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestReplacedExecutableHandsOver is the day of any other upgrade.
func TestReplacedExecutableHandsOver(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not replace a running executable")
	}
	installation, next := buildRelease(t, "1.0.0", ipc.Version), buildRelease(t, "1.0.1", ipc.Version)
	u := newUser(t)
	u.must(installation, "add", "JBSWY3DPEHPK3PXP", "github")
	first := u.status(installation)
	if err := os.Rename(filepath.Join(next, "o2fad"), filepath.Join(installation, "o2fad")); err != nil {
		t.Fatal(err)
	}
	// The old one notices after a request, at most a second later.
	for deadline := time.Now().Add(patience); ; pause() {
		u.must(installation, "code", "github")
		if s := u.status(installation); s.Release == "1.0.1" && s.PID != first.PID {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the old daemon goes on")
		}
	}
	// Development builds replace nobody.
	dev := buildRelease(t, "2.0.0-dev", ipc.Version)
	second := u.status(installation)
	if err := os.Rename(filepath.Join(dev, "o2fad"), filepath.Join(installation, "o2fad")); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(1500 * time.Millisecond); time.Now().Before(deadline); pause() {
		u.must(installation, "code", "github")
	}
	if s := u.status(installation); s.PID != second.PID {
		t.Errorf("a development build took over: %+v", s)
	}
}
