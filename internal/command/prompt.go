package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// maxLine bounds an answer, in bytes.
const maxLine = 64 << 10

// errEncoding refuses texts that JSON cannot hold: each of their bytes would
// become the same character, in a name as in a passphrase.
var errEncoding = errors.New("it is not UTF-8")

// IsTerminal says whether f, a stream of Stdio, is a terminal.
func IsTerminal(f any) bool {
	file, ok := f.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Ask asks for a line. Ctrl-C and the end of input give ErrInterrupted.
func (inv *Invocation) Ask(ctx context.Context, question string) (string, error) {
	inv.show()
	g, err := newGuard(nil, func() {})
	if err != nil {
		return "", err
	}
	defer g.close()
	return inv.ask(ctx, g, question)
}

// AskHidden asks for a line that is not shown while it is typed: a secret or a
// passphrase. Where In is no terminal it reads as Ask does.
//
// What is typed afterwards stays unseen, too, until the next Ask, Reveal or the
// end of the command: the work that needs the answer may take its time, and who
// is impatient types on. A signal in that time cancels the context of Run.
func (inv *Invocation) AskHidden(ctx context.Context, question string) (_ string, err error) {
	if !IsTerminal(inv.In) {
		return inv.Ask(ctx, question)
	}
	if inv.hidden == nil {
		if inv.hidden, err = newGuard(inv.In.(*os.File), inv.interrupt); err != nil {
			return "", err
		}
	}
	return inv.ask(ctx, inv.hidden, question)
}

// Drop forgets what was typed unseen and not read yet. It stands before a
// question that follows work: nobody could answer it before.
func (inv *Invocation) Drop() {
	if inv.hidden != nil {
		inv.hidden.drop()
	}
}

// Reveal is Drop, and the terminal shows again what is typed.
func (inv *Invocation) Reveal() {
	inv.Drop()
	inv.show()
}

// show ends what AskHidden began.
func (inv *Invocation) show() {
	if inv.hidden != nil {
		inv.hidden.close()
		inv.hidden = nil
	}
}

// interrupt ends the work of the command, where it is one of Run.
func (inv *Invocation) interrupt() {
	if inv.cancel != nil {
		inv.cancel(ErrInterrupted)
	}
}

// Confirm asks until the answer is yes or no.
func (inv *Invocation) Confirm(ctx context.Context, question string) (bool, error) {
	for {
		answer, err := inv.Ask(ctx, question)
		if err != nil {
			return false, err
		}
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "y", "yes":
			return true, nil
		case "n", "no":
			return false, nil
		}
	}
}

// answer is what came of a question.
type answer struct {
	line []byte
	err  error
}

// ask prints the question and reads the answer, while g watches. What is typed
// as soon as the question appears is hidden, if it has to be.
//
// After an interruption the read stays behind; the process is about to end.
func (inv *Invocation) ask(ctx context.Context, g *guard, question string) (string, error) {
	select {
	case err := <-g.resumed: // before this question
		if err != nil {
			return "", err
		}
	default:
	}
	fmt.Fprint(inv.Err, question)
	done := make(chan answer, 1)
	go func() {
		line, err := readLine(inv.In)
		done <- answer{line, err}
	}()
	var a answer
	for waiting := true; waiting; {
		waiting = false
		select {
		case a = <-done:
		case <-ctx.Done():
			a.err = io.EOF
		case <-g.interrupted:
			a.err = io.EOF
		case err := <-g.resumed:
			if err != nil {
				return "", err
			}
			// What was typed so far is lost, the system sees to that.
			fmt.Fprint(inv.Err, question)
			waiting = true
		}
	}
	if g.terminal != nil || errors.Is(a.err, io.EOF) {
		fmt.Fprintln(inv.Err) // the newline that was not shown, or not typed
	}
	switch {
	case errors.Is(a.err, io.EOF):
		return "", ErrInterrupted
	case a.err != nil:
		return "", fmt.Errorf("reading the answer: %w", a.err)
	case !utf8.Valid(a.line):
		return "", fmt.Errorf("reading the answer: %w", errEncoding)
	}
	return string(a.line), nil
}

// readLine reads up to a newline, byte by byte: what follows belongs to the
// next question. A last line without a newline counts; nothing at all is io.EOF.
func readLine(in io.Reader) ([]byte, error) {
	var line []byte
	var one [1]byte
	for len(line) < maxLine {
		n, err := in.Read(one[:])
		if n == 1 && one[0] != '\n' {
			line = append(line, one[0])
		}
		switch {
		case n == 1 && one[0] == '\n', err == io.EOF && len(line) > 0:
			return bytes.TrimSuffix(line, []byte("\r")), nil
		case err != nil:
			return nil, err
		}
	}
	return nil, errors.New("the line is too long")
}

// ReadAll returns all of in, at most limit bytes.
func ReadAll(in io.Reader, limit int64) (string, error) {
	data, err := io.ReadAll(io.LimitReader(in, limit+1))
	defer clear(data) // it may be a secret
	if err != nil {
		return "", fmt.Errorf("reading standard input: %w", err)
	}
	if int64(len(data)) > limit {
		return "", fmt.Errorf("reading standard input: more than %d bytes", limit)
	}
	if !utf8.Valid(data) {
		return "", fmt.Errorf("reading standard input: %w", errEncoding)
	}
	return string(data), nil
}
