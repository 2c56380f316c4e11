package cli

import (
	"context"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/o2fa/o2fa/internal/command"
)

// everyCommand calls check for each command, those below others too, with the
// chain that leads to it from the program.
func everyCommand(t *testing.T, check func(t *testing.T, chain []*command.Command)) {
	var walk func(t *testing.T, chain []*command.Command)
	walk = func(t *testing.T, chain []*command.Command) {
		for _, c := range chain[len(chain)-1].Sub {
			t.Run(c.Name(), func(t *testing.T) {
				check(t, append(slices.Clip(chain), c))
				walk(t, append(slices.Clip(chain), c))
			})
		}
	}
	walk(t, []*command.Command{root()})
}

// Help teaches: every command says what it is for, in the same form, with an
// example that is a call of that command.
func TestTree(t *testing.T) {
	seen := map[string]string{}
	everyCommand(t, func(t *testing.T, chain []*command.Command) {
		c, path := chain[len(chain)-1], pathOf(chain)
		above := pathOf(chain[:len(chain)-1]) + " "
		for _, word := range append([]string{c.Name()}, c.Aliases...) {
			word = above + strings.ToLower(word)
			if other := seen[word]; other != "" {
				t.Errorf("%s is %s already", word, other)
			}
			seen[word] = path
		}
		if c.Short == "" || !unicode.IsUpper(rune(c.Short[0])) || strings.HasSuffix(c.Short, ".") || len(c.Short) > 80 {
			t.Errorf("short help: %q", c.Short)
		}
		if !strings.HasSuffix(c.Long, ".") && len(chain) == 2 || strings.HasPrefix(c.Long, c.Short) || c.Run == nil && c.Sub == nil {
			t.Errorf("long help: %q", c.Long)
		}
		if len(chain) == 2 && c.Group == "" {
			t.Error("no group")
		}
		checkExample(t, chain)
		checkFlags(t, c.Flags)
		checkHelp(t, chain)
	})
	checkFlags(t, root().Flags)
}

func pathOf(chain []*command.Command) string {
	var names []string
	for _, c := range chain {
		names = append(names, c.Name())
	}
	return strings.Join(names, " ")
}

func checkExample(t *testing.T, chain []*command.Command) {
	t.Helper()
	c := chain[len(chain)-1]
	for line := range strings.Lines(c.Example) {
		words := strings.Fields(line)
		for len(words) > 0 && strings.Contains(words[0], "=") {
			words = words[1:] // VARIABLE=value
		}
		for i, c := range chain {
			if i >= len(words) || !names(c, words[i]) {
				t.Errorf("example: %q", line)
				break
			}
		}
	}
	if c.Example == "" {
		t.Error("no example")
	}
}

func names(c *command.Command, word string) bool {
	for _, name := range append([]string{c.Name()}, c.Aliases...) {
		if name == word {
			return true
		}
	}
	return false
}

func checkFlags(t *testing.T, flags []command.Flag) {
	t.Helper()
	for _, f := range flags {
		_, isSwitch := f.Default.(bool)
		if f.Usage == "" || !unicode.IsLower(rune(f.Usage[0])) && !strings.HasPrefix(f.Usage, "UUID") && !strings.HasPrefix(f.Usage, "SHA") ||
			strings.HasSuffix(f.Usage, ".") || !saysAll(f) || isSwitch != (f.Value == "") || f.Value != strings.ToUpper(f.Value) {
			t.Errorf("flag --%s: %+v", f.Name, f)
		}
	}
}

// saysAll says whether a flag's usage names the values that it takes.
func saysAll(f command.Flag) bool {
	return !slices.ContainsFunc(f.Values, func(value string) bool { return !strings.Contains(f.Usage, value) })
}

// checkHelp sees that help shows the whole path and every flag.
func checkHelp(t *testing.T, chain []*command.Command) {
	t.Helper()
	c, path := chain[len(chain)-1], strings.Fields(pathOf(chain))[1:]
	var byFlag, byCommand strings.Builder
	for out, args := range map[*strings.Builder][]string{&byFlag: append(slices.Clip(path), "--help"), &byCommand: append([]string{"help"}, path...)} {
		code := Run(t.Context(), args, command.Stdio{In: strings.NewReader(""), Out: out, Err: io.Discard, Getenv: func(string) string { return "" }})
		if code != 0 {
			t.Errorf("%q: exit %d", args, code)
		}
	}
	help := byFlag.String()
	_, arguments, _ := strings.Cut(c.Use, " ")
	if help != byCommand.String() || !strings.Contains(help, "\nUsage:\n  "+strings.TrimSpace(pathOf(chain)+" "+arguments)+"\n") || !strings.Contains(help, "\nExamples:\n  ") {
		t.Errorf("help:\n%s", help)
	}
	for _, f := range append(root().Flags, c.Flags...) {
		if !strings.Contains(help, "--"+f.Name) || !strings.Contains(help, f.Usage) {
			t.Errorf("--%s is not in\n%s", f.Name, help)
		}
	}
	for line := range strings.Lines(help) {
		if len(strings.TrimRight(line, "\n")) > 80 {
			t.Errorf("too wide: %q", line)
		}
	}
}

// The first thing that anybody sees fits on the smallest screen, also with the
// line that called it and the next prompt, and names the rest.
func TestHelpFitsOnAScreen(t *testing.T) {
	w := newWorld(t)
	help, all := w.ok(), w.ok("help", "commands")
	if n := strings.Count(help, "\n"); n > 22 {
		t.Errorf("%d lines", n)
	}
	for _, page := range []string{help, all, w.ok("help", "exit-codes"), w.ok("help", "environment"), w.ok("help", "files"), w.ok("help", "help")} {
		for line := range strings.Lines(page) {
			if command.Width(strings.TrimRight(line, "\n")) > 80 {
				t.Errorf("too wide: %q", line)
			}
		}
	}
	widest := 0
	for _, c := range root().Sub {
		widest = max(widest, len(c.Name()))
	}
	for _, c := range root().Sub {
		if !strings.Contains(all, "\n  "+command.Pad(c.Name(), widest+1)+" "+c.Short+"\n") || !regexp.MustCompile(`[ ,]`+c.Name()+`[ ,\n]`).MatchString(help) {
			t.Errorf("%s is missing", c.Name())
		}
	}
	if codes := w.ok("help", "EXIT-CODES"); !strings.Contains(codes, "  5    the vault is locked\n") || !strings.Contains(help, "o2fa help COMMAND | commands | exit-codes") {
		t.Errorf("%s", codes)
	}
}

// Examples are calls that the parser takes: with the right commands, flags and
// numbers of arguments.
func TestExamplesParse(t *testing.T) {
	everyCommand(t, func(t *testing.T, chain []*command.Command) {
		for line := range strings.Lines(chain[len(chain)-1].Example) {
			checkCall(t, chain[len(chain)-1].Name(), line)
		}
	})
	for line := range strings.Lines(root().Example) {
		checkCall(t, "", line)
	}
}

// checkCall parses a line as a shell and then o2fa would, up to where the
// command would run.
func checkCall(t *testing.T, name, line string) {
	t.Helper()
	call, _, _ := strings.Cut(line, " #")
	call, _, _ = strings.Cut(call, " <")
	call, _, _ = strings.Cut(call, " >")
	out, err := exec.Command("sh", "-c", "o2fa() { printf '%s\\n' \"$@\"; }\n"+call).Output()
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	args := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	ran := ""
	top := root()
	var replace func(c *command.Command)
	replace = func(c *command.Command) {
		for _, sub := range c.Sub {
			if sub.Run != nil {
				sub.Run = func(context.Context, *command.Invocation) error { ran = sub.Name(); return nil }
			}
			replace(sub)
		}
	}
	replace(top)
	var errs strings.Builder
	code := command.Run(t.Context(), top, args, command.Stdio{In: strings.NewReader(""), Out: io.Discard, Err: &errs})
	if code != 0 || ran == "" || name != "" && ran != name {
		t.Errorf("%q: exit %d, ran %q\n%s", line, code, ran, errs.String())
	}
}

// A command's own help does not say twice what the command does.
func TestHelpDoesNotRepeatItself(t *testing.T) {
	everyCommand(t, func(t *testing.T, chain []*command.Command) {
		c := chain[len(chain)-1]
		first, _, _ := strings.Cut(c.Long, ".")
		short, long := strings.Fields(strings.ToLower(c.Short)), strings.Fields(strings.ToLower(first))
		same := 0
		for _, word := range short {
			if len(word) > 3 && slices.Contains(long, word) {
				same++
			}
		}
		if same > 1 {
			t.Errorf("%s: %q, then %q", c.Name(), c.Short, first)
		}
	})
}
