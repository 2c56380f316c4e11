package o2fa_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// TestDocumentsRun runs every line after a "$ " in the console blocks of the
// documents, in order, with the built programs, and compares what it prints
// with what the document says it prints.
func TestDocumentsRun(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the documents show a Unix shell")
	}
	programs := buildPrograms(t)
	for _, name := range []string{"README.md", "docs/local-api.md", "docs/open2fa.md"} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			commands := consoleCommands(string(text))
			if len(commands) == 0 {
				t.Fatal("the document shows no command")
			}
			runDocument(t, newDocumentShell(t, programs), commands)
		})
	}
}

// documented is one command of a document, with what it is said to print.
type documented struct{ line, output string }

// consoleCommands returns the commands in the console blocks of a Markdown text.
func consoleCommands(text string) (commands []documented) {
	inside := false
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = !inside && strings.TrimSpace(line) == "```console"
		case inside && strings.HasPrefix(line, "$ "):
			command, _, _ := strings.Cut(strings.TrimSpace(line[2:]), "   #")
			commands = append(commands, documented{line: strings.TrimSpace(command)})
		case inside && len(commands) > 0:
			commands[len(commands)-1].output += line
		}
	}
	return commands
}

// newDocumentShell returns the environment of a new user.
func newDocumentShell(t *testing.T, programs string) func(fresh bool, line string) (string, error) {
	t.Helper()
	work, err := os.MkdirTemp("", "o2fa-doc") // short: sockets live below it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(work) })
	b := &sandbox{work: work}
	env := map[string]string{"HOME": filepath.Join(work, "home"), "XDG_RUNTIME_DIR": filepath.Join(work, "run"),
		"PATH": programs + ":" + os.Getenv("PATH"), "O2FA_KEYSTORE": "keyfile"}
	for _, dir := range []string{env["HOME"], env["XDG_RUNTIME_DIR"]} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	pass := filepath.Join(work, "pass")
	if err := os.WriteFile(pass, []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.environ = func(name string) string { return env[name] }
	t.Cleanup(func() {
		for _, dir := range b.profiles() {
			stopDaemon(t, b, dir)
		}
	})
	n := 0
	return func(fresh bool, line string) (string, error) {
		cmd := exec.Command("sh", "-c", line)
		cmd.Dir = env["HOME"]
		for name, value := range env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		if fresh { // a vault is made once a profile
			n++
			cmd.Env = append(cmd.Env, fmt.Sprintf("OPEN2FA_DIR=%s/profile%d", work, n), "O2FA_PASSPHRASE_FILE="+pass)
		}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
}

var changing = regexp.MustCompile(`\b[0-9]{6}\b`) // codes

func runDocument(t *testing.T, shell func(bool, string) (string, error), commands []documented) {
	for _, c := range commands {
		if strings.Contains(c.line, "curl ") {
			if _, err := exec.LookPath("curl"); err != nil {
				leftOut(t, "curl is not installed")
				continue
			}
		}
		out, err := shell(strings.HasPrefix(c.line, "o2fa init"), c.line)
		if err != nil {
			t.Errorf("$ %s\n%s%v", c.line, out, err)
		}
		if c.output != "" && changing.ReplaceAllString(out, "000000") != changing.ReplaceAllString(c.output, "000000") {
			t.Errorf("$ %s\nprints\n%s\nand not, as the document says,\n%s", c.line, out, c.output)
		}
	}
}

// leftOut skips a test for want of a tool; where skips are failures it fails.
func leftOut(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("O2FA_TEST_STRICT") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}
