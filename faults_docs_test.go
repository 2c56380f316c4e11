package o2fa_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestFaultsDocument holds docs/faults.md to what is there: each test that it
// names exists, and each text that it quotes stands in the source.
func TestFaultsDocument(t *testing.T) {
	document, err := os.ReadFile("docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	code, tests := sourceTexts(t)
	rows := 0
	for line := range strings.Lines(string(document)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| what fails") {
			continue
		}
		rows++
		if len(cells) != 4 {
			t.Errorf("a row of %d cells: %s", len(cells), line)
			continue
		}
		for _, wrong := range wrongTests(cells[3], tests) {
			t.Errorf("%q: there is no test %s", strings.TrimSpace(cells[0]), wrong)
		}
		for _, wrong := range wrongTexts(cells[2], code) {
			t.Errorf("%q: nothing in the source says %q", strings.TrimSpace(cells[0]), wrong)
		}
	}
	if rows < 60 {
		t.Errorf("%d rows", rows)
	}
}

// TestFaultsDocumentCanFail gives the checks rows that are not right.
func TestFaultsDocumentCanFail(t *testing.T) {
	code, tests := sourceTexts(t)
	if wrong := wrongTests("`TestSoak` `vault.TestFailedSync` `TestFaults/disk_full` `key.txtar`", tests); len(wrong) > 0 {
		t.Errorf("not found: %v", wrong)
	}
	for _, cell := range []string{"", "see there", "`TestNobody`", "`TestSoak` `nowhere.TestFailedSync`", "`TestFaults/" + "no_such_fault`", "`none.txtar`"} {
		if len(wrongTests(cell, tests)) == 0 {
			t.Errorf("%q is accepted", cell)
		}
	}
	for cell, wrong := range map[string]int{"`… is damaged`, hint `o2fa unlock`": 0, "nothing": 0, "": 1, "`it is all right`": 1, "`… is damaged beyond … repair`": 1} {
		if got := wrongTexts(cell, code); len(got) != wrong {
			t.Errorf("%q: %q", cell, got)
		}
	}
}

var inBackticks = regexp.MustCompile("`([^`]+)`")

// wrongTests returns the tests of a cell that do not exist. tests has the source
// of the tests by package, "" for the top, and the names of the scripts.
func wrongTests(cell string, tests map[string]string) (wrong []string) {
	names := inBackticks.FindAllStringSubmatch(cell, -1)
	if len(names) == 0 {
		return []string{"at all"}
	}
	for _, m := range names {
		pkg, name, qualified := strings.Cut(m[1], ".")
		if _, script := tests[m[1]]; script {
			continue
		}
		if !qualified {
			pkg, name = "", m[1]
		}
		name, sub, _ := strings.Cut(name, "/")
		if !strings.HasPrefix(name, "Test") || !strings.Contains(tests[pkg], "func "+name+"(t *testing.T)") || !strings.Contains(tests[pkg], `"`+sub+`"`) && sub != "" {
			wrong = append(wrong, m[1])
		}
	}
	return wrong
}

// wrongTexts returns what a cell quotes and the source does not say. Where it
// leaves something out the source may put a value in.
func wrongTexts(cell, code string) (wrong []string) {
	if strings.TrimSpace(cell) == "" {
		return []string{""}
	}
	for _, m := range inBackticks.FindAllStringSubmatch(cell, -1) {
		for _, part := range regexp.MustCompile(`…|: |; |, | \(|\)|/config.toml:3|[0-9]+s?`).Split(m[1], -1) {
			if part = strings.TrimSpace(part); part != "" && !strings.Contains(code, part) {
				wrong = append(wrong, m[1])
				break
			}
		}
	}
	return wrong
}

// sourceTexts returns the source of the programs, and of the tests by package.
func sourceTexts(t *testing.T) (code string, tests map[string]string) {
	t.Helper()
	tests = map[string]string{}
	var all strings.Builder
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" && filepath.Ext(path) != ".txtar" {
			return err
		}
		text, err := os.ReadFile(path)
		switch dir := filepath.Base(filepath.Dir(path)); {
		case filepath.Ext(path) == ".txtar":
			tests[filepath.Base(path)] = string(text)
		case !strings.HasSuffix(path, "_test.go"):
			all.Write(text)
		case dir == ".":
			tests[""] += string(text)
		default:
			tests[dir] += string(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// Texts of the system and of the Go runtime.
	all.WriteString("resource temporarily unavailable, failed to create new OS thread, too many levels of symbolic links, fatal error")
	return all.String(), tests
}
