package o2fa_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	clientcli "github.com/o2fa/o2fa/client/cli"
	"github.com/o2fa/o2fa/internal/command"
)

// exampleSetup makes what the examples of the help take for granted: some
// entries, one of them in the trash, the files that are named, and no daemon of
// the example before.
const exampleSetup = `set -e
cd "$HOME" && rm -rf .open2fa && mkdir -p .config/fish/completions .local/share/bash-completion/completions functions
echo JBSWY3DPEHPK3PXP >secret.txt; echo 'a passphrase of some words' >.o2fa-passphrase
{
o2fa init
for name in github 'my bank' gitlab; do printf "%s" "$name of 2026" | base32 | o2fa add --name "$name" -; done
o2fa add --type hotp --name token GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ; o2fa add --name old I65VU7K5ZQL7WB4E; o2fa delete -f old
} >/dev/null
fpath=$HOME/functions
`

// exampleEnds says how examples end that do not end with 0, or what they need
// before. Where nobody sits, o2fa cannot ask.
var exampleEnds = []struct {
	line   *regexp.Regexp
	before string
	code   int
}{
	{regexp.MustCompile(`^o2fa add$`), "", 2},
	{regexp.MustCompile(`^o2fa delete github$`), "", 2},
	{regexp.MustCompile(`o2fa init$`), "", 1},                  // there is a vault
	{regexp.MustCompile(`o2fa init --keystore`), "remove", 0},  // a first vault
	{regexp.MustCompile(`o2fa unlock --no-input$`), "lock", 0}, // by the key file
}

// TestExamplesRun carries out every example of the help as a shell does.
func TestExamplesRun(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the examples show a Unix shell")
	}
	bin, u := buildPrograms(t), newUser(t)
	var walk func(c *command.Command)
	walk = func(c *command.Command) {
		for line := range strings.Lines(c.Example) {
			example, _, _ := strings.Cut(strings.TrimSpace(line), "  #")
			t.Run(example, func(t *testing.T) { runExample(t, u, bin, strings.TrimSpace(example)) })
		}
		for _, sub := range c.Sub {
			walk(sub)
		}
	}
	walk(clientcli.Commands())
}

func runExample(t *testing.T, u *user, bin, example string) {
	for _, dir := range u.b.profiles() {
		stopDaemon(t, u.b, dir)
	}
	script, want := exampleSetup, 0
	for _, e := range exampleEnds {
		if !e.line.MatchString(example) {
			continue
		}
		want = e.code
		switch e.before {
		case "remove":
			script = strings.Replace(script, "o2fa init\n", "exit 0\n", 1)
		case "lock":
			script += "o2fa lock\n"
		}
	}
	environ := slices.Concat(u.environ(), []string{"PATH=" + bin + ":" + u.b.environ("PATH")})
	prepare := exec.Command("bash", "-c", script)
	prepare.Env = environ
	if out, err := prepare.CombinedOutput(); err != nil {
		t.Fatalf("preparing: %v\n%s", err, out)
	}
	cmd := exec.Command("bash", "-c", "fpath=$HOME/functions\n"+example)
	cmd.Env, cmd.Dir = environ, filepath.Join(u.b.work)
	out, err := cmd.CombinedOutput()
	if code := exitCode(err); code != want {
		t.Errorf("exit code %d, want %d\n%s", code, want, out)
	}
}
