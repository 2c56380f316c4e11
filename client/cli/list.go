package cli

import (
	"context"
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
		Synonyms: []string{"ls"},
		Short:    "List the entries",
		Long: `Sorted by name. With a text only those that have it in name, issuer, account or
a tag. Secrets are masked; -s shows them.`,
		Example: `o2fa list
o2fa list git
o2fa list --json    # with ids, issuers, tags and the rest`,
		Flags:   []command.Flag{secretsFlag("show the secrets")},
		MaxArgs: -1,
		Run:     runList,
	}
}

func runList(ctx context.Context, inv *command.Invocation) error {
	a, err := connect(inv)
	if err != nil {
		return err
	}
	query := map[string]string{}
	if len(inv.Args) > 0 {
		query["search"] = strings.Join(inv.Args, " ")
	}
	if inv.Bool("secrets") {
		query["secrets"] = "true"
	}
	raw, err := a.do(ctx, client.Request{Method: "GET", Path: ipc.PathEntries, Query: query})
	if err != nil {
		return err
	}
	return present(inv, raw, func(r ipc.Entries) {
		showList(inv, r.Entries, inv.Bool("secrets"))
		switch {
		case len(r.Entries) > 0, !command.IsTerminal(inv.Err):
		case len(inv.Args) > 0:
			inv.Note("no entry matches")
		default:
			inv.Note("no entries yet: o2fa add")
		}
	})
}

// showList prints open2fa's table: a column is as wide as its widest text.
func showList(inv *command.Invocation, entries []ipc.Entry, secrets bool) {
	rows := [][2]string{{"Name", "Secret"}, {}}
	for _, e := range entries {
		shown := e.Mask
		if secrets {
			shown = e.Secret
		}
		rows = append(rows, [2]string{orNone(e.Name), command.Escape(shown)})
	}
	var width [2]int
	for _, row := range rows {
		for i, text := range row {
			width[i] = max(width[i], command.Width(text))
		}
	}
	rows[1] = [2]string{strings.Repeat("-", width[0]), strings.Repeat("-", width[1])}
	var b strings.Builder
	for _, row := range rows {
		b.WriteString(strings.TrimRight(command.Pad(row[0], width[0])+"    "+row[1], " ") + "\n")
	}
	inv.Printf("\n%s\n", b.String())
}
