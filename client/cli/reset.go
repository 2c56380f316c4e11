package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

func resetCommand() *command.Command {
	return &command.Command{
		Use:      "reset",
		Synonyms: []string{"uninstall"},
		Wary:     true,
		Short:    "Remove the vault, its key and all else that o2fa has made",
		Long: `Every entry is lost, for good. Backups stay, unless --backups is given, and open
with a passphrase or a recovery code only: keyring item and key file go.

It shows what goes and what stays, and wants the word "reset" typed. Files of
open2fa, config.toml and what others have put into the directory stay. It works
for a vault that cannot be opened, too; one that was interrupted is finished by
another call. The next "o2fa add" makes a new vault.`,
		Example: "o2fa reset\no2fa reset --backups\no2fa reset --force",
		Flags: []command.Flag{{Name: "force", Short: "f", Aliases: []string{"yes"}, Default: false, Usage: "do not ask"},
			{Name: "backups", Default: false, Usage: "remove the backups, too"}},
		Run: runReset,
	}
}

func runReset(ctx context.Context, inv *command.Invocation) error {
	a, err := connect(inv)
	if err != nil {
		return err
	}
	if !inv.Bool("force") && !inv.CanAsk() {
		return command.Usage("o2fa reset --force", "removing the vault for good wants an answer, and nobody can be asked")
	}
	status, err := a.client.Status(ctx)
	if err != nil {
		return err
	}
	if !inv.Bool("force") {
		if err := a.askReset(ctx, status); err != nil {
			return err
		}
	}
	req := ipc.ResetRequest{Backups: inv.Bool("backups")}
	if status.Vault != nil {
		req.Vault = status.Vault.ID
	}
	if command.IsTerminal(inv.Err) {
		a.slow = a.announceDialog
	}
	raw, err := a.send(ctx, client.Request{Method: "POST", Path: ipc.PathReset, Body: req})
	if err != nil {
		return err
	}
	return a.endReset(ctx, raw)
}

// endReset waits for the daemon's end, which is a part of the reset, and shows
// what came of it all.
func (a *agent) endReset(ctx context.Context, raw []byte) error {
	reply, err := decode[ipc.ResetReply](raw)
	if err != nil {
		return err
	}
	endErr := a.client.AwaitEnd(ctx)
	if endErr == nil && !a.client.Profile.Fixed { // else the files may be on another machine
		awaitGone(ctx, &reply, a.client.Profile.Dir)
	}
	if err := present(a.inv, raw, func(ipc.ResetReply) { showReset(a.inv, reply) }); err != nil {
		return err
	}
	return cmp.Or(endErr, incomplete(reply))
}

// resetWord is what a person types: to type y has become a habit.
const resetWord = "reset"

// askReset shows what a reset does, and asks.
func (a *agent) askReset(ctx context.Context, status ipc.Status) error {
	plan, err := a.client.ResetPlan(ctx, ipc.ResetRequest{Backups: a.inv.Bool("backups")})
	if err != nil {
		return err
	}
	a.inv.Note("This removes, for good:")
	for _, what := range plan.Removed {
		if status.Vault != nil && what == status.Vault.Path {
			what += ", with " + vaultContent(status)
		}
		a.inv.Note("  " + what)
	}
	if len(plan.Left) > 0 {
		a.inv.Note("This stays:")
	}
	for _, l := range plan.Left {
		a.inv.Note("  " + l.What + ": " + l.Why)
	}
	answer, err := a.inv.Ask(ctx, `There is no way back. Type "`+resetWord+`" to go on: `)
	if err != nil {
		return err
	}
	if strings.TrimSpace(answer) != resetWord {
		return &command.Failure{Exit: command.ExitOther, Code: "declined", Err: errors.New(`nothing was removed: the answer was not "` + resetWord + `"`)}
	}
	return nil
}

// vaultContent says what is lost with the vault, as far as that can be known.
func vaultContent(s ipc.Status) string {
	if s.State != ipc.StateReady {
		return "all its entries; how many is not known, the vault is not open"
	}
	text := plural(s.Vault.Entries, "entry", "entries")
	if s.Vault.Trashed > 0 {
		text += fmt.Sprintf(" and %d in the trash", s.Vault.Trashed)
	}
	return text
}

// goneTime is how long files may take to go after the daemon has let go of the
// profile.
const goneTime = time.Second

// awaitGone makes the reply true: what went with the daemon's end is looked for.
// Another program may have started the next daemon already. Where dir, the
// profile's directory, was to go, an empty one is removed here: Windows does not
// let the daemon do it while that has a file in it open.
func awaitGone(ctx context.Context, reply *ipc.ResetReply, dir string) {
	ctx, cancel := context.WithTimeout(ctx, goneTime)
	defer cancel()
	there := func(what string) bool {
		_, err := os.Lstat(what)
		return filepath.IsAbs(what) && !errors.Is(err, fs.ErrNotExist)
	}
	for ; ctx.Err() == nil && slices.ContainsFunc(reply.Removed, there); <-time.After(time.Millisecond) {
		if slices.Contains(reply.Removed, dir) {
			_ = os.Remove(dir)
		}
	}
	reply.Removed = slices.DeleteFunc(reply.Removed, func(what string) bool {
		if !there(what) {
			return false
		}
		reply.Left = append(reply.Left, ipc.Left{What: what, Why: "it is there again: another program has started the daemon"})
		return true
	})
}

func showReset(inv *command.Invocation, r ipc.ResetReply) {
	for _, what := range r.Removed {
		inv.Printf("Removed: %s\n", command.Escape(what))
	}
	for _, l := range r.Left {
		inv.Printf("Left:    %s: %s\n", command.Escape(l.What), command.Escape(l.Why))
	}
}

// incomplete is the failure of a reset that left what was to go.
func incomplete(r ipc.ResetReply) error {
	n := 0
	for _, l := range r.Left {
		if l.Failed {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return &command.Failure{Exit: command.ExitOther, Code: "left", Err: errors.New(plural(n, "thing", "things") + " could not be removed: see what was left")}
}
