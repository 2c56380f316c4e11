package cli

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"strings"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

// secretsFlag shows what is masked otherwise; open2fa knows all three spellings.
func secretsFlag(usage string) command.Flag {
	return command.Flag{Name: "secrets", Short: "s", Aliases: []string{"secret"}, Default: false, Usage: usage}
}

func listCommand() *command.Command {
	return &command.Command{
		Use:      "list [TEXT...]",
		Aliases:  []string{"l", "-l", "-list", "--list"},
		Synonyms: []string{"ls", "search", "find"},
		Short:    "List the entries",
		Long: `Sorted by name, the pinned ones first. With a text only those that have it in
name, issuer, account or a tag. Secrets are masked; -s shows them.

On a terminal names are cut to fit; elsewhere nothing is. For programs: --json.`,
		Example: `o2fa list
o2fa list git
o2fa list --tag work --pinned
o2fa list -l        # with type, issuer, account, tags and id
o2fa list --json    # with all that there is`,
		Flags: []command.Flag{
			secretsFlag("show the secrets"),
			{Name: "long", Short: "l", Default: false, Usage: "show type, issuer, account, tags, pin and id too"},
			{Name: "tag", Default: "", Value: "TAG", Usage: "only entries with that tag, in any case", Complete: tagNames},
			{Name: "pinned", Default: false, Usage: "only pinned entries"},
		},
		MaxArgs:  -1,
		Complete: entryNames,
		Run:      runList,
	}
}

func runList(ctx context.Context, inv *command.Invocation) error {
	a, err := connect(inv)
	if err != nil {
		return err
	}
	query := map[string]string{"search": strings.Join(inv.Args, " "), "tag": inv.String("tag")}
	for _, name := range []string{"secrets", "pinned"} {
		if inv.Bool(name) {
			query[name] = "true"
		}
	}
	maps.DeleteFunc(query, func(_, value string) bool { return value == "" })
	raw, err := a.do(ctx, client.Request{Method: "GET", Path: ipc.PathEntries, Query: query})
	if err != nil {
		return err
	}
	return present(inv, raw, func(r ipc.Entries) {
		showList(inv, r.Entries)
		switch {
		case len(r.Entries) > 0, !command.IsTerminal(inv.Err):
		case query["search"] != "":
			inv.Note("no entry matches" + a.near(ctx, query["search"]))
		case query["tag"] != "" || query["pinned"] != "":
			inv.Note("no entry matches")
		default:
			inv.Note("no entries yet: o2fa add")
		}
	})
}

// near names the entries whose names are spelt nearly like text, as the rest of
// a line; empty where there are none.
func (a *agent) near(ctx context.Context, text string) string {
	found := a.misspelt(ctx, text)
	if len(found) == 0 {
		return ""
	}
	names := make([]string, len(found))
	for i, e := range found {
		names[i] = command.Shorten(cmp.Or(e.Name, "None"), shownWidth)
	}
	return "; spelt like it: " + strings.Join(names, ", ")
}

// misspelt returns the entries whose names are spelt nearly like text, where
// nothing is called so; none where that cannot be told.
func (a *agent) misspelt(ctx context.Context, text string) []ipc.Entry {
	_, err := a.client.Do(ctx, client.Request{Method: "GET", Path: ipc.PathEntry, Query: map[string]string{"name": text}})
	var missing *ipc.Error
	if !errors.As(err, &missing) || missing.Code != ipc.CodeNotFound {
		return nil
	}
	return missing.Candidates
}

// showList prints open2fa's table; long adds what tells entries of one name apart.
func showList(inv *command.Invocation, entries []ipc.Entry) {
	t := table{columns: []column{{title: "Name", cut: true}, {title: "Secret"}}, gap: 4}
	long, ids := inv.Bool("long"), []string(nil)
	if long {
		t.gap, ids = 2, shortIDs(entries)
		t.columns = append(t.columns, column{title: "Type", rank: 3}, column{title: "Issuer", cut: true, rank: 4}, column{title: "Account", cut: true, rank: 5},
			column{title: "Tags", cut: true, rank: 2}, column{title: "Pin", rank: 1}, column{title: "Id"})
	}
	for i, e := range entries {
		row := []string{orNone(e.Name), command.Escape(cmp.Or(e.Secret, e.Mask))}
		if long {
			row = append(row, command.Escape(e.Type), command.Escape(e.Issuer), command.Escape(e.Account),
				command.Escape(strings.Join(e.Tags, ", ")), pinMark(e), ids[i])
		}
		t.add(row...)
	}
	t.print(inv)
}

// pinMark is how a table shows that an entry is pinned.
func pinMark(e ipc.Entry) string {
	if e.Pinned {
		return "*"
	}
	return ""
}
