package cli

import (
	"context"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

func backupRemakeCommand() *command.Command {
	return &command.Command{
		Use:      "remake",
		Synonyms: []string{"renew", "rekey", "replace"},
		Wary:     true,
		Short:    "Replace backups that former key slots open",
		Long: `They are what "o2fa key remove" and "o2fa key change" leave behind. A new one is
made and verified, and then those are removed: with them goes what only they
hold, earlier states of the vault.`,
		Example: "o2fa backup remake",
		Run: func(ctx context.Context, inv *command.Invocation) error {
			a, err := connect(inv)
			if err != nil {
				return err
			}
			return a.remake(ctx, true)
		},
	}
}

// remakeFlag is that of the commands after which old backups have to be remade.
func remakeFlag() command.Flag {
	return command.Flag{Name: "remake", Default: false, Usage: "replace the backups that a removed slot opens"}
}

// remake replaces old backups. alone says that nothing else was printed.
func (a *agent) remake(ctx context.Context, alone bool) error {
	raw, err := a.do(ctx, client.Request{Method: "POST", Path: ipc.PathBackupRemake})
	if err != nil {
		return err
	}
	if a.inv.JSON() && !alone {
		return nil
	}
	return present(a.inv, raw, func(r ipc.BackupRemade) {
		if r.Backup == nil {
			a.inv.Printf("No backup opens with a former key slot.\n")
			return
		}
		a.inv.Printf("Made and verified: %s\nRemoved %s.\n", command.Escape(r.Backup.Path), plural(len(r.Removed), "old backup", "old backups"))
	})
}

// oldShown is how many old backups are named.
const oldShown = 5

// offerRemake says which backups know a slot that was removed, and replaces them if
// that is wanted.
func (a *agent) offerRemake(ctx context.Context, old []string) error {
	if len(old) == 0 {
		return nil
	}
	if a.inv.Given(remakeFlag().Name) && a.inv.Bool(remakeFlag().Name) {
		return a.remake(ctx, false)
	}
	hint := "o2fa backup remake"
	if a.inv.CanAsk() && !a.inv.JSON() {
		hint = ""
	}
	a.inv.Warn(plural(len(old), "backup knows", "backups know")+" the key slots of before only", hint)
	for _, name := range old[:min(len(old), oldShown)] {
		a.inv.Note("  " + name)
	}
	if more := len(old) - oldShown; more > 0 {
		a.inv.Note("  and " + plural(more, "more", "more"))
	}
	if hint != "" {
		return nil
	}
	question := "Put a new backup in their place? What they alone hold is gone then. (y/n): "
	if len(old) == 1 {
		question = "Put a new backup in its place? What it alone holds is gone then. (y/n): "
	}
	yes, err := a.inv.Confirm(ctx, question)
	if err != nil || !yes {
		return err
	}
	return a.remake(ctx, false)
}
