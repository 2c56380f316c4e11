package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

// showEdit prints a line for each field that changed, and what to know of it.
func showEdit(inv *command.Invocation, before ipc.EntryDetail, r ipc.EditReply) {
	if len(r.Changed) == 0 {
		inv.Printf("Nothing changed.\n")
		return
	}
	inv.Printf("Changed %s:\n", command.Cut(orNone(before.Name), shownWidth))
	for _, field := range r.Changed {
		inv.Printf("  %s\n", changeText(field, before, r.Entry))
	}
	renamed := slices.Contains(r.Changed, "name")
	if renamed {
		warnShared(inv, r.Entry.Entry, r.SameName)
	}
	if (before.InFile || r.Entry.InFile) && !r.Entry.FileFollows && !before.FileFollows && (renamed || slices.Contains(r.Changed, "secret")) {
		inv.Warn("secrets.json still holds it as it was, in clear; o2fa leaves the file alone", "")
	}
	advise(inv, "to take it back", "o2fa undo")
}

// changeText says what a field was and is. Of a secret, and of a long note, it
// says only that it changed.
func changeText(field string, before, after ipc.EntryDetail) string {
	was, is, short := fieldText(field, before), fieldText(field, after), true
	for _, text := range []string{was, is} {
		short = short && !strings.Contains(text, "\n")
	}
	if !short || was == is {
		return command.Escape(field) + " changed"
	}
	return fmt.Sprintf("%s: %s -> %s", command.Escape(field), cmp.Or(command.Escape(was), "(none)"), cmp.Or(command.Escape(is), "(none)"))
}

// fieldText returns a field by its name in an EditRequest; empty for one that
// has no value, or none to be shown.
func fieldText(field string, e ipc.EntryDetail) string {
	switch field {
	case "name":
		return e.Name
	case "issuer":
		return e.Issuer
	case "account":
		return e.Account
	case "note":
		return e.Note
	case "tags":
		return strings.Join(e.Tags, ", ")
	case "pinned":
		return map[bool]string{true: "yes", false: "no"}[e.Pinned]
	case "type":
		return e.Type
	case "algorithm":
		return e.Algorithm
	case "digits":
		return fmt.Sprint(e.Digits)
	case "period":
		if e.Period > 0 {
			return fmt.Sprintf("%d s", e.Period)
		}
	case "counter":
		if e.Counter != nil {
			return fmt.Sprint(*e.Counter)
		}
	}
	return ""
}
