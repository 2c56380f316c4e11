package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
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
func (s Stdio) Ask(ctx context.Context, question string) (string, error) {
	line, err := s.ask(ctx, question, false)
	return string(line), err
}

// AskHidden asks for a line that is not shown while it is typed: a secret or a
// passphrase. Where In is no terminal it reads as Ask does.
func (s Stdio) AskHidden(ctx context.Context, question string) (string, error) {
	line, err := s.ask(ctx, question, IsTerminal(s.In))
	return string(line), err
}

// Confirm asks until the answer is yes or no.
func (s Stdio) Confirm(ctx context.Context, question string) (bool, error) {
	for {
		answer, err := s.Ask(ctx, question)
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

// ask prints the question, reads the answer and leaves the terminal as it was,
// also when a signal or ctx ends the wait. It alone catches signals, and only
// while it waits: elsewhere Ctrl-C ends the process as the system does it, and
// no program start pays for a handler.
//
// After an interruption the read stays behind; the process is about to end.
func (s Stdio) ask(ctx context.Context, question string, hidden bool) ([]byte, error) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, caught()...)
	defer signal.Stop(signals)
	restore, err := s.pose(question, hidden)
	if err != nil {
		return nil, err
	}
	done := make(chan answer, 1)
	go func() {
		line, err := readLine(s.In)
		done <- answer{line, err}
	}()
	var a answer
	for waiting := true; waiting; {
		waiting = false
		select {
		case a = <-done:
		case <-ctx.Done():
			a.err = io.EOF
		case sig := <-signals:
			if !stops(sig) {
				a.err = io.EOF
				break
			}
			// The shell gets its terminal as it was. What was typed so far is
			// lost, the system sees to that, so the question comes again.
			restore()
			suspend()
			if restore, err = s.pose(question, hidden); err != nil {
				return nil, err
			}
			waiting = true
		}
	}
	restore()
	if hidden || errors.Is(a.err, io.EOF) {
		fmt.Fprintln(s.Err) // the newline that was not shown, or not typed
	}
	switch {
	case errors.Is(a.err, io.EOF):
		return nil, ErrInterrupted
	case a.err != nil:
		return nil, fmt.Errorf("reading the answer: %w", a.err)
	case !utf8.Valid(a.line):
		return nil, fmt.Errorf("reading the answer: %w", errEncoding)
	}
	return a.line, nil
}

// pose prints the question. What is typed as soon as it appears is hidden, if
// it has to be, until restore.
func (s Stdio) pose(question string, hidden bool) (restore func(), err error) {
	restore = func() {}
	if hidden {
		if restore, err = hide(s.In.(*os.File)); err != nil {
			return nil, fmt.Errorf("hiding what is typed: %w", err)
		}
	}
	fmt.Fprint(s.Err, question)
	return restore, nil
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
