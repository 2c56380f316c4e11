package o2fa_test

import (
	"encoding/base32"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/o2fa/o2fa/internal/command/ptytest"
	"github.com/o2fa/o2fa/ipc"
)

// shellSetup is a way in which a shell gets at the script of o2fa.
type shellSetup struct {
	name, program string
	args          []string
	pkg           string              // the Debian package that has what is needed
	needs         string              // a file of that package; "" for the program itself
	prepare       func(*shellSession) // before the shell starts
	lines         []string            // typed first
}

var shellSetups = []shellSetup{
	{name: "bash", program: "bash", args: []string{"--noprofile", "--norc", "-i"}, pkg: "bash",
		lines: []string{"bind 'set enable-bracketed-paste off'", `eval "$(o2fa completion bash)"`}},
	{name: "bash with its package", program: "bash", args: []string{"--noprofile", "--norc", "-i"}, pkg: "bash-completion",
		needs: "/usr/share/bash-completion/bash_completion",
		lines: []string{"bind 'set enable-bracketed-paste off'", ". /usr/share/bash-completion/bash_completion",
			"mkdir -p ~/.local/share/bash-completion/completions",
			"o2fa completion bash > ~/.local/share/bash-completion/completions/o2fa"}},
	{name: "zsh", program: "zsh", args: []string{"-f", "-i"}, pkg: "zsh",
		lines: []string{"mkdir -p ~/.zfunc", "o2fa completion zsh > ~/.zfunc/_o2fa",
			"fpath=(~/.zfunc $fpath)", "autoload -U compinit && compinit -u -D"}}, // -u: root's directories may belong to others
	{name: "zsh that sources", program: "zsh", args: []string{"-f", "-i"}, pkg: "zsh",
		lines: []string{"autoload -U compinit; compinit -u -D; source <(o2fa completion zsh)"}},
	{name: "fish", program: "fish", args: []string{"-i"}, pkg: "fish",
		prepare: func(s *shellSession) { s.script("fish", ".config/fish/completions/o2fa.fish") }},
}

// shellSession is a shell that somebody types into.
type shellSession struct {
	t     *testing.T
	term  *ptytest.Terminal
	user  *user
	bin   string
	count int
}

// startShell starts a shell for a user who has o2fa on PATH.
func startShell(t *testing.T, setup shellSetup, u *user, bin string) *shellSession {
	t.Helper()
	path, err := exec.LookPath(setup.program)
	if err == nil && setup.needs != "" {
		_, err = os.Stat(setup.needs)
	}
	if err != nil {
		t.Skipf("%s is not installed (package %s)", setup.name, setup.pkg)
	}
	s := &shellSession{t: t, term: ptytest.New(t), user: u, bin: bin}
	if setup.prepare != nil {
		setup.prepare(s)
	}
	cmd := exec.Command(path, setup.args...)
	cmd.Dir = u.b.work
	cmd.Env = append(u.environ(), "PATH="+bin+":"+os.Getenv("PATH"), "TERM=xterm", "LC_ALL=C.UTF-8", "PS1=> ", "HISTFILE=", "SHELL="+path)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.term.Device, s.term.Device, s.term.Device
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for _, line := range setup.lines {
		s.line(line)
	}
	s.line("stty columns 100 rows 40")
	return s
}

// script writes the script of a shell to a file of the user.
func (s *shellSession) script(shell, name string) {
	path := filepath.Join(s.user.b.work, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(s.user.must(s.bin, "completion", shell)), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// line types a line and waits until it has been carried out.
func (s *shellSession) line(text string) {
	s.t.Helper()
	s.count++
	// What is typed is shown, too, but not in one piece.
	s.term.Type(fmt.Sprintf("%s; echo do''ne%d.\n", text, s.count))
	s.term.Expect(fmt.Sprintf("done%d.", s.count))
}

// complete types a call of o2fa and the key that completes it, lets it run, and
// returns the words that o2fa got and the code that it printed.
func (s *shellSession) complete(typed string) (words []string, code ipc.Code) {
	s.t.Helper()
	argv, out := filepath.Join(s.user.b.work, "argv"), filepath.Join(s.user.b.work, "out")
	_, _ = os.Remove(argv), os.Remove(out)
	s.line("o2fa --json " + typed + "\t >" + out + " 2>&1")
	raw, _ := os.ReadFile(argv)
	text, _ := os.ReadFile(out)
	_ = json.Unmarshal(text, &code)
	return strings.Split(strings.TrimSuffix(string(raw), "\x00"), "\x00"), code
}

// spied returns a directory with an o2fa that leaves the words of each call of a
// person in the file argv of their home, then is the built one.
func spied(t *testing.T, bin string) string {
	dir := t.TempDir()
	script := "#!/bin/sh\ncase $1 in __complete | completion) ;; *) printf '%s\\0' \"$@\" >\"$HOME/argv\" ;; esac\nexec '" + bin + "/o2fa' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "o2fa"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// press types a call of o2fa and some keys, waits for what is to be shown then,
// and throws the line away.
func (s *shellSession) press(typed, want string) {
	s.t.Helper()
	for range completeTries {
		before := len(s.term.Screen())
		s.term.Type("o2fa " + typed)
		shown := s.term.Await(before, want, 2*time.Second)
		s.term.Type(" \x15") // the blank leaves a menu
		s.line("true")
		if shown {
			return
		}
	}
	s.t.Errorf("o2fa %q never showed %q", typed, want)
}

// completeTries is how often a test presses the key. To complete has little
// time, and on a machine that is busy with other tests that may not be enough.
const completeTries = 10

// shellNames are names that mean something to one shell or another.
var shellNames = []string{
	"my bank", "my big bank", "git:hub", "git:lab", "it's", `a"b`, "cost$5", `back\slash`, "paren(x)", "Zürich 日本", "-dash", "semi;colon",
	"wow!x", "tick`x", "two  blanks", "GitLab x", "~home", "*glob", "#hash", "=eq", "ann@example.com", "run $(touch pwned)", "percent%d", "brace{a,b}",
	"curly’s", `q"u'o\te`, "<less", "|pipe", "[set]", "?any", "^caret", "&and", "back\\", "list one", "list two", "list \x1b[7777z", "list \u202etxt", "list\nline",
}

// nameOf returns arguments of code without flags.
func nameOf(arguments string) string {
	for _, flag := range []string{"-- ", "--min-valid 1s "} {
		arguments = strings.TrimPrefix(arguments, flag)
	}
	return arguments
}

// TestNamesInShells completes names in the shells that people type into, and
// runs what came of it.
func TestNamesInShells(t *testing.T) {
	bin, u := spied(t, buildPrograms(t)), newUser(t)
	for i, name := range shellNames {
		u.must(bin, "add", "--name="+name, base32.StdEncoding.EncodeToString(fmt.Appendf(nil, "secret %03d", i)))
	}
	for _, setup := range shellSetups {
		t.Run(setup.name, func(t *testing.T) {
			s := startShell(t, setup, u, bin)
			for _, tc := range []struct{ typed, want string }{
				{`code my\ ba`, "my bank"}, {`code 'my ba`, "my bank"}, {`code "my ba`, "my bank"}, {`code my ba`, "my bank"}, {`code my bi`, "my big bank"},
				{`code my big `, "my big bank"}, {`code my big\ b`, "my big bank"}, {`code ZÜ`, "Zürich 日本"},
				{`code git:h`, "git:hub"}, {`code "git:h`, "git:hub"}, {`code git\:l`, "git:lab"}, {`code gitl`, "GitLab x"},
				{`code it`, "it's"}, {`code "it`, "it's"}, {`code it\'`, "it's"}, {`code a\"`, `a"b`}, {`code 'a"`, `a"b`}, {`code "a\"`, `a"b`},
				{`code cos`, "cost$5"}, {`code "cos`, "cost$5"}, {`code 'cos`, "cost$5"}, {`code back\\s`, `back\slash`}, {`code "back\\s`, `back\slash`},
				{`code par`, "paren(x)"}, {`code 'par`, "paren(x)"}, {`code Zü`, "Zürich 日本"}, {`code zür`, "Zürich 日本"}, {`code "Zür`, "Zürich 日本"},
				{`code sem`, "semi;colon"}, {`code wo`, "wow!x"}, {`code 'wo`, "wow!x"}, {`code "wo`, "wow!x"}, {`code ti`, "tick`x"}, {`code "ti`, "tick`x"},
				{`code tw`, "two  blanks"}, {`code two\ `, "two  blanks"}, {`code two `, "two  blanks"}, {`code \~`, "~home"}, {`code '*g`, "*glob"}, {`code \#`, "#hash"},
				{`code '=`, "=eq"}, {`code ann@`, "ann@example.com"}, {`code ru`, "run $(touch pwned)"}, {`code "ru`, "run $(touch pwned)"}, {`code run `, "run $(touch pwned)"},
				{`code per`, "percent%d"}, {`code br`, "brace{a,b}"}, {`code cu`, "curly’s"}, {`code q`, `q"u'o\te`}, {`code 'q`, `q"u'o\te`}, {`code "q`, `q"u'o\te`},
				{`code \<`, "<less"}, {`code '|`, "|pipe"}, {`code \[`, "[set]"}, {`code \?`, "?any"}, {`code \^`, "^caret"}, {`code \&`, "&and"},
				{`code -- -`, "-- -dash"}, {`code -- -d`, "-- -dash"}, {`code --min-valid 1s sem`, "--min-valid 1s semi;colon"},
			} {
				var words []string
				var code ipc.Code
				for try := 0; try < completeTries && strings.Join(words, " ") != "--json code "+tc.want; try++ {
					words, code = s.complete(tc.typed)
				}
				if got := strings.Join(words, " "); got != "--json code "+tc.want || code.Name != nameOf(tc.want) || code.Code == "" {
					t.Errorf("o2fa %s<TAB> is %q and gives the code of %q, want %q", tc.typed, words, code.Name, tc.want)
				}
			}
			for typed, want := range map[string]string{
				"code my\t\t\t": "ig bank", "code lis\t\t\t": "two", "list --\t\t": "print the reply as JSON", "trash re\t": "restore", "unl\t": "unlock",
				"add --type=h\t": "--type=hotp", "help exi\t": "exit-codes", "add --algorithm sha2\t": "SHA256", "\t\t": "Show how to use a command",
			} {
				s.press(typed, want)
			}
			s.press("code $(touch pwned) \t", "")
			s.press("code `touch pwned` \t", "")
			if _, err := os.Stat(filepath.Join(u.b.work, "pwned")); err == nil {
				t.Error("to complete ran what stood in a name")
			}
			if screen := s.term.Screen(); strings.Contains(screen, "7777z") || strings.Contains(screen, "\u202e") {
				t.Error("a name was shown raw")
			}
		})
	}
}

// TestPowerShell completes in PowerShell. Debian has no package of it, so where
// it is missing nothing is skipped that could have been installed: what its
// script is told is tested in internal/command, the script itself is not.
func TestPowerShell(t *testing.T) {
	pwsh, err := exec.LookPath("pwsh")
	if err != nil {
		t.Log("pwsh is not installed: its script is not run here")
		return
	}
	bin, u := buildPrograms(t), newUser(t)
	for i, name := range []string{"my bank", "it's", "cost$5", "tick`x", "Zürich 日本", "curly’s"} {
		u.must(bin, "add", "--name="+name, base32.StdEncoding.EncodeToString(fmt.Appendf(nil, "secret %03d", i)))
	}
	const script = `$ErrorActionPreference = 'Stop'
$text = o2fa completion powershell | Out-String
$errors = $null
[void][System.Management.Automation.Language.Parser]::ParseInput($text, [ref]$null, [ref]$errors)
if ($errors) { $errors; exit 1 }
Invoke-Expression $text
foreach ($line in 'o2fa code my', 'o2fa code my ', 'o2fa code ''my b', 'o2fa code it', 'o2fa code cos', 'o2fa code ti', 'o2fa code cu', 'o2fa add --type h', 'o2fa unl') {
    $found = (TabExpansion2 -inputScript $line -cursorColumn $line.Length).CompletionMatches
    [Console]::WriteLine($line + ' => ' + ($found.CompletionText -join '|'))
}
`
	cmd := exec.Command(pwsh, "-NoProfile", "-NonInteractive", "-Command", script)
	cmd.Env = append(u.environ(), "PATH="+bin+":"+os.Getenv("PATH"), "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"o2fa code my => 'my bank'", "o2fa code my  => bank", "o2fa code 'my b => 'my bank'", "o2fa code it => 'it''s'", "o2fa code cos => 'cost$5'",
		"o2fa code ti => 'tick`x'", "o2fa code cu => 'curly’’s'", "o2fa add --type h => hotp", "o2fa unl => unlock"} {
		if !strings.Contains(string(out), want+"\n") {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
}
