package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

// Kinds of key slots.
const (
	slotRecovery   = "recovery"
	slotKeyfile    = "keyfile"
	slotCredential = "credential"
)

// usualCredential is the name of a systemd credential that has none in a command.
const usualCredential = "o2fa.key"

func keyCommand() *command.Command {
	return &command.Command{
		Use:      "key [COMMAND]",
		Synonyms: []string{"keys", "slot", "slots", "passwd", "password"},
		Wary:     true,
		Short:    "List and change what opens the vault",
		Long: `Each key slot is enough by itself: the OS keyring, a passphrase, a recovery code
on paper, a key file, a systemd credential. Without a further word they are
listed.

Removing or changing one gives the vault a new key and seals everything anew.
Backups from before know the old slots only: a passphrase or a code of then
still opens them, a key that was deleted does not. They are named, and "o2fa
backup remake" puts a new one in their place.`,
		Example: "o2fa key\no2fa key --json",
		Run:     runKeyList,
		Sub: []*command.Command{
			{Use: "list", Aliases: []string{"l", "ls"}, Short: "List the key slots", Example: "o2fa key list\no2fa key list --json", Run: runKeyList},
			keyAddCommand(), keyRemoveCommand(), keyChangeCommand(),
		},
	}
}

func keyAddCommand() *command.Command {
	return &command.Command{
		Use:   "add KIND [NAME]",
		Wary:  true,
		Short: "Add a key slot",
		Long: `KIND is one of

  recovery    a random code that is printed once, for paper: it opens the vault
              when the keyring is lost or the passphrase forgotten
  passphrase  asked for twice, or the first line of O2FA_PASSPHRASE_FILE
  keyring     the keyring of the desktop
  keyfile     a file beside the vault: whoever reads both has every secret
  credential  what systemd gives to the unit that runs o2fad, called NAME
              (o2fa.key); "o2fad credential" makes its key

--kit puts the recovery code on one page, with a QR code and how to use it; what
is there already is never overwritten. Print the page, then delete the file.`,
		Example: "o2fa key add recovery\no2fa key add recovery --kit recovery.html\no2fa key add passphrase",
		Flags:   recoveryFlags(),
		MinArgs: 1, MaxArgs: 2,
		Complete: command.OneOf("recovery", "passphrase", "keyring", "keyfile", slotCredential),
		Run:      runKeyAdd,
	}
}

func keyRemoveCommand() *command.Command {
	return &command.Command{
		Use:      "remove KIND|ID",
		Synonyms: []string{"rm", "delete", "del"},
		Wary:     true,
		Short:    "Remove a key slot",
		Long: `What it was made from opens the vault no more. The last slot cannot be removed.
An id, or its first 8 digits, names one of several of a kind.`,
		Example: "o2fa key remove recovery\no2fa key remove passphrase --force",
		Flags:   []command.Flag{{Name: "force", Short: "f", Aliases: []string{"yes"}, Default: false, Usage: "do not ask"}, remakeFlag()},
		MinArgs: 1, MaxArgs: 1,
		Complete: slotNames,
		Run:      runKeyRemove,
	}
}

func keyChangeCommand() *command.Command {
	return &command.Command{
		Use:   "change [KIND|ID]",
		Wary:  true,
		Short: "Change the passphrase, or another key slot",
		Long: `A new slot takes the place of the old one in one step. Without a word it is the
passphrase; "recovery" makes a new recovery code, "keyfile" a new key file.`,
		Example:  "o2fa key change\no2fa key change recovery --kit recovery.html",
		Flags:    append(recoveryFlags(), remakeFlag()),
		MaxArgs:  1,
		Complete: slotNames,
		Run:      runKeyChange,
	}
}

func runKeyList(ctx context.Context, inv *command.Invocation) error {
	a, err := connect(inv)
	if err != nil {
		return err
	}
	status, err := a.vaultStatus(ctx)
	if err != nil {
		return err
	}
	if inv.JSON() {
		raw, err := json.Marshal(map[string][]ipc.Slot{"slots": status.Slots})
		inv.PrintJSON(raw)
		return err
	}
	t := slotsTable(status.Slots)
	t.print(inv)
	if len(status.Slots) == 1 {
		inv.Warn("losing this one slot loses every entry, copies of vault.db too", "o2fa key add recovery")
	}
	return nil
}

func slotsTable(slots []ipc.Slot) table {
	t := table{gap: 2, columns: []column{{title: "Kind"}, {title: "Opens the vault", cut: true, rank: 1}, {title: "Id"}}}
	for _, s := range byKind(slots) {
		t.add(command.Escape(s.Type), slotMeaning(s), command.Escape(s.ID[:min(len(s.ID), shortDigits)]))
	}
	return t
}

// slotOrder is the order in which slots are shown: what is used every day first,
// the way out last.
var slotOrder = [...]string{"keyring", slotCredential, slotKeyfile, keystorePassphrase, slotRecovery}

// byKind returns slots as they are shown; the vault has them in that of their
// random ids.
func byKind(slots []ipc.Slot) []ipc.Slot {
	return slices.SortedStableFunc(slices.Values(slots), func(a, b ipc.Slot) int {
		return slices.Index(slotOrder[:], a.Type) - slices.Index(slotOrder[:], b.Type)
	})
}

// slotMeaning says what a person has to do for a slot to open the vault.
func slotMeaning(s ipc.Slot) string {
	switch s.Type {
	case "keyring":
		return "by itself, while the keyring is unlocked"
	case keystorePassphrase:
		return "when the passphrase is typed"
	case slotRecovery:
		return "when the code is typed, in place of the passphrase"
	case slotCredential:
		return "by itself, with the systemd credential " + command.Escape(s.Credential)
	case slotKeyfile:
		if s.Missing {
			return "no more: " + command.Escape(s.Path) + " is gone"
		}
		return "by itself, with " + command.Escape(s.Path)
	}
	return ""
}

// vaultStatus returns what the vault tells of itself; none is an error.
func (a *agent) vaultStatus(ctx context.Context) (ipc.VaultStatus, error) {
	status, err := a.client.Status(ctx)
	if err != nil {
		return ipc.VaultStatus{}, err
	}
	if status.Vault == nil {
		if status.Problem != nil {
			return ipc.VaultStatus{}, status.Problem
		}
		return ipc.VaultStatus{}, &ipc.Error{Code: ipc.CodeUninitialized, Message: "there is no vault yet", Hint: "o2fa init"}
	}
	return *status.Vault, nil
}

// mustBeOpen unlocks the vault before the first question: the passphrase that it
// has now comes before one that it shall have.
func (a *agent) mustBeOpen(ctx context.Context) error {
	status, err := a.client.Status(ctx)
	if err != nil || status.State != ipc.StateLocked || !hasSlot(status, isPassphrase) || !a.hasPassphrase(ctx) {
		return err
	}
	return a.unlockBy(ctx, askPassphrase)
}

func runKeyAdd(ctx context.Context, inv *command.Invocation) error {
	a, err := connect(inv)
	if err != nil {
		return err
	}
	if err := a.mustBeOpen(ctx); err != nil {
		return err
	}
	req := ipc.SlotsRequest{Add: strings.ToLower(inv.Args[0])}
	switch {
	case req.Add == slotCredential && len(inv.Args) > 1:
		req.Credential = inv.Args[1]
	case req.Add == slotCredential:
		req.Credential = usualCredential
	case len(inv.Args) > 1:
		return command.Usage("o2fa key add --help", "only a credential has a name")
	}
	return a.changeSlots(ctx, req)
}

func runKeyRemove(ctx context.Context, inv *command.Invocation) error {
	a, err := connect(inv)
	if err != nil {
		return err
	}
	slot, err := a.slotOf(ctx, inv.Args[0])
	if err != nil {
		return err
	}
	if v, err := a.vaultStatus(ctx); err != nil || len(v.Slots) == 1 {
		return cmp.Or(err, error(&ipc.Error{Code: ipc.CodeInvalid,
			Message: "nothing else would open the vault: its last key slot stays", Hint: "o2fa key add recovery, then remove this one"}))
	}
	if !inv.Bool("force") {
		if inv.NoInput() {
			return command.Usage("o2fa key remove --force "+slot.ID[:shortDigits], "removing wants an answer, and no questions are allowed")
		}
		question := fmt.Sprintf("Remove the %s slot %s? It will open the vault no more. (y/n): ", command.Escape(slot.Type), slot.ID[:shortDigits])
		yes, err := inv.Confirm(ctx, question)
		if errors.Is(err, command.ErrInterrupted) && !command.IsTerminal(inv.In) {
			return command.Usage("o2fa key remove --force "+slot.ID[:shortDigits], "no answer came on standard input")
		}
		if err != nil {
			return err
		}
		if !yes {
			return &command.Failure{Exit: command.ExitOther, Code: "declined", Err: errors.New("nothing was removed: the answer was no")}
		}
	}
	return a.changeSlots(ctx, ipc.SlotsRequest{Remove: []string{slot.ID}})
}

func runKeyChange(ctx context.Context, inv *command.Invocation) error {
	a, err := connect(inv)
	if err != nil {
		return err
	}
	name := keystorePassphrase
	if len(inv.Args) > 0 {
		name = inv.Args[0]
	}
	if err := a.mustBeOpen(ctx); err != nil {
		return err
	}
	slot, err := a.slotOf(ctx, name)
	if err != nil {
		return err
	}
	switch slot.Type {
	case keystorePassphrase, slotRecovery, slotKeyfile:
	case slotCredential:
		return command.Usage("o2fa key add credential NAME", "systemd has the key of that slot: add one of another name, then remove this one")
	default:
		return command.Usage("o2fa key remove "+slot.Type, "a slot of kind %s is changed by removing it and adding it again", slot.Type)
	}
	return a.changeSlots(ctx, ipc.SlotsRequest{Add: slot.Type, Remove: []string{slot.ID}})
}

// slotOf returns the one slot that a kind, an id, or its first digits name.
func (a *agent) slotOf(ctx context.Context, name string) (ipc.Slot, error) {
	v, err := a.vaultStatus(ctx)
	if err != nil {
		return ipc.Slot{}, err
	}
	name = strings.ToLower(name)
	found := slices.DeleteFunc(slices.Clone(v.Slots), func(s ipc.Slot) bool {
		return s.Type != name && !(isID(name) && strings.HasPrefix(s.ID, name))
	})
	switch len(found) {
	case 0:
		return ipc.Slot{}, &ipc.Error{Code: ipc.CodeNotFound, Message: "the vault has no such key slot", Hint: "o2fa key list"}
	case 1:
		return found[0], nil
	}
	return ipc.Slot{}, &ipc.Error{Code: ipc.CodeAmbiguous, Message: "the vault has several slots of that kind: name one by its id", Hint: "o2fa key list"}
}

// changeSlots sends the change, with a new passphrase where it needs one.
func (a *agent) changeSlots(ctx context.Context, req ipc.SlotsRequest) error {
	hand, err := &handout{inv: a.inv}, error(nil)
	if req.Add != "" {
		if hand, err = newHandout(a.inv, req.Add == slotRecovery); err != nil {
			return err
		}
	}
	if req.Add == keystorePassphrase {
		if err := a.mustAsk(ctx); err != nil {
			return err
		}
		if req.Passphrase, err = a.newPassphrase(ctx); err != nil {
			return err
		}
	}
	if err := hand.open(); err != nil {
		return err
	}
	defer hand.discard()
	raw, err := a.do(ctx, client.Request{Method: "POST", Path: ipc.PathSlots, Body: req})
	if err != nil {
		return err
	}
	reply, err := decode[ipc.SlotsReply](raw)
	if err != nil {
		return err
	}
	if reply.RecoveryCode != "" && reply.Added != nil {
		err = hand.write(kitOf(reply.RecoveryCode, reply.Added.ID, reply.Vault))
	}
	if err := cmp.Or(present(a.inv, raw, func(r ipc.SlotsReply) { showSlots(hand, req, r) }), err); err != nil {
		return err
	}
	return a.offerRemake(ctx, reply.OldBackups)
}

// mustAsk returns why no new passphrase can be had.
func (a *agent) mustAsk(ctx context.Context) error {
	if a.hasPassphrase(ctx) {
		return nil
	}
	return command.Usage(envPassphraseFile+"=FILE "+a.inv.Path+" "+strings.Join(a.inv.Args, " "),
		"a new passphrase is needed, and nobody can be asked for one")
}

func showSlots(hand *handout, req ipc.SlotsRequest, r ipc.SlotsReply) {
	inv := hand.inv
	if r.RecoveryCode != "" {
		hand.show(r.RecoveryCode)
	}
	if r.Added != nil {
		hand.say("Added the key slot %s (%s).\n", r.Added.ID[:min(len(r.Added.ID), shortDigits)], command.Escape(r.Added.Type))
		if !r.Added.Protected {
			inv.Warn("whoever reads "+r.Added.Path+" and the vault has every secret", "")
		}
	}
	warnShort(inv, req.Passphrase)
	if n := len(req.Remove); n > 0 {
		hand.say("Removed %s. Everything is sealed under a new key.\n", plural(n, "key slot", "key slots"))
		inv.Note("copies of vault.db from before, and backups kept elsewhere, know the key slots of before only")
	}
	for _, left := range r.Left {
		inv.Warn(left.What+" could not be deleted: "+left.Why, "")
	}
}
