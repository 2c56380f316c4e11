package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

func emptyCommand() *command.Command {
	return &command.Command{
		Use:      "empty [NAME|ID...]",
		Synonyms: []string{"clear", "purge", "delete", "remove"},
		Wary:     true,
		Short:    "Remove what is in the trash for good",
		Long: `After a question. With a name only the entries in the trash of exactly that
name; names and ids as for "o2fa trash restore". "o2fa undo" does not bring them
back; backups from before hold them, until those are gone themselves.`,
		Example: `o2fa trash empty
o2fa trash empty github
o2fa trash empty -f    # asks nothing`,
		Flags:    []command.Flag{{Name: "force", Short: "f", Aliases: []string{"yes"}, Default: false, Usage: "do not ask"}},
		MaxArgs:  -1,
		Complete: trashedNames,
		Run:      runEmpty,
	}
}

func runEmpty(ctx context.Context, inv *command.Invocation) error {
	if !inv.Bool("force") && !inv.CanAsk() {
		return command.Usage(emptyUnasked(inv), "removing for good wants an answer, and nobody can be asked")
	}
	a, err := connect(inv)
	if err != nil {
		return err
	}
	found, err := a.toRemove(ctx)
	if err != nil {
		return err
	}
	raw := []byte(`{"removed":0}`) // without an id the request would mean all
	if len(found) > 0 {
		if err := confirmRemoval(ctx, inv, found); err != nil {
			return err
		}
		if raw, err = a.do(ctx, client.Request{Method: "POST", Path: ipc.PathEmpty, Body: removal(inv, found)}); err != nil {
			return err
		}
	}
	return present(inv, raw, func(r ipc.EmptyReply) {
		if r.Removed == 0 {
			inv.Printf("The trash is empty.\n")
			return
		}
		inv.Printf("Removed %s for good.\n", plural(r.Removed, "entry", "entries"))
	})
}

// confirmRemoval asks, unless -f says not to; no is a failure.
func confirmRemoval(ctx context.Context, inv *command.Invocation, found []ipc.Entry) error {
	if inv.Bool("force") {
		return nil
	}
	yes, err := inv.Confirm(ctx, "Remove "+countNames(len(found), namesOf(found))+" for good? (y/n): ")
	if err == nil && !yes {
		err = &command.Failure{Exit: command.ExitOther, Code: "declined", Err: errors.New("nothing was removed: the answer was no")}
	}
	return err
}

// mostIDs is how many ids a request names: within ipc.MaxRequestBody.
const mostIDs = 20_000

// removal names what to remove by its ids, so that nothing goes that was deleted
// since the question; all of a trash that holds too much for that by no id.
func removal(inv *command.Invocation, found []ipc.Entry) ipc.EmptyRequest {
	if len(inv.Args) == 0 && len(found) > mostIDs {
		return ipc.EmptyRequest{}
	}
	return ipc.EmptyRequest{IDs: idsOf(found)}
}

// toRemove returns what the call names, or all that is in the trash.
func (a *agent) toRemove(ctx context.Context) ([]ipc.Entry, error) {
	if len(a.inv.Args) > 0 {
		return a.trashed(ctx)
	}
	raw, err := a.do(ctx, client.Request{Method: "GET", Path: ipc.PathTrash})
	if err != nil {
		return nil, err
	}
	reply, err := decode[ipc.Entries](raw)
	return reply.Entries, err
}

// emptyUnasked is the call that removes the same and asks nothing.
func emptyUnasked(inv *command.Invocation) string {
	switch {
	case len(inv.Args) == 0:
		return "o2fa trash empty -f"
	case !typable(strings.Join(inv.Args, " ")):
		return "o2fa trash empty -f NAME"
	}
	return "o2fa trash empty -f " + command.Quote(inv.Args...)
}
