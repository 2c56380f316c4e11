package o2fa_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	clientcli "github.com/o2fa/o2fa/client/cli"
	"github.com/o2fa/o2fa/internal/command"
)

// open2faCalls is every command and option of open2fa 1.4.7, in each spelling.
var open2faCalls = []string{
	"-v", "--version", "-h", "--help",
	"add", "a", "-a", "-add", "--add", "add -n",
	"list", "l", "-l", "-list", "--list", "list -s",
	"generate", "g", "-g", "-generate", "--generate", "generate -n", "generate -r", "generate -d",
	"delete", "d", "-d", "-delete", "--delete", "delete -n", "delete -s", "delete -f",
	"info", "status", "i", "info -s",
	"remote", "r", "-r", "-remote", "--remote", "remote init", "remote ini", "remote push", "remote --push", "remote pus", "remote pull", "remote pul",
	"remote list", "remote l", "remote list -s", "remote delete", "remote d", "remote del", "remote delete -n", "remote info", "remote inf",
}

// open2faWorld is what open2fa reads and writes beside its arguments.
var open2faWorld = []string{"OPEN2FA_DIR", "OPEN2FA_UUID", "OPEN2FA_API_URL", "secrets.json", "secrets.json.tmp", "open2fa.uuid"}

// notYet is what the table says of a command that o2fa does not have.
const notYet = "not yet"

var codeSpan = regexp.MustCompile("`([^`]+)`")

// documentTable returns the rows, split in cells, of the tables below a heading.
func documentTable(t *testing.T, heading string) (rows [][]string) {
	t.Helper()
	text, err := os.ReadFile("docs/open2fa.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, found := strings.Cut(string(text), "\n## "+heading+"\n")
	part, _, _ = strings.Cut(part, "\n## ")
	for line := range strings.Lines(part) {
		if cells := strings.Split(strings.TrimSpace(line), " |"); found && strings.HasPrefix(line, "| ") {
			rows = append(rows, cells[:len(cells)-1])
		}
	}
	if len(rows) < 2 {
		t.Fatalf("docs/open2fa.md has no table below %q", heading)
	}
	return rows[1:]
}

// spans returns what stands in backquotes.
func spans(cell string) (list []string) {
	for _, m := range codeSpan.FindAllStringSubmatch(cell, -1) {
		list = append(list, m[1])
	}
	return list
}

// TestOpen2FATable: every command and option of open2fa stands in the table of
// docs/open2fa.md, with a script that calls it, unless o2fa has it not.
func TestOpen2FATable(t *testing.T) {
	told := map[string]bool{}
	for _, row := range documentTable(t, "Commands") {
		if len(row) != 4 {
			t.Fatalf("%d cells in %q", len(row), row)
		}
		calls, script := spans(row[0]), spans(row[3])
		for _, call := range calls {
			told[call] = true
		}
		switch missing := strings.TrimSpace(row[1]) == notYet; {
		case missing && len(script) > 0:
			t.Errorf("%q is not there yet, and has a script", row[0])
		case missing:
			for _, call := range calls {
				checkMissing(t, call)
			}
		case len(script) != 1:
			t.Errorf("%q has %d scripts", row[0], len(script))
		default:
			for _, call := range calls {
				checkScript(t, script[0], call)
			}
		}
	}
	for _, call := range open2faCalls {
		if !told[call] {
			t.Errorf("docs/open2fa.md does not tell of %q", call)
		}
	}
}

// checkScript demands that the script runs o2fa with the words of call.
func checkScript(t *testing.T, script, call string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "script", script))
	if err != nil {
		t.Errorf("%q: %v", call, err)
		return
	}
	for line := range strings.Lines(string(text)) {
		_, words, found := strings.Cut(line, " o2fa ")
		if found && !strings.HasPrefix(line, "#") && isCall(strings.Fields(words), strings.Fields(call)) {
			return
		}
	}
	t.Errorf("%s does not run o2fa %s", script, call)
}

// isCall says whether words begin with the command that call begins with, and
// have its options. Words in capitals stand for any.
func isCall(words, call []string) bool {
	return words[0] == call[0] && !slices.ContainsFunc(call[1:], func(want string) bool {
		return want != strings.ToUpper(want) && !slices.Contains(words[1:], want)
	})
}

// checkMissing demands that o2fa does not know the command that call begins with.
func checkMissing(t *testing.T, call string) {
	t.Helper()
	var errs bytes.Buffer
	args := strings.Fields(call)
	code := clientcli.Run(t.Context(), append([]string{"help"}, args[0]), command.Stdio{Out: &errs, Err: &errs, Getenv: func(string) string { return "" }})
	if code != command.ExitUsage {
		t.Errorf("the table says of %q that it is not there yet, and there is help on it", call)
	}
}

// TestOpen2FAFiles: every file and variable of open2fa stands in the second
// table, with a script that has it.
func TestOpen2FAFiles(t *testing.T) {
	told := map[string]bool{}
	for _, row := range documentTable(t, "Files and environment") {
		script := spans(row[len(row)-1])
		if len(row) != 3 || len(script) != 1 {
			t.Errorf("a script is wanted: %q", row)
			continue
		}
		text, err := os.ReadFile(filepath.Join("testdata", "script", script[0]))
		if err != nil {
			t.Errorf("%q: %v", row[0], err)
		}
		for _, name := range spans(row[0]) {
			told[name] = true
			if !strings.HasPrefix(name, "~") && !bytes.Contains(text, []byte(name)) {
				t.Errorf("%s does not tell of %s", script[0], name)
			}
		}
	}
	for _, row := range documentTable(t, "Where o2fa does what was meant") {
		for _, script := range spans(row[len(row)-1]) {
			if _, err := os.Stat(filepath.Join("testdata", "script", script)); err != nil || len(row) != 3 {
				t.Errorf("a script is wanted: %q", row)
			}
		}
	}
	for _, name := range open2faWorld {
		if !told[name] {
			t.Errorf("docs/open2fa.md does not tell of %s", name)
		}
	}
}
