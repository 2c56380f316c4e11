package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

func deleteCommand() *command.Command {
	return &command.Command{
		Use:     "delete [NAME...]",
		Aliases: []string{"d", "-d", "-delete", "--delete"},
		Short:   "Delete entries, by name or by secret",
		Long: `Move every entry of exactly that name, or with that secret, to the trash, after a question for each.
"o2fa undo" brings them back. Several words are one name; an id names one entry.`,
		Example: `o2fa delete github
o2fa delete -n github -f
o2fa delete -s - < secret.txt`,
		Flags: []command.Flag{
			{Name: "name", Short: "n", Default: "", Value: "NAME", Usage: "delete the entries of that name"},
			{Name: "secret", Short: "s", Default: "", Value: "SECRET", Usage: "delete the entries with that secret; - reads it from standard input"},
			{Name: "force", Short: "f", Default: false, Usage: "do not ask"},
		},
		MaxArgs: -1,
		Run:     runDelete,
	}
}

func runDelete(ctx context.Context, inv *command.Invocation) error {
	a, err := connect(inv)
	if err != nil {
		return err
	}
	want, err := deleteRequest(ctx, inv)
	if err != nil {
		return err
	}
	found, err := a.find(ctx, want)
	if err != nil {
		return err
	}
	chosen, err := chooseDeleted(ctx, inv, found)
	if err != nil {
		return err
	}
	raw, err := a.do(ctx, client.Request{Method: "POST", Path: ipc.PathDelete, Body: ipc.DeleteRequest{IDs: chosen}})
	if err != nil {
		return err
	}
	if err := present(inv, raw, func(r ipc.DeleteReply) { showDelete(inv, r) }); err != nil {
		return err
	}
	if len(chosen) == 0 {
		return &command.Failure{Exit: command.ExitOther, Code: "declined", Err: errors.New("nothing was deleted: the answer was no")}
	}
	return nil
}

// deleteRequest reads what to delete.
func deleteRequest(ctx context.Context, inv *command.Invocation) (want ipc.FindRequest, err error) {
	want = ipc.FindRequest{Name: inv.String("name"), Secret: inv.String("secret")}
	if len(inv.Args) > 0 {
		want.Name = strings.Join(inv.Args, " ")
	}
	if want.Secret == stdinWord {
		want.Secret, err = readSecret(ctx, inv)
		want.Secret = strings.TrimSpace(want.Secret)
	}
	if err == nil && want == (ipc.FindRequest{}) {
		// The text is open2fa's, capitals, full stop and all.
		err = command.Usage("o2fa delete NAME", "No secret OR name provided to delete.")
	}
	return want, err
}

// find returns the entries to delete; none is an error that names what is near.
func (a *agent) find(ctx context.Context, want ipc.FindRequest) ([]ipc.Entry, error) {
	raw, err := a.do(ctx, client.Request{Method: "POST", Path: ipc.PathFind, Body: want})
	if err != nil {
		return nil, err
	}
	reply, err := decode[ipc.Entries](raw)
	if err != nil || len(reply.Entries) > 0 {
		return reply.Entries, err
	}
	missing := &ipc.Error{Code: ipc.CodeNotFound, Message: "no entry has that secret", Hint: "o2fa list"}
	if want.Name == "" {
		return nil, missing
	}
	missing.Message = fmt.Sprintf("no entry is called %q", want.Name)
	if isID(want.Name) {
		return a.findID(ctx, want, missing)
	}
	if near, err := a.client.Entries(ctx, want.Name, false); err == nil {
		missing.Candidates = near.Entries[:min(len(near.Entries), 5)]
	}
	return nil, missing
}

// findID returns the one entry of an id.
func (a *agent) findID(ctx context.Context, want ipc.FindRequest, missing error) ([]ipc.Entry, error) {
	all, err := a.client.Entries(ctx, "", false)
	if err != nil {
		return nil, err
	}
	for i, e := range all.Entries {
		if e.ID == strings.ToLower(want.Name) && want.Secret == "" {
			return all.Entries[i : i+1], nil
		}
	}
	return nil, missing
}

// isID says whether text has the form of an id.
func isID(text string) bool {
	return len(text) == 32 && strings.Trim(strings.ToLower(text), "0123456789abcdef") == ""
}

// chooseDeleted asks for each entry, unless -f says not to, and returns the ids.
func chooseDeleted(ctx context.Context, inv *command.Invocation, found []ipc.Entry) ([]string, error) {
	ids := []string{}
	for _, e := range found {
		yes := inv.Bool("force")
		if !yes && inv.NoInput() {
			return nil, command.Usage(inv.Path+" -f", "deleting wants an answer, and no questions are allowed")
		}
		if !yes {
			// open2fa shows the secret here; its ends are enough to tell two apart.
			question := fmt.Sprintf("Are you sure you want to remove %s %s? (y/n): ", orNone(e.Name), command.Escape(e.Mask))
			var err error
			yes, err = inv.Confirm(ctx, question)
			if errors.Is(err, command.ErrInterrupted) && !command.IsTerminal(inv.In) {
				return nil, command.Usage(inv.Path+" -f", "no answer came on standard input")
			}
			if err != nil {
				return nil, err
			}
		}
		if yes {
			ids = append(ids, e.ID)
		}
	}
	return ids, nil
}

func showDelete(inv *command.Invocation, r ipc.DeleteReply) {
	inv.Printf("Deleted %d secret(s).\n", r.Deleted)
	if r.InFile > 0 {
		inv.Warn("secrets.json still holds "+plural(r.InFile, "of them", "of them")+" in clear; o2fa does not take it in again", "")
	}
}
