//go:build unix

package client

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

func TestStartsTheDaemon(t *testing.T) {
	c := newClient(t, good())
	raw, err := c.Do(t.Context(), Request{Method: "GET", Path: "/circumstances"})
	if err != nil {
		t.Fatal(err)
	}
	var got circumstances
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if got.Dir != "/" || !got.Leader || !slices.Equal(got.Args, []string{c.Daemon, "run"}) || !slices.Equal(got.Environ, c.Environ) {
		t.Errorf("started as %+v", got)
	}
	log := c.Profile.LogFile()
	if runtime.GOOS == "linux" && got.Files != [3]string{"/dev/null", log, log} {
		t.Errorf("its files are %v", got.Files)
	}
	if info, err := os.Stat(log); err != nil || info.Mode() != 0o600 {
		t.Errorf("its log: %v, %v", info, err)
	}
	// The next call finds it.
	if _, err := c.Status(t.Context()); err != nil || lines(*c.Profile, "started") != 1 {
		t.Errorf("%d daemons, %v", lines(*c.Profile, "started"), err)
	}
}

func TestDaemonGetsACleanEnvironment(t *testing.T) {
	p := resolve(t, map[string]string{"HOME": "/h", "LD_PRELOAD": "/evil.so", "PATH": "/bin"})
	s := &session{Client: &Client{}, profile: p}
	if got := s.command("/x", "run").Env; !slices.Equal(got, []string{"OPEN2FA_DIR=/h/.open2fa", "HOME=/h", "PATH=/bin"}) {
		t.Errorf("%q", got)
	}
}

// TestManyClientsAtOnce starts up to twenty daemons; one may serve, and all
// clients reach it.
func TestManyClientsAtOnce(t *testing.T) {
	c := newClient(t, good())
	const n = 20
	pids, errs := make([]int, n), make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			status, err := c.Status(t.Context())
			pids[i], errs[i] = status.PID, err
		})
	}
	group.Wait()
	for i := range n {
		if errs[i] != nil || pids[i] != pids[0] {
			t.Errorf("client %d: pid %d, %v", i, pids[i], errs[i])
		}
	}
	if got := lines(*c.Profile, "started"); got != 1 {
		t.Errorf("%d daemons served", got)
	}
}

func TestReplacesAKilledDaemon(t *testing.T) {
	c := newClient(t, good())
	first, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	endDaemon(t, *c.Profile) // by SIGKILL: its socket stays
	if _, err := os.Lstat(c.Profile.Socket); err != nil {
		t.Fatalf("no stale socket: %v", err)
	}
	second, err := c.Status(t.Context())
	if err != nil || second.PID == first.PID {
		t.Errorf("pid %d, then %d, %v", first.PID, second.PID, err)
	}
}

// TestCrashAtTheStart: the first line says why, and what follows where it was.
func TestCrashAtTheStart(t *testing.T) {
	for text, want := range map[string]string{
		"fatal error: out of memory\n\ngoroutine 1:\n\tmain.go:1": "fatal error: out of memory",
		"runtime: failed to create new OS thread\n\tproc.go:9":    "runtime: failed to create new OS thread",
		"level=INFO msg=serving\no2fad: error: no socket":         "o2fad: error: no socket",
		"": "",
	} {
		d := &daemon{path: "/o2fad", logPath: filepath.Join(t.TempDir(), "log"), logFrom: 6}
		os.WriteFile(d.logPath, []byte("before"+text+strings.Repeat("\n", min(1, len(text)))), 0o600)
		if got := d.lastLine(); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestFailureShowsAtOnce has a daemon that ends at its start. The client's
// patience is far longer than a test may take.
func TestFailureShowsAtOnce(t *testing.T) {
	f := good()
	f.Fail = "o2fad: error: the vault is of a newer format"
	c := newClient(t, f)
	c.patience = time.Hour
	if err := c.Profile.MakeDir(); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(c.Profile.LogFile(), []byte("an older line\n"), 0o600)
	_, err := c.Status(t.Context())
	if !errors.Is(err, ipc.ErrUnavailable) || !strings.Contains(err.Error(), f.Fail) || !strings.Contains(err.Error(), c.Profile.LogFile()) {
		t.Error(err)
	}
	if log, _ := os.ReadFile(c.Profile.LogFile()); string(log) != "an older line\n"+f.Fail+"\n" {
		t.Errorf("the log was not appended to: %q", log)
	}
}

func TestDaemonThatIsNotThere(t *testing.T) {
	c := newClient(t, good())
	c.Daemon = "/nonexistent/o2fad"
	if _, err := c.Status(t.Context()); !errors.Is(err, ipc.ErrUnavailable) || !strings.Contains(err.Error(), c.Daemon) {
		t.Error(err)
	}
	c.Daemon = "" // beside this test's binary there is none
	if _, err := c.Status(t.Context()); !errors.Is(err, ipc.ErrUnavailable) || !strings.Contains(err.Error(), "libexec") {
		t.Error(err)
	}
}

func TestBesides(t *testing.T) {
	root := t.TempDir()
	bin, libexec := filepath.Join(root, "bin"), filepath.Join(root, "libexec", "o2fa")
	os.MkdirAll(filepath.Join(bin, daemonName), 0o700) // a directory is no daemon
	os.MkdirAll(libexec, 0o700)
	t.Chdir(libexec)
	t.Setenv("PATH", libexec)
	if path, err := besides(bin); err == nil {
		t.Errorf("found %s", path)
	}
	os.WriteFile(filepath.Join(libexec, daemonName), nil, 0o700)
	if path, err := besides(bin); err != nil || path != filepath.Join(libexec, daemonName) {
		t.Errorf("%s, %v", path, err)
	}
	os.Remove(filepath.Join(bin, daemonName))
	os.WriteFile(filepath.Join(bin, daemonName), nil, 0o700)
	if path, err := besides(bin); err != nil || path != filepath.Join(bin, daemonName) {
		t.Errorf("%s, %v", path, err)
	}
	// Neither the working directory nor PATH has a say.
	if path, err := besides(t.TempDir()); err == nil {
		t.Errorf("found %s", path)
	}
}

// TestLiveButMute has a daemon that holds the lock and listens nowhere.
func TestLiveButMute(t *testing.T) {
	f := good()
	f.Mute = true
	c := newClient(t, f)
	c.patience = 200 * time.Millisecond
	if _, err := c.Status(t.Context()); !errors.Is(err, ipc.ErrUnavailable) {
		t.Fatal(err)
	}
	await(t, "the daemon's lock", func() bool { info, _, _ := socket.ReadLock(*c.Profile); return info.PID > 0 })
	info, _, _ := socket.ReadLock(*c.Profile)
	_, err := c.Status(t.Context())
	for _, want := range []string{"pid " + itoa(info.PID), c.Profile.Socket, c.Profile.LogFile()} {
		if !errors.Is(err, ipc.ErrUnavailable) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

// TestStoppedDaemon is one whose kernel takes connections for it.
func TestStoppedDaemon(t *testing.T) {
	c := newClient(t, good())
	status, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	syscall.Kill(status.PID, syscall.SIGSTOP)
	if runtime.GOOS == "linux" { // the signal is not delivered at once
		await(t, "the daemon to stop", func() bool {
			stat, _ := os.ReadFile("/proc/" + itoa(status.PID) + "/stat")
			return strings.Contains(string(stat), ") T ")
		})
	}
	c.patience = 50 * time.Millisecond
	_, err = c.Status(t.Context())
	if !errors.Is(err, ipc.ErrUnavailable) || !strings.Contains(err.Error(), "pid "+itoa(status.PID)) {
		t.Error(err)
	}
}

func TestDaemonAtAnotherAddress(t *testing.T) {
	f := good()
	f.Elsewhere = environment(t)["HOME"] + "/there/agent.sock"
	c := newClient(t, f)
	for _, noStart := range []bool{false, true} {
		c.NoStart = noStart
		if _, err := c.Status(t.Context()); err != nil {
			t.Errorf("NoStart %v: %v", noStart, err)
		}
	}
	if got := lines(*c.Profile, "started"); got != 1 {
		t.Errorf("%d daemons served", got)
	}
}

func TestStartsNothing(t *testing.T) {
	untouched := func(name string, c *Client, err error) {
		t.Helper()
		if !errors.Is(err, ipc.ErrUnavailable) || !errors.Is(err, socket.ErrNotRunning) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(c.Profile.Dir); err == nil {
			t.Errorf("%s: the profile's directory was made", name)
		}
	}
	c := newClient(t, good())
	_, err := c.Lock(t.Context())
	untouched("Lock", c, err)
	untouched("Shutdown", c, c.Shutdown(t.Context(), ipc.ShutdownRequest{}))
	c.Profile.Fixed = true
	_, err = c.Status(t.Context())
	untouched("O2FA_SOCKET", c, err)
	c.Profile.Fixed, c.NoStart = false, true
	_, err = c.Status(t.Context())
	untouched("NoStart", c, err)
}

func TestForeignPlacesStartNothing(t *testing.T) {
	c := newClient(t, good())
	os.MkdirAll(filepath.Dir(c.Profile.Socket), 0o755)
	os.Chmod(filepath.Dir(c.Profile.Socket), 0o755)
	if _, err := c.Status(t.Context()); !errors.Is(err, ipc.ErrUnavailable) || !errors.Is(err, socket.ErrForeign) {
		t.Errorf("a loose socket directory: %v", err)
	}
	c = newClient(t, good())
	os.Mkdir(c.Profile.Dir, 0o700)
	os.Chmod(c.Profile.Dir, 0o777)
	if _, err := c.Status(t.Context()); !errors.Is(err, ipc.ErrUnavailable) || !errors.Is(err, socket.ErrForeign) {
		t.Errorf("a loose profile directory: %v", err)
	}
}

func TestContextEndsTheWaitForADaemon(t *testing.T) {
	f := good()
	f.Mute = true
	c := newClient(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		await(t, "the daemon's lock", func() bool { info, _, _ := socket.ReadLock(*c.Profile); return info.PID > 0 })
		cancel()
	}()
	if _, err := c.Status(ctx); !errors.Is(err, context.Canceled) || !errors.Is(err, ipc.ErrUnavailable) {
		t.Error(err)
	}
}
