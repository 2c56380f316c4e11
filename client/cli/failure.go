package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
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
	f.Candidates, f.Details = wire.Candidates, choices(wire.Candidates, wire.Matches)
	if wire.Code == ipc.CodeAmbiguous || wire.Code == ipc.CodeNotFound && len(wire.Candidates) == 1 && !inv.Command.Wary {
		f.Hint = inv.Path + " " + distinct(wire.Candidates)
	}
	return f
}

// mostChoices is how many candidates a person is shown.
const mostChoices = 20

// choices returns a line for each candidate: what tells it from the others, and
// how to name it. What its name says already is not said again. There may be more
// that match than the daemon names.
func choices(candidates []ipc.Entry, matches int) []string {
	ids := shortIDs(candidates)
	shown := candidates[:min(len(candidates), mostChoices)]
	names, widths, digits := make([]string, len(shown)), make([]int, len(shown)), 0
	for i, e := range shown {
		digits = max(digits, len(ids[i]))
		names[i] = command.Shorten(cmp.Or(e.Name, "None"), shownWidth)
		widths[i] = command.Width(command.Escape(names[i])) // as it is printed
	}
	lines := make([]string, len(shown), len(shown)+1)
	for i, e := range shown {
		lines[i] = command.Pad(ids[i], digits) + "  " + names[i] + strings.Repeat(" ", slices.Max(widths)-widths[i]) + "  " + e.Mask
		for _, text := range []string{e.Issuer, e.Account} {
			if !strings.Contains(e.Name, text) {
				lines[i] += "  " + command.Shorten(text, shownWidth)
			}
		}
		if e.Trashed != "" {
			lines[i] += "  deleted " + localTime(e.Trashed)
		}
	}
	if more := max(matches, len(candidates)) - len(shown); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return lines
}

// distinct returns what names the first of the candidates and no other: its
// name, or else its id.
func distinct(candidates []ipc.Entry) string {
	first, id := candidates[0], shortIDs(candidates)[0]
	for _, e := range candidates[1:] {
		if strings.EqualFold(e.Name, first.Name) {
			return id
		}
	}
	if first.Name == "" || !typable(first.Name) {
		return id
	}
	return command.Quote(first.Name)
}

// typable says whether a hint may show name for somebody to type: it is no
// secret in the wrong place, and a keyboard has what is in it.
func typable(name string) bool {
	return !command.MayBeSecret(name) && command.Escape(name) == name && command.Width(name) <= shownWidth
}

// shortDigits is how many digits of an id are shown; see isID.
const shortDigits = 8

// shortIDs returns the first digits of each entry's id, at least shortDigits:
// enough to tell it from the others.
func shortIDs(entries []ipc.Entry) []string {
	sorted := make([]string, len(entries))
	for i, e := range entries {
		sorted[i] = e.ID
	}
	slices.Sort(sorted)
	short := make([]string, len(entries))
	for i, e := range entries {
		at, _ := slices.BinarySearch(sorted, e.ID)
		n := min(shortDigits, len(e.ID))
		for _, j := range []int{at - 1, at + 1} {
			for j >= 0 && j < len(sorted) && sorted[j] != e.ID && n < len(e.ID) && strings.HasPrefix(sorted[j], e.ID[:n]) {
				n++
			}
		}
		short[i] = e.ID[:n]
	}
	return short
}
