package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

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
func failure(inv *command.Invocation, err error) error {
	var known *command.Failure
	if err == nil || errors.As(err, &known) || errors.Is(err, command.ErrInterrupted) || errors.Is(err, context.Canceled) {
		return err
	}
	var wire *ipc.Error
	if !errors.As(err, &wire) {
		return err
	}
	f := &command.Failure{Exit: exitOf(wire.Code), Code: string(wire.Code), Err: err, Hint: wire.Hint}
	if len(wire.Candidates) == 0 {
		return f
	}
	f.Candidates = wire.Candidates
	for _, e := range wire.Candidates {
		// A person can tell it from the others, and name it.
		f.Details = append(f.Details, fmt.Sprintf("%s  %s  %s", shortID(e, wire.Candidates), cmp.Or(e.Name, "None"), e.Mask))
	}
	if wire.Code == ipc.CodeAmbiguous {
		f.Hint = inv.Path + " " + distinct(wire.Candidates)
	}
	return f
}

// distinct returns what names the first of the candidates and no other: its
// name, or else its id.
func distinct(candidates []ipc.Entry) string {
	first := candidates[0]
	for _, e := range candidates[1:] {
		if strings.EqualFold(e.Name, first.Name) {
			return shortID(first, candidates)
		}
	}
	if first.Name == "" || command.MayBeSecret(first.Name) || command.Escape(first.Name) != first.Name {
		return shortID(first, candidates)
	}
	return command.Quote(first.Name)
}

// shortDigits is how many digits of an id are shown; see isID.
const shortDigits = 8

// shortID returns the first digits of e's id: enough to tell it from the others.
func shortID(e ipc.Entry, others []ipc.Entry) string {
	n := min(shortDigits, len(e.ID))
	for _, o := range others {
		for o.ID != e.ID && n < len(e.ID) && strings.HasPrefix(o.ID, e.ID[:n]) {
			n++
		}
	}
	return e.ID[:n]
}
