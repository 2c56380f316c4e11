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

func backupRestoreCommand() *command.Command {
	return &command.Command{
		Use:      "restore NAME|FILE",
		Synonyms: []string{"recover", "undo", "load", "import"},
		Wary:     true,
		Short:    "Put a backup in the place of the vault",
		Long: `It shows first what that would change, and asks. NAME is one of "o2fa backup",
or its beginning; FILE a backup, or a copy of vault.db, from anywhere: on a new
machine it opens with the passphrase, the recovery code, or the vault.key of
then in the profile's directory. The vault may be locked, damaged or gone.

What was there before is kept, as a backup or beside the vault, and named. A
counter that was used since does not go back. What secrets.json still holds is
taken in again, but for what you had deleted.`,
		Example: "o2fa backup restore 20261122T0015\no2fa backup restore ~/usb/o2fa.backup\no2fa backup restore --yes 20261122T0015",
		Flags:   []command.Flag{{Name: "yes", Short: "y", Aliases: []string{"force"}, Default: false, Usage: "do not ask"}},
		MinArgs: 1, MaxArgs: 1,
		Complete: backupNames,
		Run:      runBackupRestore,
	}
}

func runBackupRestore(ctx context.Context, inv *command.Invocation) error {
	if !inv.Bool("yes") && !inv.CanAsk() {
		return command.Usage("o2fa backup restore --yes "+command.Quote(inv.Args...), "replacing the vault wants an answer, and nobody can be asked")
	}
	a, err := connect(inv)
	if err != nil {
		return err
	}
	named, err := backupNamed(inv)
	if err != nil {
		return err
	}
	raw, err := a.withOld(ctx, func(pass string) ([]byte, error) {
		named.Passphrase = pass // which the restore wants, too
		return a.send(ctx, client.Request{Method: "POST", Path: ipc.PathBackupCompare, Body: named})
	})
	if err != nil {
		return err
	}
	plan, err := decode[ipc.BackupComparison](raw)
	if err != nil {
		return err
	}
	if err := a.confirmRestore(ctx, plan); err != nil {
		return err
	}
	if raw, err = a.send(ctx, client.Request{Method: "POST", Path: ipc.PathBackupRestore,
		Body: ipc.BackupRestoreRequest{BackupRequest: named, Seen: plan.Seen}}); err != nil {
		return err
	}
	if err := present(inv, raw, func(r ipc.BackupRestored) { showRestoredVault(inv, r) }); err != nil || inv.JSON() {
		return err
	}
	a.warnOfMissing(ctx)
	return nil
}

// warnOfMissing says which key slots of a restored vault have lost their key since
// the backup was made.
func (a *agent) warnOfMissing(ctx context.Context) {
	status, err := a.client.Status(ctx)
	if err != nil || status.Vault == nil {
		return // the restore has succeeded, and status will say it
	}
	for _, slot := range status.Vault.Slots {
		if slot.Missing {
			a.inv.Warn("the key of a slot of then is gone: "+slotText(slot), "o2fa key remove "+slot.ID[:min(len(slot.ID), shortDigits)])
		}
	}
}

// confirmRestore shows what a restore changes, and asks unless it was told not to.
func (a *agent) confirmRestore(ctx context.Context, plan ipc.BackupComparison) error {
	inv := a.inv
	showPlan(inv, plan)
	if inv.Bool("yes") {
		return nil
	}
	yes, err := inv.Confirm(ctx, "Restore it? (y/n): ")
	if err == nil && !yes {
		err = &command.Failure{Exit: command.ExitOther, Code: "declined", Err: errors.New("nothing was restored: the answer was no")}
	}
	return err
}

// showPlan says what a restore changes.
func showPlan(inv *command.Invocation, p ipc.BackupComparison) {
	b := p.Backup
	inv.Note(fmt.Sprintf("%s: made %s, %s", b.Name, orUnknown(localTime(b.Made)), proofText(b)))
	if !b.Sealed {
		inv.Warn("it has no seal of a backup: nobody knows whether all of that time is in it", "")
	}
	switch {
	case p.State == ipc.StateUninitialized:
		inv.Note("There is no vault here yet.")
		return
	case !p.SameVault:
		inv.Warn("it is of another vault than the one here", "")
	}
	if !p.Compared {
		inv.Warn("the vault here is "+notRead(p.State)+": what it holds that the backup does not cannot be shown", unlockHint(p.State))
		if p.Counters > 0 {
			inv.Note(fmt.Sprintf("%s may be behind: skip codes that are refused.", plural(p.Counters, "counter", "counters")))
		}
		return
	}
	for _, part := range []struct {
		n     int
		names []string
		text  string
	}{{p.Lost, p.LostNames, "Gone by it, as only the vault of now has them"}, {p.Older, p.OlderNames, "As they were then, though edited since"},
		{p.Back, p.BackNames, "Back by it"}} {
		if part.n > 0 {
			inv.Note(fmt.Sprintf("%s: %s", part.text, countNames(part.n, part.names)))
		}
	}
	if p.Lost+p.Older == 0 {
		inv.Note("Nothing in the vault of now is newer.")
	}
}

// orUnknown is for a time that a mere copy does not tell.
func orUnknown(text string) string {
	if text == "" {
		return "nobody knows when"
	}
	return text
}

func notRead(s ipc.State) string {
	if s == ipc.StateLocked {
		return "locked"
	}
	return "not readable"
}

func unlockHint(s ipc.State) string {
	if s == ipc.StateLocked {
		return "o2fa unlock, and the same again"
	}
	return ""
}

func showRestoredVault(inv *command.Invocation, r ipc.BackupRestored) {
	inv.Printf("Restored %s: %s\n", command.Escape(r.Backup.Name), plural(r.Backup.Entries, "entry", "entries"))
	if r.Kept != "" {
		inv.Printf("What was there before is kept: %s\n", command.Escape(r.Kept))
		advise(inv, "to take it back", "o2fa backup restore "+command.Quote(keptName(r.Kept)))
	}
	if r.Counters > 0 {
		inv.Printf("Kept %s that had gone on since.\n", plural(r.Counters, "counter", "counters"))
	}
	if r.OtherVault {
		inv.Note("the key of the vault that was here stays where it is")
	}
	if r.State == ipc.StateLocked {
		advise(inv, "it is locked", "o2fa unlock")
	}
}

// keptName is what names a kept vault on the command line: a backup by its name,
// another file by its path.
func keptName(path string) string {
	name := path[strings.LastIndexAny(path, `/\`)+1:]
	if strings.HasSuffix(name, ".backup") {
		return name
	}
	return path
}
