package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

func trashCommand() *command.Command {
	list := command.Command{
		Use:     "list",
		Aliases: []string{"l", "ls"},
		Short:   "List the deleted entries",
		Long:    `The last deleted comes first.`,
		Example: "o2fa trash list\no2fa trash list --json",
		Run:     runTrash,
	}
	return &command.Command{
		Use:      "trash [COMMAND]",
		Synonyms: []string{"bin", "deleted", "recycle"},
		Wary:     true,
		Short:    "List, restore or remove what was deleted",
		Long: `Deleted entries stay in the trash until the time that the list shows (trash_days
in config.toml); then they are removed for good, with all earlier versions.
Without a further word they are listed, the last deleted first.`,
		Example: "o2fa trash\no2fa trash --json",
		Run:     runTrash,
		Sub:     []*command.Command{&list, restoreCommand(), emptyCommand()},
	}
}

func restoreCommand() *command.Command {
	return &command.Command{
		Use:      "restore NAME|ID...",
		Synonyms: []string{"undelete", "recover"},
		Short:    "Bring entries back from the trash",
		Long: `NAME is the whole name, in any case; several words are one name. Where several
entries have it they are listed, and the id that stands there, or its first 8
digits, names one. Several ids bring back several entries.`,
		Example: `o2fa trash restore github
o2fa trash restore 1a2b3c4d 5e6f7081`,
		MaxArgs:  -1,
		Complete: trashedNames,
		Run:      runRestore,
	}
}

func runTrash(ctx context.Context, inv *command.Invocation) error {
	a, err := connect(inv)
	if err != nil {
		return err
	}
	raw, err := a.do(ctx, client.Request{Method: "GET", Path: ipc.PathTrash})
	if err != nil {
		return err
	}
	return present(inv, raw, func(r ipc.Entries) {
		t := table{gap: 2, columns: []column{{title: "Name", cut: true}, {title: "Secret", rank: 2},
			{title: "Deleted", rank: 3}, {title: "Kept until", rank: 1}, {title: "Id"}}}
		ids := shortIDs(r.Entries)
		for i, e := range r.Entries {
			t.add(orNone(e.Name), command.Escape(e.Mask), localTime(e.Trashed), localTime(e.KeptUntil), ids[i])
		}
		t.print(inv)
		if len(r.Entries) == 0 && command.IsTerminal(inv.Err) {
			inv.Note("the trash is empty")
		}
	})
}

func runRestore(ctx context.Context, inv *command.Invocation) error {
	if len(inv.Args) == 0 {
		return command.Usage("o2fa trash list", "which entry? o2fa trash restore NAME")
	}
	a, err := connect(inv)
	if err != nil {
		return err
	}
	found, err := a.trashed(ctx)
	if err != nil {
		return err
	}
	if len(found) > 1 && !severalIDs(inv.Args) {
		return &ipc.Error{Code: ipc.CodeAmbiguous, Message: "several entries in the trash have that name", Candidates: found}
	}
	raw, err := a.do(ctx, client.Request{Method: "POST", Path: ipc.PathRestore, Body: ipc.RestoreRequest{IDs: idsOf(found)}})
	if err != nil {
		return err
	}
	return present(inv, raw, func(r ipc.RestoreReply) { a.showRestored(ctx, r) })
}

// showRestored says what is back, and which names mean several entries by that.
func (a *agent) showRestored(ctx context.Context, r ipc.RestoreReply) {
	a.inv.Printf("Restored %s.\n", countNames(len(r.Restored), namesOf(r.Restored)))
	advise(a.inv, "to take it back", "o2fa undo")
	told := map[string]bool{"": true}
	for _, e := range r.Restored {
		if name := strings.ToLower(e.Name); !told[name] {
			told[name] = true
			warnShared(a.inv, e, a.countSame(ctx, e.Name))
		}
	}
}

// countSame returns how many entries have a name, in any case; 0 where that
// cannot be told.
func (a *agent) countSame(ctx context.Context, name string) (n int) {
	raw, err := a.client.Do(ctx, client.Request{Method: "GET", Path: ipc.PathEntries, Query: map[string]string{"prefix": name}})
	if err != nil {
		return 0
	}
	reply, err := decode[ipc.Entries](raw)
	if err != nil {
		return 0
	}
	for _, e := range reply.Entries {
		if strings.EqualFold(e.Name, name) {
			n++
		}
	}
	return n
}

// trashed returns the entries of the trash that the words of the call mean; none
// is an error that names what is near.
func (a *agent) trashed(ctx context.Context) (found []ipc.Entry, err error) {
	names := []string{strings.Join(a.inv.Args, " ")}
	if severalIDs(a.inv.Args) {
		names = a.inv.Args
	}
	for _, name := range names {
		raw, err := a.do(ctx, client.Request{Method: "POST", Path: ipc.PathFind, Body: ipc.FindRequest{Name: name, Trashed: true}})
		if err != nil {
			return nil, err
		}
		reply, err := decode[ipc.Entries](raw)
		switch {
		case err != nil:
			return nil, err
		case len(reply.Entries) == 0:
			return nil, a.notInTrash(ctx, name)
		case len(names) > 1 && len(reply.Entries) > 1:
			return nil, &ipc.Error{Code: ipc.CodeAmbiguous, Message: "several ids in the trash begin so", Candidates: reply.Entries}
		}
		found = append(found, reply.Entries...)
	}
	return found, nil
}

// severalIDs says whether words are ids, each of an entry of its own.
func severalIDs(words []string) bool {
	for _, word := range words {
		if !isID(word) {
			return false
		}
	}
	return len(words) > 1
}

// notInTrash is the answer to a name that nothing in the trash has.
func (a *agent) notInTrash(ctx context.Context, name string) error {
	missing := &ipc.Error{Code: ipc.CodeNotFound, Message: "nothing in the trash has that name", Hint: "o2fa trash list"}
	if !command.MayBeSecret(name) {
		missing.Message = fmt.Sprintf("nothing in the trash is called %q", name)
	}
	list, err := a.client.Trash(ctx)
	if err != nil {
		return missing
	}
	for _, e := range list.Entries {
		if len(missing.Candidates) < mostNear && (strings.Contains(strings.ToLower(e.Name), strings.ToLower(name)) || command.Misspelt(name, e.Name)) {
			missing.Candidates = append(missing.Candidates, e)
		}
	}
	return missing
}

func idsOf(entries []ipc.Entry) []string {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	return ids
}

func namesOf(entries []ipc.Entry) []string {
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name
	}
	return names
}
