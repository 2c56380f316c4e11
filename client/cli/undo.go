package cli

import (
	"context"
	"strings"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

func undoCommand() *command.Command {
	return &command.Command{
		Use:   "undo",
		Short: "Take the last change back",
		Long: `Take back the last change that was not taken back yet: an add, a delete, an edit, or what was taken in from
secrets.json. Codes of entries that count (hotp) stay used.`,
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

func showUndo(inv *command.Invocation, r ipc.UndoReply) {
	names := make([]string, len(r.Names))
	for i, name := range r.Names {
		names[i] = orNone(name)
	}
	if more := r.Count - len(names); more > 0 && len(names) > 0 {
		names = append(names, plural(more, "more", "more"))
	}
	inv.Printf("Undone: %s of %s, made %s\n", command.Escape(r.Undone), plural(r.Count, "entry", "entries"), localTime(r.At))
	if len(names) > 0 {
		inv.Printf("  %s\n", strings.Join(names, ", "))
	}
}
