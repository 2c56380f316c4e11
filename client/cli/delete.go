package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

func deleteCommand() *command.Command {
	return &command.Command{
		Use:      "delete [NAME...]",
		Aliases:  []string{"d", "-d", "-delete", "--delete"},
		Synonyms: []string{"rm", "remove", "del"},
		Wary:     true,
		Short:    "Delete entries, by name or by secret",
		Long: `Every entry of exactly that name, or with that secret, goes to the trash, after
a question for each; "o2fa undo" or, for some time, "o2fa trash restore" brings
them back. Several words are one name. An id, or its first 8 digits, names one
entry.`,
		Example: `o2fa delete github
o2fa delete -n github -f
o2fa delete -s - < secret.txt`,
		Flags: []command.Flag{
			{Name: "name", Short: "n", Default: "", Value: "NAME", Usage: "delete the entries of that name", Complete: entryName},
			{Name: "secret", Short: "s", Default: "", Value: "SECRET", Usage: "delete those with that secret; - reads it from stdin"},
			{Name: "force", Short: "f", Aliases: []string{"yes"}, Default: false, Usage: "do not ask"},
		},
		MaxArgs:  -1,
		Complete: entryNames,
		Run:      runDelete,
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
		if inv.Given("name") {
			return want, command.Usage(inv.Path+" --help", "two names: one as a word, one with -n")
		}
		want.Name = strings.Join(inv.Args, " ")
	}
	if want.Secret == stdinWord {
		want.Secret, err = readSecret(ctx, inv, "o2fa delete -f -s - < FILE", checkSecret)
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
	if command.MayBeSecret(want.Name) {
		missing.Message = "no entry has that name"
		missing.Hint += "\no2fa delete -s -"
	}
	if isID(want.Name) && want.Secret == "" {
		return a.findID(ctx, want.Name, missing)
	}
	if near, err := a.client.Entries(ctx, want.Name, false); err == nil {
		missing.Candidates = near.Entries[:min(len(near.Entries), mostNear)]
	}
	if len(missing.Candidates) == 0 && want.Secret == "" {
		missing.Candidates = a.misspelt(ctx, want.Name)
	}
	return nil, missing
}

// mostNear is how many entries are offered in place of a name that none has.
const mostNear = 5

// findID returns the one entry whose id begins with the given digits.
func (a *agent) findID(ctx context.Context, digits string, missing error) ([]ipc.Entry, error) {
	all, err := a.client.Entries(ctx, "", false)
	if err != nil {
		return nil, err
	}
	found := slices.DeleteFunc(all.Entries, func(e ipc.Entry) bool { return !strings.HasPrefix(e.ID, strings.ToLower(digits)) })
	switch len(found) {
	case 0:
		return nil, missing
	case 1:
		return found, nil
	}
	return nil, &ipc.Error{Code: ipc.CodeAmbiguous, Message: "several ids begin so", Candidates: found}
}

// isID says whether text has the form of an id, or of as much of one as is
// shown: what deletes is stricter than what shows a code.
func isID(text string) bool {
	return len(text) >= shortDigits && len(text) <= 32 && strings.Trim(strings.ToLower(text), "0123456789abcdef") == ""
}

// withoutQuestion is the call that deletes what was asked for and asks nothing.
func withoutQuestion(inv *command.Invocation) string {
	name := cmp.Or(strings.Join(inv.Args, " "), inv.String("name"))
	switch {
	case inv.String("secret") != "":
		return "o2fa delete -f -s - < FILE"
	case command.MayBeSecret(name), command.Escape(name) != name:
		return "o2fa delete -f NAME"
	}
	return "o2fa delete -f " + command.Quote(name)
}

// chooseDeleted asks for each entry, unless -f says not to, and returns the ids.
func chooseDeleted(ctx context.Context, inv *command.Invocation, found []ipc.Entry) ([]string, error) {
	ids := []string{}
	for _, e := range found {
		yes := inv.Bool("force")
		if !yes && inv.NoInput() {
			return nil, command.Usage(withoutQuestion(inv), "deleting wants an answer, and no questions are allowed")
		}
		if !yes {
			// open2fa shows the secret here; its ends are enough to tell two apart.
			question := fmt.Sprintf("Are you sure you want to remove %s %s? (y/n): ", orNone(e.Name), command.Escape(e.Mask))
			var err error
			yes, err = inv.Confirm(ctx, question)
			if errors.Is(err, command.ErrInterrupted) && !command.IsTerminal(inv.In) {
				return nil, command.Usage(withoutQuestion(inv), "no answer came on standard input")
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
	if r.Deleted > 0 {
		advise(inv, "to take it back", "o2fa undo")
	}
	if r.InFile > 0 {
		inv.Warn("secrets.json still holds "+plural(r.InFile, "of them", "of them")+" in clear; o2fa does not take it in again", "")
	}
}
