package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

// exits maps every code of the local API to the code that o2fa ends with. What
// is not here is ExitOther on purpose; a test names those, too.
var exits = [...]struct {
	code ipc.ErrorCode
	exit int
}{
	{ipc.CodeBadRequest, command.ExitUsage},
	{ipc.CodeTooLarge, command.ExitUsage},
	{ipc.CodeInvalid, command.ExitUsage},
	{ipc.CodeNotFound, command.ExitNotFound},
	{ipc.CodeAmbiguous, command.ExitAmbiguous},
	{ipc.CodeLocked, command.ExitLocked},
	{ipc.CodeWaiting, command.ExitLocked},
	{ipc.CodePassphrase, command.ExitLocked},
	{ipc.CodeProfile, command.ExitUnavailable},
	{ipc.CodeVersion, command.ExitUnavailable},
	{ipc.CodeRefused, command.ExitUnavailable},
	{ipc.CodeUnavailable, command.ExitUnavailable},
}

// exitOf returns the exit code for a code of the local API.
func exitOf(code ipc.ErrorCode) int {
	for _, e := range exits {
		if e.code == code {
			return e.exit
		}
	}
	return command.ExitOther
}

// failure gives err the exit code, hint and candidates that its program ends
// with. Errors that know theirs stay as they are.
func failure(err error) error {
	var known *command.Failure
	if err == nil || errors.As(err, &known) || errors.Is(err, command.ErrInterrupted) || errors.Is(err, context.Canceled) {
		return err
	}
	var wire *ipc.Error
	if !errors.As(err, &wire) {
		return err
	}
	f := &command.Failure{Exit: exitOf(wire.Code), Code: string(wire.Code), Err: err, Hint: wire.Hint}
	if len(wire.Candidates) > 0 {
		f.Candidates = wire.Candidates
	}
	for _, e := range wire.Candidates {
		f.Details = append(f.Details, candidate(e))
	}
	return f
}

// candidate shows an entry so that a person can tell it from the others.
func candidate(e ipc.Entry) string {
	name := e.Name
	if name == "" {
		name = "None"
	}
	return fmt.Sprintf("%s  %s  %s", e.ID, name, e.Mask)
}
