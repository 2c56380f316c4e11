package cli

import (
	"io"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/o2fa/o2fa/internal/command"
)

// Help teaches: every command says what it is for, in the same form, with an
// example that is a call of that command.
func TestTree(t *testing.T) {
	seen := map[string]string{}
	for _, c := range root().Sub {
		t.Run(c.Name(), func(t *testing.T) {
			for _, word := range append([]string{c.Name()}, c.Aliases...) {
				word = strings.ToLower(word)
				if other := seen[word]; other != "" {
					t.Errorf("%s is %s already", word, other)
				}
				seen[word] = c.Name()
			}
			if c.Short == "" || !unicode.IsUpper(rune(c.Short[0])) || strings.HasSuffix(c.Short, ".") || len(c.Short) > 80 {
				t.Errorf("short help: %q", c.Short)
			}
			if c.Group == "" || !strings.HasSuffix(c.Long, ".") || strings.HasPrefix(c.Long, c.Short) || c.Run == nil {
				t.Errorf("long help: %q", c.Long)
			}
			checkExample(t, c)
			checkFlags(t, c.Flags)
			checkHelp(t, c)
		})
	}
	checkFlags(t, root().Flags)
}

func checkExample(t *testing.T, c *command.Command) {
	t.Helper()
	for line := range strings.Lines(c.Example) {
		words := strings.Fields(line)
		for len(words) > 0 && strings.Contains(words[0], "=") {
			words = words[1:] // VARIABLE=value
		}
		if len(words) < 2 || words[0] != "o2fa" || !names(c, words[1]) {
			t.Errorf("example: %q", line)
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
			strings.HasSuffix(f.Usage, ".") || isSwitch != (f.Value == "") || f.Value != strings.ToUpper(f.Value) {
			t.Errorf("flag --%s: %+v", f.Name, f)
		}
	}
}

// checkHelp sees that help shows the whole path and every flag.
func checkHelp(t *testing.T, c *command.Command) {
	t.Helper()
	var byFlag, byCommand strings.Builder
	for out, args := range map[*strings.Builder][]string{&byFlag: {c.Name(), "--help"}, &byCommand: {"help", c.Name()}} {
		code := Run(t.Context(), args, command.Stdio{In: strings.NewReader(""), Out: out, Err: io.Discard, Getenv: func(string) string { return "" }})
		if code != 0 {
			t.Errorf("%q: exit %d", args, code)
		}
	}
	help := byFlag.String()
	if help != byCommand.String() || !strings.Contains(help, "\nUsage:\n  o2fa "+c.Use+"\n") || !strings.Contains(help, "\nExamples:\n  ") {
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

// The first thing that anybody sees fits on a screen, and names the rest.
func TestHelpFitsOnAScreen(t *testing.T) {
	w := newWorld(t)
	help := w.ok()
	if n := strings.Count(help, "\n"); n > 24 {
		t.Errorf("%d lines", n)
	}
	for _, page := range []string{help, w.ok("help", "exit-codes"), w.ok("help", "environment"), w.ok("help", "help")} {
		for line := range strings.Lines(page) {
			if command.Width(strings.TrimRight(line, "\n")) > 80 {
				t.Errorf("too wide: %q", line)
			}
		}
	}
	for _, c := range root().Sub {
		if !strings.Contains(help, "\n  "+command.Pad(c.Name(), 10)+" "+c.Short+"\n") {
			t.Errorf("%s is missing", c.Name())
		}
	}
	if codes := w.ok("help", "EXIT-CODES"); !strings.Contains(codes, "  5    the vault is locked\n") || !strings.Contains(help, "o2fa help exit-codes") {
		t.Errorf("%s", codes)
	}
}

// A command's own help does not say twice what the command does.
func TestHelpDoesNotRepeatItself(t *testing.T) {
	for _, c := range root().Sub {
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
	}
}
