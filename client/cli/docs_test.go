package cli

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

// TestDocumentedErrors compares the table in docs/local-api.md with the codes
// that package ipc declares, their status and what o2fa exits with.
func TestDocumentedErrors(t *testing.T) {
	doc, err := os.ReadFile("../../docs/local-api.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("../../ipc/errors.go")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\d+) \\| .* \\| (\\d+) \\|$").FindAllStringSubmatch(string(doc), -1) {
		rows[m[1]] = m[2:]
	}
	declared := regexp.MustCompile(`Code\w+ +ErrorCode = "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	if len(declared) == 0 || len(declared) != len(rows) {
		t.Errorf("%d codes are declared, %d documented", len(declared), len(rows))
	}
	for _, m := range declared {
		code := ipc.ErrorCode(m[1])
		want := []string{strconv.Itoa((&ipc.Error{Code: code}).Status()), strconv.Itoa(exitOf(code))}
		if row := rows[m[1]]; len(row) != 2 || row[0] != want[0] || row[1] != want[1] {
			t.Errorf("%s: status and exit code are %v, documented %v", code, want, row)
		}
	}
}

// TestDocumentedJSON compares the table of what --json prints with the tree of
// commands, and the replies that it names with those that the page describes.
func TestDocumentedJSON(t *testing.T) {
	doc, err := os.ReadFile("../../docs/local-api.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(o2fa [a-z -]+)` \\| (.+) \\|$").FindAllStringSubmatch(string(doc), -1) {
		rows[m[1]] = m[2]
	}
	count := 0
	everyCommand(t, func(t *testing.T, chain []*command.Command) {
		if rows[pathOf(chain)] == "" {
			t.Errorf("%s has no row", pathOf(chain))
		}
		count++
	})
	if count != len(rows) {
		t.Errorf("%d commands, %d rows", count, len(rows))
	}
	for call, prints := range rows {
		if reply := regexp.MustCompile(`^(GET|POST) /v1/[a-z/-]+`).FindString(prints); reply != "" && !strings.Contains(string(doc), "\n### "+reply+"\n") {
			t.Errorf("%s prints the reply of %s, which is not described", call, reply)
		}
	}
}
