package command

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// longName returns a name that no terminal has room for.
func longName() string { return strings.Repeat("n", 1023) }

// completable is a program with something of every kind to complete.
func completable() *Command {
	names := []string{"my bank", "my big bank", "git:hub", "it's", "-dash", "GitHub", "evil\x1b[2J", "r\u202etl", "new\nline", ""}
	return &Command{Use: "prog COMMAND", Short: "A program", Flags: []Flag{JSONFlag},
		Exits: []int{ExitOK},
		Sub: []*Command{
			{Use: "code NAME...", Short: "Print a code", MaxArgs: -1, Aliases: []string{"c"},
				Complete: func(_ context.Context, c *Completion) (found []Candidate) {
					before := strings.Join(append(slices.Clone(c.Args), ""), " ")
					for _, name := range names {
						if rest, ok := CutFold(name, before); ok {
							found = append(found, Candidate{rest, "what\x1b[2J"})
						}
					}
					return found
				},
				Flags: []Flag{{Name: "min-valid", Default: time.Duration(0), Value: "TIME", Usage: "a time"}, {Name: "copy", Short: "c", Default: false, Usage: "copy it"},
					{Name: "type", Short: "t", Default: "", Value: "TYPE", Usage: "a type", Values: []string{"totp", "hotp"}, Aliases: []string{"kind"}},
					{Name: "tag", Default: []string(nil), Value: "TAG", Usage: "a tag", Complete: OneOf("work", "home")}}},
			{Use: "trash COMMAND", Short: "The trash", Sub: []*Command{
				{Use: "restore NAME", Short: "Bring back", MaxArgs: 1, Complete: OneOf("old one", "older")}, {Use: "empty", Short: "Empty it"}}},
			{Use: "many", Short: "Many", MaxArgs: -1, Complete: func(_ context.Context, c *Completion) []Candidate {
				c.More = 9
				return []Candidate{{"abc", ""}, {"abd", ""}}
			}},
			{Use: "long", Short: "Long", MaxArgs: -1, Complete: func(context.Context, *Completion) []Candidate {
				return []Candidate{{longName(), ""}, {longName() + "n", "meant"}, {"short", "meant"}}
			}},
			{Use: "slow", Short: "Slow", MaxArgs: -1, Complete: func(ctx context.Context, _ *Completion) []Candidate { <-ctx.Done(); return nil }},
		}}
}

// tab returns the lines that a shell gets for a line.
func tab(t *testing.T, line string, args ...string) []string {
	t.Helper()
	word := ""
	if args[0] == "bash" {
		word = args[len(args)-1]
		args = args[:len(args)-1]
	}
	var out, errs bytes.Buffer
	Run(t.Context(), completable(), append([]string{completeWord}, args...), Stdio{Out: &out, Err: &errs, Getenv: func(name string) string {
		return map[string]string{envCompleteLine: line, envCompleteWord: word}[name]
	}})
	if errs.Len() > 0 {
		t.Errorf("%s: %s", line, errs.String())
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

// values is tab without what a shell is told beside the values.
func values(t *testing.T, line string) string {
	t.Helper()
	lines := tab(t, line, "fish")
	for i := range lines {
		lines[i], _, _ = strings.Cut(lines[i], "\t")
	}
	return strings.Join(lines, "|")
}

func TestComplete(t *testing.T) {
	for line, want := range map[string]string{
		"prog ":                           "code|trash|many|long|slow|help",
		"prog co":                         "code",
		"prog CO":                         "code",
		"prog --json ":                    "code|trash|many|long|slow|help",
		"prog --":                         "--json|--help",
		"prog --json --":                  "--help",
		"prog nope ":                      "",
		"prog":                            "",
		"":                                "",
		"other ":                          "",
		"sudo /usr/bin/prog co":           "code",
		`& 'C:\Program Files\prog.exe' c`: "code",
		"prog code ":                      "my bank|my big bank|git:hub|it's|GitHub",
		"prog c ":                         "my bank|my big bank|git:hub|it's|GitHub",
		"prog code my ":                   "bank|big bank",
		"prog code MY b":                  "bank|big bank",
		"prog code my --copy b":           "bank|big bank",
		"prog code my bank":               "bank",
		"prog code my bank ":              "",
		"prog code git":                   "git:hub|GitHub",
		"prog code -":                     "--min-valid|--copy|--type|--tag|--json|--help|--",
		"prog code --":                    "--min-valid|--copy|--type|--tag|--json|--help",
		"prog code --c":                   "--copy",
		"prog code --copy --c":            "",
		"prog code -c --c":                "",
		"prog code --tag x --t":           "--type|--tag",
		"prog code -- ":                   "my bank|my big bank|git:hub|it's|-dash|GitHub",
		"prog code -- -":                  "-dash",
		"prog code -- --":                 "",
		"prog code --type ":               "totp|hotp",
		"prog code --kind h":              "hotp",
		"prog code --type=":               "--type=totp|--type=hotp",
		"prog code --type=T":              "--type=totp",
		"prog code --nope=":               "",
		"prog code -t ":                   "totp|hotp",
		"prog code -ct h":                 "hotp",
		"prog code -tc my ":               "bank|big bank",
		"prog code -xt my ":               "bank|big bank",
		"prog code --tag ":                "work|home",
		"prog code --tag work my ":        "bank|big bank",
		"prog code --min-valid ":          "",
		"prog code --min-valid 5s my ":    "bank|big bank",
		"prog trash ":                     "restore|empty",
		"prog trash restore ":             "old one|older",
		"prog trash restore old ":         "", // one word only
		"prog trash -":                    "--json|--help",
		"prog help ":                      "code|trash|many|long|slow|help|commands|exit-codes",
		"prog help trash ":                "restore|empty",
		"prog help nope ":                 "",
		"prog many a":                     "abc|abd|a…",
		"prog many x":                     "",
		"prog slow ":                      "", // and it ends
	} {
		if got := values(t, line); got != want {
			t.Errorf("%q: %s\nwant %s", line, got, want)
		}
	}
	for _, args := range [][]string{{}, {"csh"}} {
		var out bytes.Buffer
		if code := Run(t.Context(), completable(), append([]string{completeWord}, args...), Stdio{Out: &out, Err: &out}); code != ExitUsage || out.Len() > 0 {
			t.Errorf("%q: exit %d, %q", args, code, &out)
		}
	}
}

// What a shell is told never acts on the terminal.
func TestCompleteShowsNothingRaw(t *testing.T) {
	for _, sh := range Shells() {
		args := []string{sh}
		if sh == "bash" {
			args = append(args, "63", "80", "")
		}
		for _, line := range tab(t, "prog code ", args...) {
			if strings.ContainsAny(line, "\x1b\u202e") || sh != "powershell" && !strings.Contains(line, `what\u{1b}[2J`) {
				t.Errorf("%s: %q", sh, line)
			}
		}
	}
}

// A name of 1 KiB is inserted whole and shown cut, and others keep their meaning.
func TestCompleteLongNames(t *testing.T) {
	cut := strings.Repeat("n", mostShown-1) + "…"
	described := Pad("short", mostShown) + "  -- meant"
	if got := tab(t, "prog long ", "bash", listing, "80", ""); len(got) != 3 || strings.TrimRight(got[0], " ") != cut || strings.TrimRight(got[2], " ") != described {
		t.Errorf("bash: %q", got)
	}
	if got, want := tab(t, "prog long ", "zsh"), []string{longName() + "\t" + cut, longName() + "n\t" + cut + "  -- meant", "short\t" + described}; !slices.Equal(got, want) {
		t.Errorf("zsh: %q", got)
	}
	if got := tab(t, "prog long ", "powershell"); !strings.Contains(got[0], `"value":"`+longName()+`"`) || strings.Contains(got[0], `"shown":"`+longName()) {
		t.Errorf("powershell: %q", got)
	}
	if got := tab(t, "prog long nn", "bash", "9", "80", "nn"); len(got) != 2 || got[0] != longName() {
		t.Errorf("bash inserts %q", got)
	}
}

// bash gets what is to stand in place of the word that it sees.
func TestCompleteForBash(t *testing.T) {
	for _, tc := range []struct{ line, word, want string }{
		{"prog code my", "my", `my\ bank|my\ big\ bank`},
		{"prog code 'my", "my", "my bank|my big bank"},
		{`prog code my\ bi`, `my\ bi`, `my\ big\ bank`},
		{`prog code my" bi`, ` bi`, ` big bank`},
		{"prog code git:", "", "hub"},
		{"prog code GIT:h", "h", "hub"},
		{`prog code it`, "it", `it\'s`},
		{`prog code 'it`, "it", `it'\''s`},
		{`prog code "it`, "it", `it's`},
		{`prog code $'it`, "it", `it\'s`},
		{"prog code --type=h", "h", "hotp"},
		{"prog code my", "other", ""},
		{"prog code my b", "my b", ""},
		{"prog many ", "", "abc|abd|…"},
	} {
		if got := strings.Join(tab(t, tc.line, "bash", "9", "80", tc.word), "|"); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.line, got, tc.want)
		}
	}
	lines := tab(t, "prog tr", "bash", listing, "30", "tr")
	if len(lines) != 1 || lines[0] != "trash  -- The trash          " {
		t.Errorf("%q", lines)
	}
	if lines = tab(t, "prog trash restore o", "bash", listing, "", "o"); !slices.Equal(lines, []string{"old one", "older"}) {
		t.Errorf("%q", lines)
	}
}

// PowerShell gets objects of ASCII whose values are one word each.
func TestCompleteForPowerShell(t *testing.T) {
	var got []string
	for _, line := range tab(t, "prog code ", "powershell") {
		var object struct{ Value, Shown, Text string }
		if err := json.Unmarshal([]byte(line), &object); err != nil || object.Shown == "" || object.Text == "" {
			t.Fatalf("%v: %s", err, line)
		}
		got = append(got, object.Value)
	}
	if want := "'my bank' 'my big bank' git:hub 'it''s' GitHub"; strings.Join(got, " ") != want {
		t.Errorf("%q, want %s", got, want)
	}
	if line := tab(t, "prog many ", "powershell")[2]; !strings.Contains(line, `"value":"\u2026"`) {
		t.Errorf("%s", line)
	}
	for line, want := range map[string]string{"prog code 'it''": "it's", "prog code ‘it": "it's", `prog code "it'`: "it's", "prog code my` ba": "my bank"} {
		if got := tab(t, line, "powershell"); len(got) != 1 || !strings.Contains(got[0], `"shown":"`+want+`"`) {
			t.Errorf("%s: %s", line, got)
		}
	}
}

func TestSplit(t *testing.T) {
	for _, tc := range []struct {
		rules quoting
		line  string
		words []string
		open  string
	}{
		{posix, "", []string{""}, ""},
		{posix, "a  b", []string{"a", "b"}, ""},
		{posix, "a ", []string{"a", ""}, ""},
		{posix, `a\ b 'c d'e "f g`, []string{"a b", "c de", "f g"}, `"`},
		{posix, `'it'\''s' "a\"b\$c\d" $'x\'y`, []string{"it's", `a"b$c\d`, "x'y"}, "$'"},
		{posix, `'' `, []string{"", ""}, ""},
		{posix, `a\`, []string{`a\`}, ""},
		{posix, "$(touch x) `y`", []string{"$(touch", "x)", "`y`"}, ""},
		{fish, `'it\'s' "a\"b" 'c\d' e\ f '`, []string{"it's", `a"b`, `c\d`, "e f", ""}, "'"},
		{powershell, "'it''s' \"a`\"b\"\"c\" d` e C:\\x ‘f g’ “h", []string{"it's", `a"b"c`, "d e", `C:\x`, "f g", "h"}, `"`},
	} {
		if words, open := split(tc.rules, tc.line); !slices.Equal(words, tc.words) || open != tc.open {
			t.Errorf("%s: %q, open %q", tc.line, words, open)
		}
	}
}

// What is quoted is read back as it was, in any quotes.
func TestQuotesComeBack(t *testing.T) {
	for _, name := range []string{"my bank", `q"u'o\te`, "cost$5 `x` !y", "curly’s “x”", "~#*?[]{}()<>|&;^%=@:,", "日本 é", "-dash", "two  blanks "} {
		for _, open := range []string{"", "'", `"`, "$'"} {
			if words, still := split(posix, "x "+open+quoteBash(name, open)); len(words) != 2 || words[1] != name || still != open {
				t.Errorf("bash, %s: %q is %q, open %q", open, name, words, still)
			}
		}
		if words, open := split(powershell, quotePowerShell(name)); len(words) != 1 || words[0] != name || open != "" {
			t.Errorf("powershell: %q is %q", name, words)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("a\\ b 'c \"d")
	f.Fuzz(func(t *testing.T, line string) {
		for _, sh := range shells {
			words, open := split(sh.rules, line)
			if len(words) == 0 || len(open) > 2 {
				t.Errorf("%q: %q %q", line, words, open)
			}
		}
	})
}

func TestCutFold(t *testing.T) {
	for _, tc := range []struct {
		text, prefix, rest string
		ok                 bool
	}{{"abc", "", "abc", true}, {"abc", "AB", "c", true}, {"Zürich", "zÜ", "rich", true}, {"ab", "abc", "", false}, {"abc", "b", "", false}, {"Kelvin", "\u212a", "elvin", true}} {
		if rest, ok := CutFold(tc.text, tc.prefix); rest != tc.rest || ok != tc.ok {
			t.Errorf("%q, %q: %q %v", tc.text, tc.prefix, rest, ok)
		}
	}
}

// The scripts are sound to the shells themselves, as far as these are here.
func TestScriptsParse(t *testing.T) {
	if _, ok := CompletionScript("prog", "csh"); ok {
		t.Error("there is a script for csh")
	}
	for _, sh := range Shells() {
		script, ok := CompletionScript("prog", strings.ToUpper(sh))
		if !ok || !strings.Contains(script, "prog __complete "+sh) && sh != "powershell" || strings.Contains(script, "PROGRAM") {
			t.Errorf("%s: %s", sh, script)
		}
		program, err := exec.LookPath(sh)
		if err != nil || sh == "powershell" { // which TestPowerShell asks
			t.Logf("%s is not asked what it thinks of its script", sh)
			continue
		}
		cmd := exec.Command(program, "-n")
		if cmd.Stdin = strings.NewReader(script); sh == "fish" {
			cmd.Args = append(cmd.Args, "/dev/stdin")
		}
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", sh, err, out)
		}
	}
}
