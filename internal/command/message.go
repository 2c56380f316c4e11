package command

// How messages read, in all programs of o2fa:
//
//   - Results go to standard output, everything else to standard error.
//   - "o2fa: error: …" says what went wrong, once, at the end. Lower case, no
//     full stop, never a secret, never a stack. Context comes first: "opening
//     vault: permission denied"; it does not begin with failed, unable or error.
//   - "o2fa: hint: …" is what to do about it: the command to type, in quotes of
//     nothing, or one short sentence. Where there is a choice, a line for each.
//     What stands there works when it is typed, capitals filled in, and holds no
//     word that may be a secret.
//   - "o2fa: warning: …" is what to mend although the command did its work.
//   - Text that came from elsewhere (names, paths, replies) is passed through
//     Escape before it is printed.
//   - With --json an error is one line of JSON on standard error, of the same
//     shape as the local API's: {"error":{"code","message","hint","candidates"}}.
//   - Nothing is coloured: what matters is in the words.

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// report prints err as the header of this file says.
func report(s Stdio, program string, err error, asJSON bool) {
	f := &Failure{Err: err}
	if !errors.As(err, &f) && errors.Is(err, ErrInterrupted) {
		f.Code = "interrupted"
	}
	if asJSON {
		reportJSON(s, f, err)
		return
	}
	if f.Code == "interrupted" {
		return // the person knows, and the question left its line already
	}
	fmt.Fprintf(s.Err, "%s: error: %s\n", program, Escape(err.Error()))
	printDetails(s, f.Details)
	printHints(s, program, f.Hint)
}

// printDetails prints further lines, whose columns stand apart by two blanks.
func printDetails(s Stdio, lines []string) {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString("  " + Escape(line) + "\n")
	}
	text := b.String()
	s.Out = s.Err
	if s.MovesCursor() {
		columns, _ := s.Size()
		text = Align(text, columns)
	}
	fmt.Fprint(s.Err, text)
}

// choice separates the hints of a text that offers several; in one line, as
// JSON and the daemon have them, it is choiceText.
const (
	choice     = "\n"
	choiceText = ", or "
)

// SplitHint returns the hints of a choice, not yet escaped. A choice in one line
// is told from a sentence by what follows: another call of the program.
func SplitHint(program, hint string) []string {
	if hint == "" {
		return nil
	}
	return strings.Split(strings.ReplaceAll(hint, choiceText+program+" ", choice+program+" "), choice)
}

// printHints prints each hint on a line of its own.
func printHints(s Stdio, program, hint string) {
	for _, line := range SplitHint(program, hint) {
		fmt.Fprintf(s.Err, "%s: hint: %s\n", program, Escape(line))
	}
}

// reportJSON prints err in the shape of the local API's errors.
func reportJSON(s Stdio, f *Failure, err error) {
	type body struct {
		Code       string `json:"code"`
		Message    string `json:"message"`
		Hint       string `json:"hint,omitempty"`
		Candidates any    `json:"candidates,omitempty"`
	}
	code := f.Code
	if code == "" {
		code = "other"
	}
	line, _ := json.Marshal(map[string]body{"error": {code, err.Error(), strings.ReplaceAll(f.Hint, choice, choiceText), f.Candidates}})
	fmt.Fprintf(s.Err, "%s\n", EscapeJSON(line))
}

// Warn prints what to mend although the command did its work, and, unless it
// is empty, what to type.
func (inv *Invocation) Warn(message, hint string) {
	program := inv.Root.Name()
	fmt.Fprintf(inv.Err, "%s: warning: %s\n", program, Escape(message))
	printHints(inv.Stdio, program, hint)
}

// Note tells a person something beside the results: what comes next, or what
// to answer instead.
func (inv *Invocation) Note(text string) { fmt.Fprintf(inv.Err, "%s\n", Escape(text)) }

// PrintJSON writes a reply as it came, with one newline at its end. On a
// terminal, characters that could act on it are written as \uXXXX, which is
// the same JSON.
func (inv *Invocation) PrintJSON(raw []byte) {
	for len(raw) > 0 && raw[len(raw)-1] == '\n' {
		raw = raw[:len(raw)-1]
	}
	if IsTerminal(inv.Out) {
		raw = EscapeJSON(raw)
	}
	inv.Printf("%s\n", raw)
}
