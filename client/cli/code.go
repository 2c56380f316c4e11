package cli

import (
	"cmp"
	"context"
	"time"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

func codeCommand() *command.Command {
	return &command.Command{
		Use:      "code NAME...",
		Synonyms: []string{"get", "totp", "otp"},
		Short:    "Print the code of an entry",
		Long: `The digits and a newline, nothing else.

NAME may be an id or its first digits, an issuer, or the beginning or a part of
a name, in any case, as long as it fits one entry best; else the entries that
fit are listed. Several words are one name.

For an entry that counts (hotp) each call uses up one code.`,
		Example: `o2fa code github
o2fa code my bank
o2fa code github --min-valid 5s    # not one that is about to change
o2fa code github --next            # the code after this one
o2fa code github --json            # with seconds left and the next code`,
		Flags: []command.Flag{
			{Name: "min-valid", Default: time.Duration(0), Value: "TIME", Usage: "wait for a code that lives at least so long: 5s"},
			{Name: "next", Default: false, Usage: "print the code that comes after this one"},
		},
		MaxArgs:  -1,
		Complete: entryNames,
		Run:      runCode,
	}
}

func runCode(ctx context.Context, inv *command.Invocation) error {
	name, err := nameOf(inv)
	if err != nil {
		return err
	}
	a, err := connect(inv)
	if err != nil {
		return err
	}
	r := client.Request{Method: "POST", Path: ipc.PathCode, Query: map[string]string{"name": name}}
	min := inv.Duration("min-valid")
	if min < 0 {
		return command.Usage(inv.Path+" --help", "--min-valid wants a time from 0 up, such as 5s")
	}
	if inv.Given("min-valid") { // 0s, too: that is less than the setting may say
		r.Query["min_valid"] = min.String()
	}
	if command.IsTerminal(inv.Err) && (min > 0 || !inv.Given("min-valid")) {
		a.slow = func(ctx context.Context) func() { return a.announceWait(ctx, name, min) }
	}
	next := inv.Bool("next")
	if next {
		// By its id from here on: what was looked at is what is asked for.
		if r.Query["name"], err = a.hasNext(ctx, name); err != nil {
			return err
		}
	}
	if !inv.JSON() && !next {
		r.Accept = "text/plain" // the reply is the output: nothing to decode
	}
	raw, err := a.do(ctx, r)
	switch {
	case err != nil:
		return err
	case r.Accept == "":
		return present(inv, raw, func(c ipc.Code) { inv.Printf("%s\n", command.Escape(c.Next)) })
	}
	_, err = inv.Write(raw)
	return err
}

// hasNext returns the id of the entry that name means, if it has a next code to
// show. One that counts has none: asking for a code uses one up.
func (a *agent) hasNext(ctx context.Context, name string) (id string, err error) {
	raw, err := a.detail(ctx, name, false)
	if err != nil {
		return "", err
	}
	e, err := decode[ipc.EntryDetail](raw)
	if err == nil && e.Type == "hotp" {
		err = command.Usage("o2fa code "+shortIDs([]ipc.Entry{e.Entry})[0],
			"%s goes by counter (hotp): each code is the next one, and asking uses it up", command.Shorten(cmp.Or(e.Name, "None"), shownWidth))
	}
	return e.ID, err
}
