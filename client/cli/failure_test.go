package cli

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

// TestEveryCodeHasAnExit reads package ipc's source: a code added there must be
// decided on here.
func TestEveryCodeHasAnExit(t *testing.T) {
	want := map[string]int{
		"bad_request": 2, "invalid": 2, "not_found": 3, "ambiguous": 4, "nothing": 1, "locked": 5, "waiting": 5, "passphrase": 5,
		"uninitialized": 1, "initialized": 1, "keystore": 1, "orphan": 1, "newer_format": 1, "corrupt": 1, "replaced": 1, "read_only": 1,
		"disk_full": 1, "storage": 1, "refused": 6, "too_large": 2, "profile": 6, "version": 6, "unavailable": 6,
		"unknown_path": 1, "method": 1, "internal_error": 1,
	}
	for _, code := range declaredCodes(t) {
		exit, decided := want[string(code)]
		if !decided {
			t.Errorf("no exit code was decided for %s", code)
		}
		var f *command.Failure
		err := failure(&command.Invocation{Path: "o2fa code", Command: codeCommand()}, fmt.Errorf("doing: %w", &ipc.Error{Code: code, Message: "m", Hint: "h", Candidates: []ipc.Entry{{ID: "1", Mask: "a...b"}}}))
		hint := "h"
		if code == ipc.CodeAmbiguous || code == ipc.CodeNotFound {
			hint = "o2fa code 1"
		}
		if !errors.As(err, &f) || f.Exit != exit || f.Code != string(code) || f.Hint != hint || f.Details[0] != "1  None  a...b" {
			t.Errorf("%s: %+v, want exit %d", code, f, exit)
		}
	}
}

func declaredCodes(t *testing.T) (codes []ipc.ErrorCode) {
	file, err := parser.ParseFile(token.NewFileSet(), "../../ipc/errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "Code") {
			text, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, ipc.ErrorCode(text))
		}
		return true
	})
	if len(codes) < 20 {
		t.Fatalf("only %d codes found", len(codes))
	}
	return codes
}

func TestOtherErrorsStayAsTheyAre(t *testing.T) {
	for _, err := range []error{nil, errors.New("x"), command.ErrInterrupted, command.Usage("", "x")} {
		if got := failure(&command.Invocation{}, err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
}

// What an ambiguous name's hint names is one entry, and can be typed.
func TestHintOfAnAmbiguousName(t *testing.T) {
	const one, two, near = "1111111122222222", "3333333344444444", "1111111155555555"
	for _, tc := range []struct {
		entries []ipc.Entry
		want    string
	}{
		{[]ipc.Entry{{ID: one, Name: "github"}, {ID: two, Name: "gitlab"}}, "github"},
		{[]ipc.Entry{{ID: one, Name: "my bank"}, {ID: two, Name: "other bank"}}, "'my bank'"},
		{[]ipc.Entry{{ID: one, Name: "bank"}, {ID: two, Name: "Bank"}}, "11111111"},
		{[]ipc.Entry{{ID: one, Name: "bank"}, {ID: near, Name: "bank"}}, "111111112"},
		{[]ipc.Entry{{ID: one}, {ID: two, Name: "bank"}}, "11111111"},
		{[]ipc.Entry{{ID: one, Name: "a\x1b"}, {ID: two, Name: "b"}}, "11111111"},
		{[]ipc.Entry{{ID: one, Name: open2faSecret}, {ID: two, Name: "b"}}, "11111111"},
	} {
		var f *command.Failure
		err := failure(&command.Invocation{Path: "o2fa code", Command: codeCommand()}, &ipc.Error{Code: ipc.CodeAmbiguous, Candidates: tc.entries})
		if !errors.As(err, &f) || f.Hint != "o2fa code "+tc.want {
			t.Errorf("%+v: %v", tc.entries, f)
		}
	}
}

// Candidates stand in columns, whatever their names are, with what tells those of
// one name apart; no more than a screen of them.
func TestChoices(t *testing.T) {
	list := []ipc.Entry{
		{ID: "1111111122222222", Name: "bank", Issuer: "ACME", Account: "ann", Mask: "A...Z"},
		{ID: "1111111155555555", Name: "ACME:ann", Issuer: "ACME", Account: "ann", Mask: "B...Z"},
		{ID: "3333333344444444", Name: "日本\x1b", Mask: "C...Z", Trashed: "soon"},
		{ID: "4444444444444444", Mask: "D...Z"},
		{ID: "5555555555555555", Name: strings.Repeat("x", 1024), Account: strings.Repeat("y", 1024), Mask: "E...Z"},
	}
	var out strings.Builder
	command.Run(t.Context(), &command.Command{Use: "prog COMMAND", Sub: []*command.Command{{Use: "x", Run: func(_ context.Context, inv *command.Invocation) error {
		return failure(inv, &ipc.Error{Code: ipc.CodeAmbiguous, Message: "several", Candidates: list})
	}}}}, []string{"x"}, command.Stdio{In: strings.NewReader(""), Out: io.Discard, Err: &out})
	x, y := strings.Repeat("x", 39)+"…", strings.Repeat("y", 39)+"…"
	want := "prog: error: several\n" +
		"  111111112  bank                                      A...Z  ACME  ann\n" +
		"  111111115  ACME:ann                                  B...Z\n" +
		"  33333333   日本\\u{1b}                                C...Z  deleted soon\n" +
		"  44444444   None                                      D...Z\n" +
		"  55555555   " + x + "  E...Z  " + y + "\n" +
		"prog: hint: prog x bank\n"
	if out.String() != want {
		t.Errorf("%s\nwant\n%s", out.String(), want)
	}
	many := make([]ipc.Entry, 100_000)
	for i := range many {
		many[i] = ipc.Entry{ID: fmt.Sprintf("%032x", i), Name: "bank"}
	}
	lines := choices(many, 0)
	if last := lines[len(lines)-1]; len(lines) != 21 || last != "and 99980 more" || lines[0] != fmt.Sprintf("%032x  bank  ", 0) {
		t.Errorf("%d lines, %q to %q", len(lines), lines[0], last)
	}
}
