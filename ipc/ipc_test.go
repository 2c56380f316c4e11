package ipc

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// TestEveryCodeHasASentinel reads the source, so that a code added without its
// row in the table fails.
func TestEveryCodeHasASentinel(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared int
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && (strings.HasPrefix(v.Names[0].Name, "Code") || strings.HasPrefix(v.Names[0].Name, "Err")) {
			declared++
		}
		return true
	})
	if declared != 2*len(codes) {
		t.Errorf("%d codes and sentinels declared, %d rows in the table", declared, len(codes))
	}
	seen := map[any]bool{}
	for _, c := range codes {
		if seen[c.code] || seen[c.sentinel] {
			t.Errorf("%s stands twice", c.code)
		}
		seen[c.code], seen[c.sentinel] = true, true
		if c.status < 400 || c.status > 599 {
			t.Errorf("%s: status %d", c.code, c.status)
		}
		wire, err := json.Marshal(ErrorReply{&Error{Code: c.code, Message: "m", Hint: "h"}})
		if err != nil {
			t.Fatal(err)
		}
		var back ErrorReply
		if err := json.Unmarshal(wire, &back); err != nil {
			t.Fatal(err)
		}
		if !errors.Is(back.Error, c.sentinel) || back.Error.Status() != c.status {
			t.Errorf("%s does not survive the wire", c.code)
		}
		if !errors.Is(fmt.Errorf("doing: %w", back.Error), c.sentinel) {
			t.Errorf("a wrapped %s loses its sentinel", c.code)
		}
	}
}

func TestUnknownCodeOfANewerDaemon(t *testing.T) {
	e := &Error{Code: "from_the_future", Message: "m"}
	if e.Unwrap() != nil || e.Status() != 500 {
		t.Error("an unknown code must not look like a known one")
	}
}
