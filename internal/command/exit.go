package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// The exit codes of all programs. Scripts rely on them: they never change
// their meaning.
const (
	ExitOK          = 0
	ExitOther       = 1
	ExitUsage       = 2
	ExitNotFound    = 3
	ExitAmbiguous   = 4
	ExitLocked      = 5
	ExitUnavailable = 6
	ExitRemote      = 7
	ExitRejected    = 8
	ExitRunning     = 9
	ExitInterrupted = 130
)

// exitRow is one exit code and what it means.
type exitRow struct {
	code    int
	meaning string
}

// exitCodes is the one table of what they mean.
var exitCodes = []exitRow{
	{ExitOK, "done"},
	{ExitOther, "another failure, or the answer to a question was no"},
	{ExitUsage, "wrong use: arguments, flags or values"},
	{ExitNotFound, "no entry of that name"},
	{ExitAmbiguous, "several entries of that name"},
	{ExitLocked, "the vault is locked"},
	{ExitUnavailable, "the daemon is not available"},
	{ExitRemote, "the remote failed"},
	{ExitRejected, "a code was rejected"},
	{ExitRunning, "the daemon is already running"},
	{ExitInterrupted, "interrupted"},
}

// exitRows returns the rows of the table for the given codes.
func exitRows(codes []int) (rows []exitRow) {
	for _, row := range exitCodes {
		if slices.Contains(codes, row.code) {
			rows = append(rows, row)
		}
	}
	return rows
}

// ErrInterrupted is how a question ends that met Ctrl-C or the end of input.
var ErrInterrupted = errors.New("interrupted")

// Failure is an error that knows how its program ends.
type Failure struct {
	Exit int    // one of the Exit constants
	Code string // stable name of the failure, for --json
	Err  error  // what went wrong; lower case, no full stop, no secret
	Hint string // the command to type, or a short sentence; a line each where there is a choice
	// Details are further lines for a person, such as the entries to choose
	// from. Candidates is the same for --json.
	Details    []string
	Candidates any
}

// Error returns the text of Err.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns Err.
func (f *Failure) Unwrap() error { return f.Err }

// Usage returns the failure of arguments that make no sense.
func Usage(hint, format string, args ...any) error {
	return &Failure{Exit: ExitUsage, Code: "usage", Err: fmt.Errorf(format, args...), Hint: hint}
}

// exitCode returns the code that err ends a program with.
func exitCode(err error) int {
	var f *Failure
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, ErrInterrupted), errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.As(err, &f):
		return f.Exit
	}
	return ExitOther
}
