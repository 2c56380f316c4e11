package o2fa_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestManyDaemonsAtOnce: one serves, the others exit with 9 and say who does.
func TestManyDaemonsAtOnce(t *testing.T) {
	programs, u := buildPrograms(t), newUser(t)
	const many = 8
	type end struct {
		code int
		out  string
	}
	ends := make(chan end, many)
	for range many {
		cmd := exec.Command(filepath.Join(programs, "o2fad"), "run")
		for _, name := range []string{"HOME", "USERPROFILE", "XDG_RUNTIME_DIR", "PATH", "O2FA_KEYSTORE"} {
			cmd.Env = append(cmd.Env, name+"="+u.b.environ(name))
		}
		go func() {
			out, err := cmd.CombinedOutput()
			ends <- end{exitCode(err), string(out)}
		}()
	}
	for range many - 1 {
		if e := <-ends; e.code != 9 || !strings.Contains(e.out, "another o2fad serves this profile") {
			t.Errorf("exit code %d: %s", e.code, e.out)
		}
	}
	u.must(programs, "add", "JBSWY3DPEHPK3PXP", "github")
	u.must(programs, "code", "github")
	if err := terminate(u.status(programs).PID); err != nil {
		t.Fatal(err)
	}
	if e := <-ends; e.code != 0 {
		t.Errorf("the one that served: exit code %d: %s", e.code, e.out)
	}
}

// TestEveryCommandHasAScript reads the commands off the help.
func TestEveryCommandHasAScript(t *testing.T) {
	u := newUser(t)
	help := u.must(buildPrograms(t), "help", "commands")
	commands := regexp.MustCompile(`(?m)^  ([a-z-]+)  +[A-Z]`).FindAllStringSubmatch(help, -1)
	if len(commands) < 10 {
		t.Fatalf("%d commands in\n%s", len(commands), help)
	}
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var scripts strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		scripts.Write(text)
	}
	for _, c := range commands {
		if !regexp.MustCompile(`(?m)^(run|reveal|exits \d+|tty \S+ \d+|retry .*) o2fa ` + c[1] + `\b`).MatchString(scripts.String()) {
			t.Errorf("no script runs o2fa %s", c[1])
		}
	}
}
