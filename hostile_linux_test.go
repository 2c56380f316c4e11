package o2fa_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/o2fa/o2fa/internal/command/ptytest"
)

// hostilePaths are names of directories that would act on a terminal, or that a
// shell takes apart.
var hostilePaths = []string{
	"esc\x1b[2J\x1b]0;title\a", "line\nsecond", "two  blanks 'quoted' $(reboot)", "bidi\u202egpj", "csi\u009b2J", "tab\tcr\r", "日本⚙\ufe0f",
}

// TestHostilePaths runs the programs in a profile, under a home and beside a
// socket of such names. Nothing of that reaches a terminal raw, in results,
// errors, warnings or hints, and everything works.
func TestHostilePaths(t *testing.T) {
	programs := buildPrograms(t)
	for _, name := range hostilePaths {
		t.Run(strings.ToValidUTF8(name[:3], ""), func(t *testing.T) {
			work, err := os.MkdirTemp("", "o2fa") // short: sockets live below it
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(work) })
			dir, run := filepath.Join(work, name), filepath.Join(work, "run")
			for _, d := range []string{dir, run} {
				if err := os.Mkdir(d, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			env := map[string]string{"HOME": dir, "XDG_RUNTIME_DIR": run, "PATH": os.Getenv("PATH"), "TERM": "xterm", "COLUMNS": "80", "O2FA_KEYSTORE": "keyfile"}
			b := &sandbox{work: work, environ: func(name string) string { return env[name] }}
			t.Cleanup(func() {
				for _, profile := range b.profiles() {
					stopDaemon(t, b, profile)
				}
			})
			for _, step := range hostileSteps(dir) {
				for _, variable := range step.env {
					key, value, _ := strings.Cut(variable, "=")
					env[key] = value
				}
				text, code := onTerminal(t, env, append([]string{filepath.Join(programs, step.args[0])}, step.args[1:]...))
				if code != step.code && step.code != anyEnd {
					t.Errorf("%q: exit code %d, want %d\n%q", step.args, code, step.code, text)
				}
				if _, err := ptytest.Draw(strings.ReplaceAll(text, "\r\n", "\n"), 80, ptytest.Joined); err != nil {
					t.Errorf("%q: %v", step.args, err)
				}
			}
		})
	}
}

// TestPathIsNoUTF8: a profile of such a name is refused before anything is made
// of it: no reply and no key slot could name it.
func TestPathIsNoUTF8(t *testing.T) {
	programs, dir := buildPrograms(t), filepath.Join(t.TempDir(), "bad\xff\xfeutf8")
	env := map[string]string{"OPEN2FA_DIR": dir, "HOME": t.TempDir(), "TERM": "xterm"}
	for _, line := range []string{"o2fa status", "o2fa init", "o2fad run"} {
		args := strings.Fields(line)
		text, code := onTerminal(t, env, append([]string{filepath.Join(programs, args[0])}, args[1:]...))
		if code != 1 || !strings.Contains(text, `bad\x{ff}\x{fe}utf8 is not UTF-8`) {
			t.Errorf("%s: exit code %d\n%q", line, code, text)
		}
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the directory was made")
	}
}

// hostileStep is a call, what it changes in the environment before, and its end.
type hostileStep struct {
	env  []string
	args []string
	code int
}

// anyEnd stands for every exit code.
const anyEnd = -1

// hostileSteps are calls that print paths under dir.
func hostileSteps(dir string) []hostileStep {
	call := func(code int, line string, env ...string) hostileStep {
		return hostileStep{env: env, args: strings.Fields(line), code: code}
	}
	return []hostileStep{
		call(1, "o2fa code nobody"),
		call(0, "o2fa init --no-recovery"), // warns of the key file, and asks nothing
		call(1, "o2fa init"),
		call(0, "o2fa add JBSWY3DPEHPK3PXP github"),
		call(0, "o2fa code github"),
		call(0, "o2fa status"), call(0, "o2fa status --json"),
		call(9, "o2fad run"),
		call(0, "o2fa key"), call(0, "o2fa key --json"), call(0, "o2fa config"), call(0, "o2fa config --json"), call(0, "o2fa help files"),
		{args: []string{"o2fa", "config", "set", "passphrase_file", filepath.Join(dir, "pass")}, code: anyEnd}, // no control characters there
		call(0, "o2fa config"),
		call(0, "o2fa backup create"), call(0, "o2fa backup"), call(0, "o2fa backup verify"), call(0, "o2fa backup --json"),
		call(0, "o2fa secrets-file"), call(0, "o2fa log -l"), call(anyEnd, "o2fa doctor"), call(anyEnd, "o2fa doctor --json"),
		{args: []string{"o2fa", "config", "set", "keystore", dir}, code: 2},
		call(0, "o2fa status", "OPEN2FA_DIR="+filepath.Join(dir, "profile")),
		call(0, "o2fa add JBSWY3DPEHPK3PXP other"),
		call(0, "o2fa code other"),
		call(2, "o2fa reset --no-input"), call(0, "o2fa reset --force"),
		call(1, "o2fa unlock", "O2FA_PASSPHRASE_FILE="+filepath.Join(dir, "none"), "O2FA_KEYSTORE=passphrase", "OPEN2FA_DIR="+filepath.Join(dir, "new")),
		call(1, "o2fa init"), call(1, "o2fa init --json"),
		call(6, "o2fa status", "O2FA_SOCKET="+filepath.Join(dir, "none.sock")),
		call(6, "o2fa status --json"),
	}
}

// onTerminal runs a program at a terminal and returns what that was sent.
func onTerminal(t *testing.T, env map[string]string, args []string) (text string, code int) {
	t.Helper()
	p := ptytest.New(t)
	p.Resize(80, 24)
	// What asks waits for ever, as nobody answers.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.Device, p.Device, p.Device
	for key, value := range env {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	slices.Sort(cmd.Env)
	code = exitCode(cmd.Run())
	const end = "<that was all>"
	if _, err := p.Device.WriteString(end); err != nil {
		t.Fatal(err)
	}
	p.Expect(end)
	return strings.TrimSuffix(p.Screen(), end), code
}
