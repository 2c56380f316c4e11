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
		Long: `That is the last one not undone yet: adding, deleting, editing, or taking in
from secrets.json. Called again it undoes the change before. Codes of entries
that count (hotp) stay used.`,
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
	what := undoNames(r)
	switch r.Undone {
	case "add":
		inv.Printf("Undone: adding %s. %s %s in the trash now.\n", what, it, is)
	case "delete":
		inv.Printf("Undone: deleting %s. %s %s back.\n", what, it, is)
	case "edit":
		inv.Printf("Undone: editing %s. %s %s as before.\n", what, it, is)
	case "secrets-file":
		inv.Printf("Undone: taking in %s from secrets.json (%s). %s not taken in again.\n",
			plural(r.Count, "entry", "entries"), localTime(r.At), they)
	default: // of a newer daemon
		inv.Printf("Undone: %s of %s.\n", command.Escape(r.Undone), what)
	}
}

// undoWidth is how many cells a name gets, undoShown how many names are shown.
const (
	undoWidth = 40
	undoShown = 3
)

// undoNames names the entries of a change: one by its name, several by their
// number and the first names.
func undoNames(r ipc.UndoReply) string {
	names := make([]string, 0, undoShown+1)
	for _, name := range r.Names[:min(len(r.Names), undoShown)] {
		names = append(names, command.Cut(orNone(name), undoWidth))
	}
	if r.Count == 1 && len(names) == 1 {
		return names[0]
	}
	count := plural(r.Count, "entry", "entries")
	if len(names) == 0 {
		return count
	}
	if more := r.Count - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return count + " (" + strings.Join(names, ", ") + ")"
}
