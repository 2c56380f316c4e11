package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

func undoCommand() *command.Command {
	return &command.Command{
		Use:   "undo",
		Wary:  true,
		Short: "Undo the last change",
		Long: `That is the last one not undone yet: adding, deleting, editing, restoring, or
taking in from secrets.json. Called again it undoes the change before. Codes of
entries that count (hotp) stay used.

Nothing is lost by it: an entry whose adding was undone is in the trash, from
where "o2fa trash restore" brings it back.`,
		Example: "o2fa undo",
		Run:     runUndo,
	}
}

func runUndo(ctx context.Context, inv *command.Invocation) error {
	a, err := connect(inv)
	if err != nil {
		return err
	}
	raw, err := a.do(ctx, client.Request{Method: "POST", Path: ipc.PathUndo})
	if err != nil {
		return err
	}
	return present(inv, raw, func(r ipc.UndoReply) { showUndo(inv, r) })
}

// showUndo says what was undone, and where that is now.
func showUndo(inv *command.Invocation, r ipc.UndoReply) {
	it, is, they := "It", "is", "Its row stays in the file and is"
	if r.Count != 1 {
		it, is, they = "They", "are", "Their rows stay in the file and are"
	}
	what := countNames(r.Count, r.Names)
	switch r.Undone {
	case "add":
		inv.Printf("Undone: adding %s. %s %s in the trash now.\n", what, it, is)
		advise(inv, "to bring back what is in the trash", restoreCall(r))
	case "delete":
		inv.Printf("Undone: deleting %s. %s %s back.\n", what, it, is)
	case "restore":
		inv.Printf("Undone: restoring %s. %s %s in the trash again.\n", what, it, is)
	case "edit":
		inv.Printf("Undone: editing %s. %s %s as before.\n", what, it, is)
	case "secrets-file":
		inv.Printf("Undone: taking in %s from secrets.json (%s). %s not taken in again.\n",
			plural(r.Count, "entry", "entries"), localTime(r.At), they)
		advise(inv, "to bring back what is in the trash", restoreCall(r))
	default: // of a newer daemon
		inv.Printf("Undone: %s of %s.\n", command.Escape(r.Undone), what)
	}
}

// restoreCall is what undoes an undo that moved entries to the trash.
func restoreCall(r ipc.UndoReply) string {
	if r.Count == 1 && len(r.Names) == 1 && r.Names[0] != "" && typable(r.Names[0]) {
		return "o2fa trash restore " + command.Quote(r.Names[0])
	}
	return "o2fa trash"
}

// advise tells a person what may be wanted next, and the call that does it.
func advise(inv *command.Invocation, what, call string) {
	if command.IsTerminal(inv.Err) {
		inv.Note(what + ": " + call)
	}
}

// shownWidth is how many cells a name gets in a sentence, shownNames how many
// names one has.
const (
	shownWidth = 40
	shownNames = 3
)

// countNames names the entries that something was done to: one by its name,
// several by their number and the first names.
func countNames(count int, all []string) string {
	names := make([]string, 0, shownNames+1)
	for _, name := range all[:min(len(all), shownNames)] {
		names = append(names, command.Cut(orNone(name), shownWidth))
	}
	if count == 1 && len(names) == 1 {
		return names[0]
	}
	text := plural(count, "entry", "entries")
	if len(names) == 0 {
		return text
	}
	if more := count - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return text + " (" + strings.Join(names, ", ") + ")"
}
