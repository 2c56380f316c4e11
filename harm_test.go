package o2fa_test

// What the tests that do harm to a real o2fad have in common: crash_test.go,
// durability_linux_test.go and faults_linux_test.go.

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
	"github.com/o2fa/o2fa/totp"
)

// place is one profile with its own home and runtime directory, and nothing of
// the user's.
type place struct {
	programs string // directory of the built o2fa and o2fad
	env      map[string]string
	profile  socket.Profile
	client   *client.Client // starts no daemon
}

// newPlace makes a place in a fresh directory that goes with the test.
func newPlace(t *testing.T) *place {
	t.Helper()
	// Not t.TempDir: its long names leave no room for a socket's path.
	dir, err := os.MkdirTemp("", "o2fa")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return newPlaceIn(t, dir, filepath.Join(dir, "p"))
}

// newPlaceIn makes a place whose profile need not lie in dir, where the rest is.
func newPlaceIn(t *testing.T, dir, profile string) *place {
	t.Helper()
	run := filepath.Join(dir, "r")
	if err := os.Mkdir(run, 0o700); err != nil {
		t.Fatal(err)
	}
	p := &place{programs: programs(t), env: map[string]string{
		"HOME": dir, "USERPROFILE": dir, "XDG_RUNTIME_DIR": run, "OPEN2FA_DIR": profile, "O2FA_KEYSTORE": "keyfile",
	}}
	for _, name := range []string{"PATH", "TMPDIR", "GOCOVERDIR", "SYSTEMROOT"} {
		p.env[name] = os.Getenv(name)
	}
	resolved, err := socket.Resolve(func(name string) string { return p.env[name] })
	if err != nil {
		t.Fatal(err)
	}
	p.profile, p.client = resolved, &client.Client{Profile: &resolved, NoStart: true}
	return p
}

// envPrograms names the directory of the built programs to a test that cannot
// build them, since it runs as another user.
const envPrograms = "O2FA_TEST_PROGRAMS"

func programs(t testing.TB) string {
	if dir := os.Getenv(envPrograms); dir != "" {
		return dir
	}
	return buildPrograms(t)
}

func (p *place) environ() []string {
	var env []string
	for name, value := range p.env {
		env = append(env, name+"="+value)
	}
	slices.Sort(env)
	return env
}

// agent is a running o2fad, or what runs it.
type agent struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended and was reaped
	said  said
}

// said keeps what a process says, for the message of a test that fails.
type said struct {
	mu  sync.Mutex
	all bytes.Buffer // guarded by mu
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

// launch runs "o2fad run", as an argument of wrapper if there is one. It ends
// with the test.
func (p *place) launch(t *testing.T, wrapper ...string) *agent {
	t.Helper()
	args := append(wrapper, filepath.Join(p.programs, program("o2fad")), "run")
	o := &agent{cmd: exec.Command(args[0], args[1:]...), ended: make(chan struct{})}
	o.cmd.Env, o.cmd.Dir = p.environ(), p.env["HOME"]
	o.cmd.Stdout, o.cmd.Stderr = &o.said, &o.said
	o.cmd.WaitDelay = time.Second
	if err := o.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(o.ended)
		_ = o.cmd.Wait() // how it ended is in ProcessState
	}()
	t.Cleanup(func() {
		o.kill()
		// What a killed wrapper ran lives on.
		if info, held, _ := socket.ReadLock(p.profile); held && info.PID > 0 {
			if daemon, err := os.FindProcess(info.PID); err == nil {
				_ = daemon.Kill()
			}
		}
	})
	return o
}

// program is the file name of one of our programs.
func program(name string) string {
	if os.PathSeparator == '\\' {
		return name + ".exe"
	}
	return name
}

// kill ends the process at once, as kill -9 does, and waits until it is gone.
func (o *agent) kill() {
	_ = o.cmd.Process.Kill()
	<-o.ended
}

// stop asks the process to end and waits for that.
func (o *agent) stop(t *testing.T) {
	t.Helper()
	if err := terminate(o.cmd.Process.Pid); err != nil {
		t.Error(err)
	}
	select {
	case <-o.ended:
	case <-time.After(patience):
		t.Error("the daemon does not end")
		o.kill()
	}
}

// alive reports whether the process has not ended.
func (o *agent) alive() bool {
	select {
	case <-o.ended:
		return false
	default:
		return true
	}
}

// status waits until the daemon answers.
func (p *place) status(t *testing.T, o *agent) (s ipc.Status) {
	t.Helper()
	await(t, "an answer of the daemon", func() bool {
		var err error
		s, err = p.client.Status(t.Context())
		if err != nil && !o.alive() {
			t.Fatalf("the daemon ended: %v: %s%s", o.cmd.ProcessState, &o.said, p.log())
		}
		return err == nil
	})
	return s
}

// start launches the daemon and waits until it has the wanted state.
func (p *place) start(t *testing.T, want ipc.State) (*agent, ipc.Status) {
	t.Helper()
	o := p.launch(t)
	s := p.status(t, o)
	if s.State != want {
		t.Fatalf("state %s (%v), want %s; log:\n%s", s.State, s.Problem, want, p.log())
	}
	return o, s
}

// log returns the end of the daemon's log.
func (p *place) log() string {
	data, _ := os.ReadFile(p.profile.LogFile())
	return string(data[max(0, len(data)-2000):])
}

// entries returns all entries with their secrets, by name.
func (p *place) entries(t *testing.T) map[string]ipc.Entry {
	t.Helper()
	list, err := p.client.Entries(t.Context(), "", true)
	if err != nil {
		t.Fatalf("listing entries: %v", err)
	}
	all := make(map[string]ipc.Entry, len(list.Entries))
	for _, e := range list.Entries {
		if _, twice := all[e.Name]; twice {
			t.Errorf("two entries are called %s", e.Name)
		}
		all[e.Name] = e
	}
	return all
}

// add adds a totp entry, which has to work.
func (p *place) add(t *testing.T, secret, name string) {
	t.Helper()
	if _, err := p.client.Add(t.Context(), ipc.AddRequest{Secret: secret, Name: name}); err != nil {
		t.Fatalf("adding %s: %v", name, err)
	}
}

// leftovers returns the files in the profile that no daemon needs.
func (p *place) leftovers(t *testing.T) []string {
	t.Helper()
	needed := []string{"vault.db", "vault.id", "vault.key", "o2fad.lock", "o2fad.log", "o2fad.log.1", "o2fad.log.2", "secrets.json", "backups"}
	list, err := filepath.Glob(filepath.Join(p.profile.Dir, "backups", ".*")) // names there are no pattern
	if err != nil {
		t.Fatal(err)
	}
	for dir, known := range map[string][]string{
		p.profile.Dir:                  needed,
		filepath.Dir(p.profile.Socket): {filepath.Base(p.profile.Socket)},
	} {
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var unused bool // a key that an interrupted init made, and the next one put aside
		for _, f := range files {
			if !unused && strings.HasPrefix(f.Name(), "vault.key.unused-") {
				unused = true
			} else if !slices.Contains(known, f.Name()) {
				list = append(list, filepath.Join(dir, f.Name()))
			}
		}
	}
	return list
}

// await waits until done says so; it ends the test if that takes too long.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); pause() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain for %s", patience, what)
		}
	}
}

// derived returns a secret of 20 bytes, as base32, that follows from seed and
// name: whatever comes back under a name can be checked.
func derived(seed uint64, name string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d/%s", seed, name))
	return totp.EncodeSecret(sum[:20])
}

// snapshot returns the content of every file in a directory but the log and the
// lock file, which each start writes.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name := filepath.Base(path)
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(name, "o2fad.lo") {
			return err
		}
		data, err := os.ReadFile(path)
		files[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// shortly returns a context that ends before the test's patience does.
func shortly(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), patience)
}
