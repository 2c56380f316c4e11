package o2fa_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	clientcli "github.com/o2fa/o2fa/client/cli"
	daemoncli "github.com/o2fa/o2fa/daemon/cli"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc/socket"
)

// patience is how long a test waits for something that takes milliseconds.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	testscript.Main(tidy{m}, map[string]func(){
		"o2fa":  func() { main(clientcli.Run) },
		"o2fad": func() { main(daemoncli.Run) },
	})
}

// tidy ends and removes what tests have made for each other.
type tidy struct{ *testing.M }

// Run runs the tests.
func (t tidy) Run() int {
	defer func() {
		for _, end := range atEnd {
			end()
		}
	}()
	return t.M.Run()
}

var atEnd []func() // appended to by the functions that make something once

// main is what the two mains do.
func main(run func(context.Context, []string, command.Stdio) int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], command.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv,
		Process: &command.Process{Args: os.Args, Environ: os.Environ, Unsetenv: os.Unsetenv, Stop: stop}}))
}

// TestScripts runs every script with the mains inside this test binary, so
// that -race and -cover see them.
func TestScripts(t *testing.T) { runScripts(t, binaries{}) }

// TestScriptsBuilt runs them once more with the binaries that people get.
func TestScriptsBuilt(t *testing.T) {
	runScripts(t, binaries{dir: buildPrograms(t)})
}

// binaries are the o2fa and o2fad that scripts run.
type binaries struct {
	dir  string // where they are; "" means inside this test binary
	wine bool   // they are Windows programs: [wine] holds in scripts
	// stop ends the daemon of the profile dir, if one runs; nil sends a signal.
	stop func(dir string) error
}

// buildPrograms builds o2fa and o2fad as the Makefile does, once a test run.
func buildPrograms(t testing.TB) string {
	t.Helper()
	if err := build(); err != nil {
		t.Fatalf("building the programs: %v", err)
	}
	return builtDir
}

var builtDir string // set by build

var build = sync.OnceValue(func() (err error) {
	if builtDir, err = os.MkdirTemp("", "o2fa-built"); err != nil {
		return err
	}
	atEnd = append(atEnd, func() { os.RemoveAll(builtDir) })
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -buildid=", "-o", builtDir+string(filepath.Separator), "./client/o2fa", "./daemon/o2fad")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
})

func runScripts(t *testing.T, p binaries) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               func(env *testscript.Env) error { return setupScript(env, p) },
		Condition: func(name string) (bool, error) {
			if name != "wine" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			return p.wine, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"run":     scriptRun,
			"exits":   scriptExits,
			"reveal":  scriptReveal,
			"canary":  scriptCanary,
			"retry":   scriptRetry,
			"oneline": scriptOneLine,
			"tty":     scriptTTY,
			"stopped": scriptStopped,
			"desktop": scriptDesktop,
		},
	})
}

// sandbox is what one script may touch, and what is known of its canary.
type sandbox struct {
	binaries   binaries
	work       string
	canary     []byte // a secret of this script alone, raw
	planted    bool
	transcript bytes.Buffer // argv and output of every program of ours
	environ    func(string) string
	desktop    *desktop // nil until the script starts one
	tb         testing.TB
}

type sandboxKey struct{}

func box(ts *testscript.TestScript) *sandbox { return ts.Value(sandboxKey{}).(*sandbox) }

// setupScript gives a script a home, a runtime directory and a canary of its
// own, and nothing of the user's: no bus, no socket, no agent.
func setupScript(env *testscript.Env, p binaries) error {
	b := &sandbox{binaries: p, work: env.WorkDir, canary: make([]byte, 20)}
	if _, err := rand.Read(b.canary); err != nil {
		return err
	}
	home, run := filepath.Join(env.WorkDir, "home"), filepath.Join(env.WorkDir, "run")
	secrets := filepath.Join(env.WorkDir, canaryDir)
	for _, dir := range []string{home, run, secrets} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b.canary)
	if err := os.WriteFile(filepath.Join(secrets, "canary"), []byte(text+"\n"), 0o600); err != nil {
		return err
	}
	path := os.Getenv("PATH")
	if p.dir != "" {
		path = p.dir + string(filepath.ListSeparator) + path
	}
	env.Vars = append(env.Vars, "HOME="+home, "USERPROFILE="+home, "XDG_RUNTIME_DIR="+run, "PATH="+path,
		"O2FA_KEYSTORE=keyfile", "O2FA_SOCKET=", "OPEN2FA_DIR=", "OPEN2FA_UUID=", "OPEN2FA_API_URL=",
		"DBUS_SESSION_BUS_ADDRESS=", "DBUS_SYSTEM_BUS_ADDRESS=unix:path="+filepath.Join(run, "no-bus"), "DISPLAY=", "WAYLAND_DISPLAY=", "CANARY_FILE="+filepath.Join(secrets, "canary"))
	vars := env.Vars
	b.environ = func(name string) string {
		for _, v := range slices.Backward(vars) {
			if value, ok := strings.CutPrefix(v, name+"="); ok {
				return value
			}
		}
		return ""
	}
	env.Values[sandboxKey{}] = b
	t := env.T().(testing.TB)
	b.tb = t
	env.Defer(func() { finishScript(t, b) })
	return nil
}

// canaryDir holds the one copy of the canary that a script may have in clear.
const canaryDir = ".canary"

// finishScript ends the script's daemons and looks for the canary everywhere.
func finishScript(t testing.TB, b *sandbox) {
	for _, dir := range b.profiles() {
		stopDaemon(t, b, dir)
	}
	if t.Failed() || t.Skipped() {
		return
	}
	if !b.planted {
		t.Error("the script plants no canary: every script carries a secret that is searched for afterwards")
	}
	b.search(t)
}

// profiles returns the directories under the sandbox that a daemon has used.
func (b *sandbox) profiles() []string {
	var dirs []string
	_ = filepath.WalkDir(b.work, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "o2fad.lock" {
			dirs = append(dirs, filepath.Dir(path))
		}
		return nil
	})
	return dirs
}

// stopDaemon ends the daemon of the profile dir, if one runs.
func stopDaemon(t testing.TB, b *sandbox, dir string) {
	if err := b.endDaemon(dir, b.environ); err != nil {
		t.Error(err)
	}
}

// endDaemon ends the daemon of the profile dir, if one runs, and waits for
// that, having read what the system shows of it to others.
func (b *sandbox) endDaemon(dir string, getenv func(string) string) error {
	if b.binaries.stop != nil {
		return b.binaries.stop(dir)
	}
	profile, err := socket.Resolve(func(name string) string {
		if name == "OPEN2FA_DIR" {
			return dir
		}
		return getenv(name)
	})
	if err != nil {
		return fmt.Errorf("resolving %s: %w", dir, err)
	}
	info, held, err := socket.ReadLock(profile)
	if err != nil || !held {
		return err
	}
	b.observe(info.PID)
	if err := terminate(info.PID); err != nil {
		return fmt.Errorf("ending daemon %d: %w", info.PID, err)
	}
	for deadline := time.Now().Add(patience); held; pause() {
		if time.Now().After(deadline) {
			return fmt.Errorf("daemon %d of %s does not end", info.PID, dir)
		}
		if _, held, err = socket.ReadLock(profile); err != nil {
			return err
		}
	}
	return nil
}

// observe keeps what the system shows of a process to others.
func (b *sandbox) observe(pid int) {
	for _, name := range []string{"cmdline", "environ"} {
		data, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), name))
		b.transcript.Write(data)
	}
}

// pause lets another process go on, for a short while.
func pause() { <-time.After(5 * time.Millisecond) }

// terminate asks a process to end.
func terminate(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	if runtime.GOOS == "windows" {
		return p.Kill()
	}
	return p.Signal(syscall.SIGTERM)
}

// search looks for the canary in every file of the sandbox, their names, and
// all that was printed or passed as an argument.
func (b *sandbox) search(t testing.TB) {
	found := b.find(t)
	slices.Sort(found)
	for _, place := range found {
		t.Error("the canary stands in " + place)
	}
}

// find returns where the canary stands, and in which form.
func (b *sandbox) find(t testing.TB) (found []string) {
	look := func(where string, data []byte) {
		for form, needle := range canaryForms(b.canary) {
			if bytes.Contains(data, needle) {
				found = append(found, where+" as "+form)
			}
		}
	}
	look("what was printed, or in arguments", b.transcript.Bytes())
	err := filepath.WalkDir(b.work, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == canaryDir:
			return filepath.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrPermission) {
			return nil // a script made it so
		}
		look("the name "+path, []byte(path))
		look(path, data)
		return err
	})
	if err != nil {
		t.Errorf("searching for the canary: %v", err)
	}
	return found
}

// TestCanaryIsFound plants a canary in each form and place that is searched.
func TestCanaryIsFound(t *testing.T) {
	canary := make([]byte, 20)
	if _, err := rand.Read(canary); err != nil {
		t.Fatal(err)
	}
	for form, needle := range canaryForms(canary) {
		b := &sandbox{work: t.TempDir(), canary: canary}
		if found := b.find(t); len(found) != 0 {
			t.Fatalf("found where nothing is: %v", found)
		}
		if err := os.WriteFile(filepath.Join(b.work, "file"), append([]byte("before"), needle...), 0o600); err != nil {
			t.Fatal(err)
		}
		b.transcript.Write(needle)
		if found := b.find(t); len(found) < 2 {
			t.Errorf("%s in a file and in the output: found %v", form, found)
		}
	}
}

// canaryForms are the spellings in which a secret can leak: raw, base32, hex,
// and base64 at each of its three alignments.
func canaryForms(raw []byte) map[string][]byte {
	b32 := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw)
	forms := map[string][]byte{
		"raw": raw, "base32": []byte(b32), "base32 in lower case": []byte(strings.ToLower(b32)),
		"hex": []byte(hex.EncodeToString(raw)), "hex in upper case": []byte(strings.ToUpper(hex.EncodeToString(raw))),
	}
	for name, enc := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
		for skip := range 3 {
			text := enc.EncodeToString(raw[skip:])
			// The last character depends on what follows the secret.
			forms[fmt.Sprintf("%s, alignment %d", name, skip)] = []byte(text[:len(raw[skip:])*4/3])
		}
	}
	return forms
}

// exec runs one of our programs and keeps its arguments and output.
func (b *sandbox) exec(ts *testscript.TestScript, args []string) error {
	if len(args) == 0 {
		ts.Fatalf("usage: run PROGRAM [ARGUMENT ...]")
	}
	fmt.Fprintf(&b.transcript, "%q\n", args)
	err := ts.Exec(args[0], args[1:]...)
	b.transcript.WriteString(ts.ReadFile("stdout"))
	b.transcript.WriteString(ts.ReadFile("stderr"))
	return err
}

// scriptRun: run PROGRAM [ARGUMENT ...] — it must exit 0.
func scriptRun(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("use exits CODE instead of ! run")
	}
	ts.Check(box(ts).exec(ts, args))
}

// scriptExits: exits CODE PROGRAM [ARGUMENT ...] — it must exit with CODE.
func scriptExits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARGUMENT ...]")
	}
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = box(ts).exec(ts, args[1:])
	if got := exitCode(err); got != code {
		ts.Fatalf("exit code %d, want %d (%v)", got, code, err)
	}
}

func exitCode(err error) int {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}

// scriptReveal: reveal PROGRAM [ARGUMENT ...] — as run, for a command whose
// very purpose is to show secrets; what it prints is not searched.
func scriptReveal(ts *testscript.TestScript, _ bool, args []string) {
	fmt.Fprintf(&box(ts).transcript, "%q\n", args)
	ts.Check(ts.Exec(args[0], args[1:]...))
}

// scriptCanary: canary [NAME] — adds the script's own secret, by stdin.
func scriptCanary(ts *testscript.TestScript, _ bool, args []string) {
	b := box(ts)
	name := "canary"
	if len(args) > 0 {
		name = args[0]
	}
	text, err := os.ReadFile(filepath.Join(b.work, canaryDir, "canary"))
	ts.Check(err)
	if out, err := b.quiet(ts, text, []string{"o2fa", "add", "-", name}); err != nil {
		ts.Fatalf("adding the canary: %v\n%s", err, out)
	}
	b.planted = true
}

// quiet is exec without a word in the script's own log.
func (b *sandbox) quiet(ts *testscript.TestScript, stdin []byte, args []string) (string, error) {
	fmt.Fprintf(&b.transcript, "%q\n", args)
	cmd := exec.Command(lookProgram(ts, args[0]), args[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdin = ts.MkAbs("."), scriptEnv(ts), bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	b.transcript.Write(out)
	return string(out), err
}

// lookProgram finds one of our programs on the script's PATH.
func lookProgram(ts *testscript.TestScript, name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	ts.Fatalf("no %s on PATH", name)
	return ""
}

// scriptEnv is the script's environment as far as our programs read it.
func scriptEnv(ts *testscript.TestScript) []string {
	env := []string{"GOCOVERDIR=" + os.Getenv("GOCOVERDIR")}
	for _, name := range []string{"HOME", "USERPROFILE", "PATH", "TMPDIR", "XDG_RUNTIME_DIR", "OPEN2FA_DIR", "OPEN2FA_UUID", "OPEN2FA_API_URL",
		"O2FA_SOCKET", "O2FA_KEYSTORE", "O2FA_PASSPHRASE_FILE", "COMPLETE_LINE", "DBUS_SESSION_BUS_ADDRESS", "DBUS_SYSTEM_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "SYSTEMROOT"} {
		env = append(env, name+"="+ts.Getenv(name))
	}
	return env
}

// scriptRetry: retry PATTERN PROGRAM [ARGUMENT ...] — runs the program until
// its output holds the text PATTERN, or fails when that takes too long. For
// what happens by itself, such as the intake of a changed file.
func scriptRetry(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: [!] retry TEXT PROGRAM [ARGUMENT ...]")
	}
	deadline := time.Now().Add(patience)
	for {
		out, _ := box(ts).quiet(ts, nil, args[1:])
		if strings.Contains(out, args[0]) != neg {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("output never settled on %q:\n%s", args[0], out)
		}
		pause()
	}
}

// scriptOneLine: oneline — standard output is one line and nothing else.
func scriptOneLine(ts *testscript.TestScript, _ bool, _ []string) {
	out := ts.ReadFile("stdout")
	if strings.Count(out, "\n") != 1 || !strings.HasSuffix(out, "\n") || ts.ReadFile("stderr") != "" {
		ts.Fatalf("stdout %q, stderr %q", out, ts.ReadFile("stderr"))
	}
}

// scriptStopped: stopped [DIR] — ends the profile's daemon and waits for that.
func scriptStopped(ts *testscript.TestScript, _ bool, args []string) {
	b := box(ts)
	for _, dir := range b.profiles() {
		if len(args) > 0 && dir != ts.MkAbs(args[0]) {
			continue
		}
		ts.Check(b.endDaemon(dir, ts.Getenv))
	}
}
