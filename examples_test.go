package o2fa_test

import (
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"

	clientcli "github.com/o2fa/o2fa/client/cli"
	"github.com/o2fa/o2fa/internal/command"
)

// exampleSetup makes what the examples of the help take for granted: some
// entries, and one in the trash.
const exampleSetup = `set -e
cd "$HOME"
o2fa init
o2fa add --name old I65VU7K5ZQL7WB4E
o2fa delete -f old
for name in github 'my bank' gitlab; do printf "%s" "$name of 2026" | base32 | o2fa add --name "$name" -; done
o2fa add --type hotp --name token GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ
o2fa add --name first JBSWY3DPEHPK3PXP
mkdir -p .config/fish/completions .local/share/bash-completion/completions
`

// exampleFresh puts that back, and the files that examples read.
const exampleFresh = `set -e
cd "$HOME"
[ -d made ] || mv .open2fa made
rm -rf .open2fa recovery.html usb
cp -a made .open2fa
echo 'KRSXG5CTMVRXEZLUKRSXG5CT' >secret.txt
echo 'a note' >note.txt
echo 'a passphrase of some words' >.o2fa-passphrase
chmod 600 .o2fa-passphrase
`

// exampleEnds says how examples end that do not end with 0, or what they need
// before. Where nobody sits, o2fa cannot ask.
var exampleEnds = []struct {
	line   *regexp.Regexp
	before string // more of the script
	code   int
}{
	{regexp.MustCompile(`^o2fa (add|add github|edit github)$`), "", 2},
	{regexp.MustCompile(`^o2fa (delete github|trash empty|trash empty github|reset)$`), "", 2},
	{regexp.MustCompile(`^o2fa delete -s - `), "o2fa add - x <secret.txt", 2},
	{regexp.MustCompile(`^o2fa trash (restore|empty) github`), "o2fa delete -f github", 0},
	{regexp.MustCompile(`^o2fa trash restore [0-9a-f]{8}`), "", 3}, // whose ids those are
	{regexp.MustCompile(`o2fa init( --kit recovery.html)?$`), "rm -r .open2fa", 0},
	{regexp.MustCompile(`^o2fa init --keystore passphrase$`), "rm -r .open2fa", 1},
	{regexp.MustCompile(`FILE=\S+ o2fa init --keystore`), "rm -r .open2fa", 0},
	{regexp.MustCompile(`o2fa unlock`), "o2fa lock", 0}, // by the key file
	{regexp.MustCompile(`^o2fa key add passphrase$`), "", 2},
	{regexp.MustCompile(`^o2fa key (remove|change)`), "O2FA_PASSPHRASE_FILE=~/.o2fa-passphrase o2fa key add passphrase; o2fa key add recovery", 0},
	{regexp.MustCompile(`^o2fa key (remove recovery|change)$`), "", 2},
	{regexp.MustCompile(`^o2fa (log clear|reset --backups|secrets-file (seal|mirror|mirror --accept))$`), "", 2},
	{regexp.MustCompile(`^o2fa backup create --to`), "mkdir usb", 0},
	{regexp.MustCompile(`^o2fa backup (verify|restore) ~/usb`), "mkdir usb; o2fa backup create --to usb/o2fa.backup", 0},
	{regexp.MustCompile(`^o2fa backup restore ~/usb`), "", 2},
	{regexp.MustCompile(`^o2fa backup restore [0-9]`), "", 2}, // asks before it looks
	{regexp.MustCompile(`^o2fa backup restore --yes [0-9]`), "", 3},
}

// TestExamplesRun carries out every example of the help as a shell does.
func TestExamplesRun(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the examples show a Unix shell")
	}
	bin, u := buildPrograms(t), newUser(t)
	environ := append(u.environ(), "PATH="+bin+":"+u.b.environ("PATH"))
	bash(t, u, environ, exampleSetup, 0)
	var walk func(c *command.Command)
	walk = func(c *command.Command) {
		for line := range strings.Lines(c.Example) {
			example, _, _ := strings.Cut(strings.TrimSpace(line), "  #")
			t.Run(example, func(t *testing.T) { runExample(t, u, environ, strings.TrimSpace(example)) })
		}
		for _, sub := range c.Sub {
			walk(sub)
		}
	}
	walk(clientcli.Commands())
}

func runExample(t *testing.T, u *user, environ []string, example string) {
	for _, dir := range u.b.profiles() {
		stopDaemon(t, u.b, dir)
	}
	script, want := exampleFresh, 0
	for _, e := range exampleEnds {
		if e.line.MatchString(example) {
			script += e.before + "\n"
			want = max(want, e.code)
		}
	}
	bash(t, u, environ, script, 0)
	bash(t, u, environ, example, want)
}

// bash runs a script, which must end with a code.
func bash(t *testing.T, u *user, environ []string, script string, want int) {
	t.Helper()
	cmd := exec.Command("bash", "-c", script)
	cmd.Env, cmd.Dir = environ, u.b.work
	out, err := cmd.CombinedOutput()
	if code := exitCode(err); code != want {
		t.Errorf("exit code %d, want %d (see exampleEnds)\n%s", code, want, out)
	}
}
