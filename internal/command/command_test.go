package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// program returns a program whose command echo prints what it was given.
func program() *Command {
	return &Command{
		Use: "prog COMMAND", Short: "A program for tests",
		Flags: []Flag{JSONFlag, NoInputFlag},
		Sub: []*Command{
			{
				Use: "echo WORD...", Aliases: []string{"e", "-e", "-echo", "--echo", "fail"},
				Short: "Print the arguments", Example: "prog echo hello", MinArgs: 1, MaxArgs: 3,
				Flags: []Flag{
					{Name: "bool", Short: "b", Default: false, Usage: "a switch"},
					{Name: "text", Aliases: []string{"txt"}, Default: "x", Value: "TEXT", Usage: "a text"},
					{Name: "number", Short: "n", Default: 6, Value: "N", Usage: "a number"},
					{Name: "counter", Default: uint64(0), Value: "N", Usage: "a counter"},
					{Name: "time", Default: 5 * time.Second, Value: "TIME", Usage: "a time"},
					{Name: "tag", Default: []string(nil), Value: "TAG", Usage: "a tag, may be repeated"},
				},
				Run: func(_ context.Context, inv *Invocation) error {
					inv.Printf("%s %v %q %d %d %s %q json=%v given=%v\n", strings.Join(inv.Args, "|"), inv.Bool("bool"),
						inv.String("text"), inv.Int("number"), inv.Uint64("counter"), inv.Duration("time"),
						inv.Strings("tag"), inv.JSON(), inv.Given("number"))
					return nil
				},
			},
			{Use: "fail", Short: "Fail", Example: "prog fail", Run: func(context.Context, *Invocation) error {
				return fmt.Errorf("opening \x1b[2Jvault: %w", &Failure{Exit: ExitNotFound, Code: "not_found",
					Err: errors.New("no entry is called github"), Hint: "prog list", Details: []string{"gitlab"},
					Candidates: []string{"gitlab"}})
			}},
			{Use: "crash", Short: "Fail without a code", Run: func(context.Context, *Invocation) error {
				return errors.New("disk on fire")
			}},
			{Use: "warn", Short: "Warn", Run: func(_ context.Context, inv *Invocation) error {
				inv.Warn("one row was rejected", "prog status")
				return nil
			}},
			{Use: "write", Short: "Return the error of writing", Run: func(_ context.Context, inv *Invocation) error {
				_, err := inv.Write([]byte("x"))
				return err
			}},
			{Use: "stop", Short: "Be interrupted", Run: func(context.Context, *Invocation) error {
				return fmt.Errorf("asking: %w", ErrInterrupted)
			}},
			{Use: "group COMMAND", Short: "Hold commands", Sub: []*Command{
				{Use: "leaf", Aliases: []string{"l"}, Short: "Do nothing", Run: func(_ context.Context, inv *Invocation) error {
					inv.Printf("%s\n", inv.Path)
					return nil
				}},
			}},
		},
	}
}

// call runs the program and returns what it printed.
func call(in string, args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = Run(context.Background(), program(), args, Stdio{In: strings.NewReader(in), Out: &o, Err: &e})
	return code, o.String(), e.String()
}

func TestRun(t *testing.T) {
	const defaults = `false "x" 6 0 5s [] json=false given=false` + "\n"
	for _, tc := range []struct {
		args string
		code int
		out  string
		errs string
	}{
		// No flag takes the short way; -- and a default given explicitly take the parser's: both agree.
		{"echo a b", 0, "a|b " + defaults, ""},
		{"echo -- a b", 0, "a|b " + defaults, ""},
		{"echo a --text x b", 0, "a|b " + defaults, ""},
		{"echo -", 0, "- " + defaults, ""},
		{"echo -- -b", 0, "-b " + defaults, ""},
		{"ECHO a", 0, "a " + defaults, ""},
		{"e a", 0, "a " + defaults, ""},
		{"-E a", 0, "a " + defaults, ""},
		{"-echo a", 0, "a " + defaults, ""},
		{"--Echo a", 0, "a " + defaults, ""},
		{"--no-input echo a", 0, "a " + defaults, ""},
		{"--json echo a", 0, `a false "x" 6 0 5s [] json=true given=false` + "\n", ""},
		{"echo a -bn 7 --txt y --counter=3 --time 1m --tag p --tag q", 0, `a true "y" 7 3 1m0s ["p" "q"] json=false given=true` + "\n", ""},
		{"group leaf", 0, "prog group leaf\n", ""},
		{"group L", 0, "prog group leaf\n", ""},

		{"echo", 2, "", "prog: error: prog echo needs more arguments: echo WORD...\nprog: hint: prog echo --help\n"},
		{"echo 1 2 3 4", 2, "", "prog: error: 4 words, at most 3: put a name with blanks in quotes\nprog: hint: prog echo --help\n"},
		{"fail now", 2, "", "prog: error: prog fail takes no words\nprog: hint: prog fail --help\n"},
		{"ehco a", 2, "", "prog: error: \"ehco\" is no command of prog\nprog: hint: prog echo a\n"},
		{"--json=false ehco a", 2, "", "prog: error: \"ehco\" is no command of prog\nprog: hint: prog echo --json=false a\n"},
		{"group leaves", 2, "", "prog: error: \"leaves\" is no command of prog group\nprog: hint: prog help group\n"},
		{"group -x leaf", 2, "", "prog: error: prog group has no flag -x\nprog: hint: prog group --help\n"},
		{"group --json leaf", 0, "prog group leaf\n", ""},
		{"-x", 2, "", "prog: error: prog has no flag -x\nprog: hint: prog help\n"},
		{"--nope echo", 2, "", "prog: error: prog has no flag --nope\nprog: hint: prog echo --help\n"},
		{"help ehco", 2, "", "prog: error: there is no help on \"ehco\"\nprog: hint: prog help echo\n"},
		{"help group lef", 2, "", "prog: error: there is no help on \"lef\"\nprog: hint: prog help group leaf\n"},
		{"echo a \xff", 2, "", "prog: error: reading argument 3: it is not UTF-8\n"},
		{"echo -x a", 2, "", "prog: error: prog echo has no flag -x\nprog: hint: prog echo --help\n"},
		{"echo --nope a", 2, "", "prog: error: prog echo has no flag --nope\nprog: hint: prog echo --help\n"},
		{"echo --number", 2, "", "prog: error: flag --number wants a value\nprog: hint: prog echo --help\n"},
		{"fail", 3, "", "prog: error: opening \\u{1b}[2Jvault: no entry is called github\n  gitlab\nprog: hint: prog list\n"},
		{"crash", 1, "", "prog: error: disk on fire\n"},
		{"warn", 0, "", "prog: warning: one row was rejected\nprog: hint: prog status\n"},
		{"stop", 130, "", ""},
	} {
		t.Run(tc.args, func(t *testing.T) {
			code, out, errs := call("", strings.Fields(tc.args)...)
			if code != tc.code || out != tc.out || errs != tc.errs {
				t.Errorf("got %d\n%q\n%q\nwant %d\n%q\n%q", code, out, errs, tc.code, tc.out, tc.errs)
			}
		})
	}
}

// What stands in the wrong place may be a secret: no error repeats it.
func TestErrorsNeverRepeatASecret(t *testing.T) {
	const canary = "JBSWY3DPEHPK3PXPCANARY"
	for _, args := range [][]string{
		{canary}, {"echo", "--" + canary}, {"echo", "-" + canary}, {"echo", "-n" + canary}, {"echo", "--number", canary},
		{"echo", "--number=" + canary}, {"echo", "--time", canary}, {"echo", "--bool=" + canary},
		{"echo", "--=" + canary}, {"echo", "a", "b", "c", canary}, {"echo", "--json", "--number", canary},
		{"help", canary}, {"echo", "--counter", "-" + canary}, {"ehco", canary}, {"ehco", canary[:8], canary[8:]},
		{"-" + canary}, {"--json", "-" + canary}, {"--" + canary + "=" + canary},
	} {
		code, out, errs := call("", args...)
		if code != ExitUsage || strings.Contains(out+errs, canary) || errs == "" {
			t.Errorf("%q: exit %d\n%s%s", args, code, out, errs)
		}
	}
}

func TestErrorsAsJSON(t *testing.T) {
	for _, tc := range []struct {
		args, want string
		code       int
	}{
		{"fail --json", `{"error":{"code":"not_found","message":"opening \u001b[2Jvault: no entry is called github","hint":"prog list","candidates":["gitlab"]}}`, 3},
		{"--json crash", `{"error":{"code":"other","message":"disk on fire"}}`, 1},
		{"echo --json --number", `{"error":{"code":"usage","message":"flag --number wants a value","hint":"prog echo --help"}}`, 2},
		{"stop --json", `{"error":{"code":"interrupted","message":"asking: interrupted"}}`, 130},
	} {
		code, out, errs := call("", strings.Fields(tc.args)...)
		if code != tc.code || out != "" || errs != tc.want+"\n" || !json.Valid([]byte(errs)) {
			t.Errorf("%s: exit %d, %q, %s", tc.args, code, out, errs)
		}
	}
	if _, _, errs := call("", "echo", "--", "--json", "1", "2", "3"); !strings.HasPrefix(errs, "prog: error: ") {
		t.Errorf("an argument after -- is no flag: %s", errs)
	}
}

func TestHelp(t *testing.T) {
	const echo = `Print the arguments

Usage:
  prog echo WORD...

Aliases:
  e, -e, -echo, --echo, fail

Flags:
  -b, --bool       a switch
      --text TEXT  a text (default x)
  -n, --number N   a number (default 6)
      --counter N  a counter
      --time TIME  a time (default 5s)
      --tag TAG    a tag, may be repeated

Flags of every command:
      --json      print the reply as JSON, and errors too
      --no-input  never ask a question: fail instead
  -h, --help      show the command's help

Examples:
  prog echo hello
`
	for _, args := range []string{"help echo", "--help echo", "-h e", "echo --help", "echo -h a b c d", "e --help --number 4"} {
		if code, out, errs := call("", strings.Fields(args)...); code != 0 || out != echo || errs != "" {
			t.Errorf("%s: exit %d\n%s%s", args, code, out, errs)
		}
	}
	_, want, _ := call("", "help")
	if !strings.Contains(want, "\nCommands:\n  echo       Print the arguments\n") {
		t.Errorf("help of the program:\n%s", want)
	}
	for _, args := range []string{"", "--help", "-h", "-HELP", "--json"} {
		if code, out, _ := call("", strings.Fields(args)...); code != 0 || out != want {
			t.Errorf("%q: exit %d\n%s", args, code, out)
		}
	}
}

func TestExitCodesAreAllInTheTable(t *testing.T) {
	if got := exitRows([]int{ExitInterrupted, ExitOK}); len(got) != 2 || got[0].code != ExitOK || got[1].meaning != "interrupted" {
		t.Errorf("%v", got)
	}
	seen := map[int]bool{}
	for _, row := range exitCodes {
		if seen[row.code] || row.meaning == "" {
			t.Errorf("row %d", row.code)
		}
		seen[row.code] = true
	}
	if len(seen) != 11 {
		t.Errorf("%d codes", len(seen))
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// A result that could not be printed is a failure, also with a full disk behind Out.
func TestFailureToWriteIsReported(t *testing.T) {
	for _, args := range []string{"echo a", "help", "echo --json a", "write"} {
		var errs bytes.Buffer
		code := Run(context.Background(), program(), strings.Fields(args), Stdio{In: strings.NewReader(""), Out: brokenWriter{}, Err: &errs})
		if code != ExitOther || errs.String() != "prog: error: writing output: short write\n" && errs.String() != `{"error":{"code":"other","message":"writing output: short write"}}`+"\n" {
			t.Errorf("%s: exit %d, %s", args, code, errs.String())
		}
	}
}
