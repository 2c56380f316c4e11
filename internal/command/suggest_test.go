package command

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestSuggest(t *testing.T) {
	top := &Command{Use: "prog", Sub: []*Command{
		{Use: "add", Aliases: []string{"a", "--add"}}, {Use: "code", Synonyms: []string{"get", "totp"}}, {Use: "list", Synonyms: []string{"ls"}},
		{Use: "delete", Synonyms: []string{"rm"}, Wary: true}, {Use: "undo", Wary: true}, {Use: "lock", Wary: true}, {Use: "unlock"},
		{Use: "init", Wary: true}, {Use: "status", Aliases: []string{"info", "i"}},
	}}
	for word, want := range map[string]string{
		"unlok": "unlock", "unlcok": "unlock", "cod": "code", "CDOE": "code", "coed": "code", "ad": "add", "lst": "list", "lits": "list",
		"lokc": "lock", "udno": "undo", "sttus": "status", "inof": "status", "delet": "delete", "dleete": "delete",
		"rm": "delete", "LS": "list", "get": "code", "totp": "code",
		"edit": "", "exit": "", "dlet": "", "und": "undo", "un": "", "int": "init", "github": "", "x": "", "": "", "git": "",
	} {
		got := ""
		if near := suggest(top, word); near != nil {
			got = near.Name()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	tie := &Command{Sub: []*Command{{Use: "coda"}, {Use: "code"}}}
	if near := suggest(tie, "codx"); near != nil {
		t.Errorf("a tie gives %s", near.Name())
	}
	tie.Sub = append(tie.Sub, &Command{Use: "codx"})
	if near := suggest(tie, "codxx"); near == nil || near.Name() != "codx" {
		t.Errorf("after a tie: %v", near)
	}
}

func TestDistance(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abcd", "badc", 2}, {"kitten", "sitting", 3}, {"é", "e", 1}} {
		if got := distance(tc.a, tc.b); got != tc.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
}

func TestMayBeSecret(t *testing.T) {
	for _, words := range [][]string{{"JBSWY3DPEHPK3PXP"}, {"jbsw y3dp ehpk 3pxp"}, {"jbsw", "y3dp", "ehpk", "3pxp"}, {"-n", "jbsw", "y3dp", "ehpk", "3pxp"}, {"JBSW-Y3DP-EHPK-3PXP=="},
		{"otpauth://totp/x?secret=A"}, {"OTPAUTH:"}, {"github", "CANARY1SECRET8TEXT"}} {
		if !MayBeSecret(words...) {
			t.Errorf("%q is none", words)
		}
	}
	for _, words := range [][]string{nil, {""}, {"github"}, {"my", "bank"}, {"github", "--min-valid", "5s"}, {"ann@example.com-and-more"}, {"Zürcher Kantonalbank"}} {
		if MayBeSecret(words...) {
			t.Errorf("%q is one", words)
		}
	}
}

func TestQuote(t *testing.T) {
	for want, words := range map[string][]string{"": nil, "github --json": {"github", "--json"}, "'my bank'": {"my bank"},
		`'it'\''s' ''`: {"it's", ""}, "a@b.c 'x;y' '$z' '~' 日本": {"a@b.c", "x;y", "$z", "~", "日本"}} {
		if got := Quote(words...); got != want {
			t.Errorf("%q: %s, want %s", words, got, want)
		}
	}
}

// A choice is a line each for a person, and one text for a program; a sentence
// stays one.
func TestHintsOfAChoice(t *testing.T) {
	for hint, want := range map[string]string{
		"":                        "prog: error: x\n",
		"prog a\nprog b":          "prog: error: x\nprog: hint: prog a\nprog: hint: prog b\n",
		"prog a, or prog b for c": "prog: error: x\nprog: hint: prog a\nprog: hint: prog b for c\n",
		"prog a, or do b":         "prog: error: x\nprog: hint: prog a, or do b\n",
	} {
		var errs bytes.Buffer
		report(Stdio{Err: &errs}, "prog", &Failure{Err: errors.New("x"), Hint: hint}, false)
		if errs.String() != want {
			t.Errorf("%q: %q", hint, errs.String())
		}
		errs.Reset()
		report(Stdio{Err: &errs}, "prog", &Failure{Err: errors.New("x"), Hint: hint}, true)
		if text := strings.ReplaceAll(hint, "\n", ", or "); text != "" && !strings.Contains(errs.String(), `"hint":"`+text+`"`) {
			t.Errorf("%q: %s", hint, errs.String())
		}
	}
}

// What is no command goes to the program's own idea of it.
func TestUnknownWord(t *testing.T) {
	top := &Command{Use: "prog", Sub: []*Command{{Use: "code NAME"}, {Use: "list [TEXT]"}},
		Unknown: func(words []string) []string { return []string{"prog code " + Quote(words...), "prog help"} }}
	for args, want := range map[string]string{
		"github x":           "prog: error: \"github\" is no command of prog\nprog: hint: prog code github x\nprog: hint: prog help\n",
		"cod":                "prog: error: \"cod\" is no command of prog\nprog: hint: prog code NAME\n",
		"cod git":            "prog: error: \"cod\" is no command of prog\nprog: hint: prog code git\n",
		"cod otpauth://x":    "prog: error: \"cod\" is no command of prog\nprog: hint: prog code NAME\n",
		"lsit otpauth://x":   "prog: error: \"lsit\" is no command of prog\nprog: hint: prog list\n",
		"a-long-name-indeed": "prog: error: that is no command of prog\nprog: hint: prog code a-long-name-indeed\nprog: hint: prog help\n",
	} {
		var errs bytes.Buffer
		if code := Run(t.Context(), top, strings.Fields(args), Stdio{Err: &errs}); code != ExitUsage || errs.String() != want {
			t.Errorf("%s: exit %d, %s", args, code, errs.String())
		}
	}
}

func TestHelpOfAProgram(t *testing.T) {
	top := &Command{Use: "prog COMMAND", Short: "Do things", Flags: []Flag{JSONFlag}, Example: "prog a", Sub: []*Command{
		{Use: "a", Short: "Do a", Group: "First"}, {Use: "b", Short: "Do b", Group: "First"}, {Use: "c", Short: "Do c", Group: "Second"}},
		Exits: []int{ExitOK}}
	for args, want := range map[string]string{
		"": `Do things

Usage: prog COMMAND

First:
  a          Do a
  b          Do b
Second:
  c          Do c
  help       Show how to use a command

Examples:
  prog a
Flags of every command: --json, --help
More: prog help COMMAND | commands | exit-codes
`,
		"help Exit-Codes": "What prog exits with:\n\n  0    done\n",
		"help commands":   "The commands of prog:\n\nFirst:\n  a          Do a\n  b          Do b\nSecond:\n  c          Do c\n  help       Show how to use a command\n",
	} {
		var out bytes.Buffer
		if code := Run(t.Context(), top, strings.Fields(args), Stdio{Out: &out, Err: &out}); code != 0 || out.String() != want {
			t.Errorf("%q: exit %d\n%s", args, code, out.String())
		}
	}
}

// A misspelt flag is told from what there is, and the call that was meant is the
// hint; unless it may hold a secret.
func TestMisspeltFlags(t *testing.T) {
	top := &Command{Use: "prog COMMAND", Flags: []Flag{JSONFlag}, Sub: []*Command{{Use: "list [TEXT...]", MaxArgs: -1, Flags: []Flag{
		{Name: "secrets", Short: "s", Aliases: []string{"secret"}, Default: false}, {Name: "min-valid", Default: time.Duration(0), Value: "TIME"},
		{Name: "tag", Default: []string(nil), Value: "TAG"}, {Name: "top", Default: false}, {Name: "tot", Default: false}},
		Run: func(context.Context, *Invocation) error { return nil }}}}
	for args, want := range map[string]string{
		"list --secrts":                  "prog list has no flag --secrts\nprog: hint: prog list --secrets",
		"list --secrts x y":              "prog list has no flag --secrts\nprog: hint: prog list --secrets x y",
		"list --secr":                    "prog list has no flag --secr\nprog: hint: prog list --secrets",
		"list --min 5s":                  "prog list has no flag --min\nprog: hint: prog list --min-valid 5s",
		"list --min-vaild=5s":            "prog list has no flag --min-vaild\nprog: hint: prog list --min-valid=5s",
		"list -secrets":                  "prog list has no flag -e\nprog: hint: prog list --secrets",
		"list -jsno":                     "prog list has no flag -j\nprog: hint: prog list --json",
		"list --hepl":                    "prog list has no flag --hepl\nprog: hint: prog list --help",
		"list --to":                      "prog list has no flag --to\nprog: hint: prog list --help",
		"list --frobnicate":              "prog list has no flag --frobnicate\nprog: hint: prog list --help",
		"list --x":                       "prog list has no flag --x\nprog: hint: prog list --help",
		"list --tga JBSWY3DPEHPK3PXP":    "prog list has no flag --tga\nprog: hint: prog list --tag TAG",
		"list --JBSWY3DPEHPK3PXP":        "prog list has no such flag\nprog: hint: prog list --help",
		"--jsno list x":                  "prog has no flag --jsno\nprog: hint: prog --json list x",
		"--min-valid 5s list x":          "prog has no flag --min-valid\nprog: hint: prog list --min-valid 5s x",
		"--lits":                         "prog has no flag --lits\nprog: hint: prog list",
		"--frobnicate list":              "prog has no flag --frobnicate\nprog: hint: prog list --help",
		"--frobnicated-very-much listen": "prog has no such flag\nprog: hint: prog help",
	} {
		var errs bytes.Buffer
		if code := Run(t.Context(), top, strings.Fields(args), Stdio{Err: &errs}); code != ExitUsage || errs.String() != "prog: error: "+want+"\n" {
			t.Errorf("%s: exit %d\n%swant %s", args, code, errs.String(), want)
		}
	}
}

func TestMisspelt(t *testing.T) {
	long := strings.Repeat("n", mostSpelt)
	for _, c := range []struct {
		word, name string
		want       bool
	}{
		{"githbu", "GitHub", true}, {"gthub", "github", true}, {"gihtbu", "github", true}, {"straße", "strasse", true}, {"日木", "日本", true},
		{"github", "GitHub", false}, {"gitlab", "github", true}, {"gitea", "github", false}, {"x", "y", false}, {"", "a", false}, {"a", "", false},
		{long[1:], long, true}, {long, long + "n", false}, {"github", long, false},
	} {
		if got := Misspelt(c.word, c.name); got != c.want {
			t.Errorf("%q for %q: %t, want %t", c.word, c.name, got, c.want)
		}
	}
}
