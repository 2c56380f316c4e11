package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

func showCommand() *command.Command {
	return &command.Command{
		Use:      "show NAME...",
		Synonyms: []string{"view", "cat", "details"},
		Short:    "Show all that is known of an entry",
		Long: `Name, issuer, kind of codes, tags, note, where it came from and when. The secret
is masked; -s shows it. --uri prints the entry as otpauth:// URI, for another
program or device: the secret stands in it.

NAME is found as by "o2fa code"; several words are one name. No code is made,
so none is used up.`,
		Example: `o2fa show github
o2fa show my bank -s
o2fa show github --uri    # for another program, or as a QR code
o2fa show github --json`,
		Flags: []command.Flag{
			secretsFlag("show the secret"),
			{Name: "uri", Default: false, Usage: "print only the otpauth:// URI, which holds the secret"},
		},
		MaxArgs:  -1,
		Complete: entryNames,
		Run:      runShow,
	}
}

func runShow(ctx context.Context, inv *command.Invocation) error {
	name, err := nameOf(inv)
	if err != nil {
		return err
	}
	a, err := connect(inv)
	if err != nil {
		return err
	}
	raw, err := a.detail(ctx, name, inv.Bool("secrets") || inv.Bool("uri"))
	if err != nil {
		return err
	}
	if inv.Bool("uri") && !inv.JSON() {
		return printURI(inv, raw)
	}
	return present(inv, raw, func(d ipc.EntryDetail) { showDetail(inv, d) })
}

// printURI prints the URI of an entry and nothing else.
func printURI(inv *command.Invocation, raw []byte) error {
	d, err := decode[ipc.EntryDetail](raw)
	if err != nil {
		return err
	}
	if d.URI == "" {
		return &command.Failure{Exit: command.ExitOther, Code: string(ipc.CodeInvalid),
			Err:  errors.New("no otpauth:// URI can say what that entry is"),
			Hint: "o2fa show -s " + shortIDs([]ipc.Entry{d.Entry})[0]}
	}
	inv.Printf("%s\n", command.Escape(d.URI))
	return nil
}

// nameOf returns the name that the words of a call are together.
func nameOf(inv *command.Invocation) (string, error) {
	name := strings.Join(inv.Args, " ")
	if name == "" {
		return "", command.Usage("o2fa list", "which entry? %s NAME", inv.Path)
	}
	return name, nil
}

// detail asks for the one entry that name means.
func (a *agent) detail(ctx context.Context, name string, secrets bool) ([]byte, error) {
	query := map[string]string{"name": name}
	if secrets {
		query["secrets"] = "true"
	}
	return a.do(ctx, client.Request{Method: "GET", Path: ipc.PathEntry, Query: query})
}

// showDetail prints a line for everything that the entry has, and one for each
// line of its note.
func showDetail(inv *command.Invocation, d ipc.EntryDetail) {
	for _, row := range detailRows(d) {
		title := row[0] + ":"
		for line := range strings.SplitSeq(row[1], "\n") {
			inv.Printf("%s\n", strings.TrimRight(command.Pad(title, 11)+line, " "))
			title = ""
		}
	}
}

// detailRows returns what the entry has, as titles and escaped texts.
func detailRows(d ipc.EntryDetail) (rows [][2]string) {
	add := func(title, text string, has bool) {
		if has {
			rows = append(rows, [2]string{title, text})
		}
	}
	texts := func(pairs ...string) {
		for i := 0; i < len(pairs); i += 2 {
			add(pairs[i], command.Escape(pairs[i+1]), pairs[i+1] != "")
		}
	}
	texts("Name", cmp.Or(d.Name, "None"), "Issuer", d.Issuer, "Account", d.Account, "Secret", cmp.Or(d.Secret, d.Mask),
		"Type", d.Type, "Algorithm", d.Algorithm, "Digits", fmt.Sprint(d.Digits))
	add("Period", fmt.Sprintf("%d s", d.Period), d.Period > 0)
	if d.Counter != nil {
		texts("Counter", fmt.Sprintf("%d, that of the next code", *d.Counter))
	}
	texts("Tags", strings.Join(d.Tags, ", "))
	add("Pinned", "yes", d.Pinned)
	note := strings.Split(strings.TrimRight(d.Note, "\n"), "\n")
	for i := range note {
		note[i] = command.Escape(note[i])
	}
	add("Note", strings.Join(note, "\n"), d.Note != "")
	texts("Id", d.ID, "Source", d.Source)
	add("Created", localTime(d.Created), true)
	add("Updated", localTime(d.Updated), true)
	add("History", plural(d.Versions, "earlier version", "earlier versions"), d.Versions > 0)
	add("In clear", "secrets.json still holds the secret", d.InFile)
	return rows
}
