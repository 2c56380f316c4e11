package cli

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

func initCommand() *command.Command {
	return &command.Command{
		Use:   "init",
		Wary:  true,
		Short: "Create the vault and choose where its key is kept",
		Long: `Needed once a profile, and only for the choice: "o2fa add" does it by itself.

  auto        in the keyring of the desktop; where none answers, a passphrase
  keyring     in the keyring, and nowhere else
  passphrase  made from a passphrase, which is asked for twice, or is the first
              line of the file O2FA_PASSPHRASE_FILE
  keyfile     in a file beside the vault: for machines without people; whoever
              reads both has every secret
  credential  the systemd credential o2fa.key of the unit that runs o2fad

A vault with one key slot is lost with it. So on a terminal init asks, at the
end, whether to make a recovery code for paper: a second way into the vault.

The environment variable O2FA_KEYSTORE decides where --keystore does not, and
then the setting keystore: "o2fa help config".`,
		Example: `o2fa init
o2fa init --kit recovery.html
o2fa init --keystore passphrase
O2FA_PASSPHRASE_FILE=~/.o2fa-passphrase o2fa init --keystore passphrase`,
		Flags: append([]command.Flag{
			{Name: "keystore", Default: "", Value: "KIND", Usage: "auto, keyring, passphrase, keyfile or credential",
				Values: []string{"auto", "keyring", "passphrase", "keyfile", "credential"}},
			{Name: "recovery", Default: false, Usage: "make a recovery code, too, and do not ask"},
			{Name: "no-recovery", Default: false, Usage: "make none, and do not ask"},
		}, recoveryFlags()...),
		Run: runInit,
	}
}

func runInit(ctx context.Context, inv *command.Invocation) error {
	wanted := inv.Bool("recovery") || inv.Given("kit") || inv.Bool("qr")
	if wanted && inv.Bool("no-recovery") {
		return command.Usage("o2fa init --recovery", "a recovery code cannot be both wanted and not")
	}
	hand, err := newHandout(inv, wanted)
	if err != nil {
		return err
	}
	a, err := connect(inv)
	if err != nil {
		return err
	}
	if err := hand.open(); err != nil {
		return err
	}
	defer hand.discard()
	req := ipc.InitRequest{Keystore: cmp.Or(inv.String("keystore"), inv.Getenv(envKeystore)), Desktop: desktop(inv), Recovery: wanted}
	raw, err := a.makeVault(ctx, &req)
	if err != nil {
		return err
	}
	reply, err := decode[ipc.InitReply](raw)
	if err != nil {
		return err
	}
	if reply.RecoveryCode != "" {
		err = hand.write(kitOf(reply.RecoveryCode, recoverySlot(reply.Vault), reply.Vault))
	}
	return cmp.Or(present(inv, raw, func(r ipc.InitReply) { showInit(hand, r, req.Passphrase) }), err, a.offerRecovery(ctx, reply.Vault))
}

// makeVault makes the vault, with a passphrase where it needs one.
func (a *agent) makeVault(ctx context.Context, req *ipc.InitRequest) (raw []byte, err error) {
	kind := cmp.Or(req.Keystore, a.setting(ctx, "keystore"))
	free := isFree(kind)
	if kind == keystorePassphrase || free {
		if req.Passphrase, err = a.passphraseFile(); err != nil {
			return nil, err
		}
	}
	if kind == keystorePassphrase && req.Passphrase == "" && a.canAsk(ctx) && a.setting(ctx, "passphrase_file") == "" {
		// Whoever has a vault already is told so, not asked for a passphrase.
		status, err := a.client.Status(ctx)
		if err == nil && status.State == ipc.StateUninitialized {
			req.Passphrase, err = a.newPassphrase(ctx)
		}
		if err != nil {
			return nil, err
		}
	}
	raw, err = a.init(ctx, *req)
	if errors.Is(err, ipc.ErrKeystore) && free && req.Passphrase == "" && a.canAsk(ctx) {
		a.explainPassphrase()
		req.Keystore = keystorePassphrase
		if req.Passphrase, err = a.newPassphrase(ctx); err != nil {
			return nil, err
		}
		raw, err = a.init(ctx, *req)
	}
	return raw, err
}

// offerRecovery asks who sits there for a recovery code, once, where the vault has
// one slot. No is the answer of who has no paper at hand: a code that was made and
// not kept would look like a second way in.
func (a *agent) offerRecovery(ctx context.Context, v ipc.VaultStatus) error {
	inv := a.inv
	if len(v.Slots) != 1 || inv.JSON() || inv.Bool("no-recovery") {
		return nil
	}
	if !inv.CanAsk() || !command.IsTerminal(inv.Out) {
		if command.IsTerminal(inv.Err) {
			inv.Note("a second way into it, for paper: o2fa key add recovery")
		}
		return nil
	}
	inv.Reveal()
	inv.Note("")
	inv.Note("This one key slot opens the vault: losing it loses every entry.")
	inv.Note("A recovery code, on paper, would be a second one.")
	answer, err := inv.Ask(ctx, "Make a recovery code now? (y/N): ")
	if err != nil {
		return err
	}
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		inv.Note("Later: o2fa key add recovery")
		return nil
	}
	return a.changeSlots(ctx, ipc.SlotsRequest{Add: slotRecovery})
}

// recoverySlot returns the id of the slot that a recovery code opens.
func recoverySlot(v ipc.VaultStatus) string {
	i := slices.IndexFunc(v.Slots, isRecovery)
	if i < 0 {
		return ""
	}
	return v.Slots[i].ID
}

func (a *agent) init(ctx context.Context, req ipc.InitRequest) ([]byte, error) {
	defer a.announceDialog(ctx)()
	return a.client.Do(ctx, client.Request{Method: "POST", Path: ipc.PathInit, Body: req})
}

func showInit(hand *handout, r ipc.InitReply, passphrase string) {
	inv := hand.inv
	hand.say("Made the vault %s\n", command.Escape(r.Vault.Path))
	for _, slot := range byKind(r.Vault.Slots) {
		hand.say("Opened by: %s\n", slotText(slot))
	}
	if r.Taken > 0 {
		hand.say("Taken in from secrets.json: %s\n", plural(r.Taken, "entry", "entries"))
	}
	for _, slot := range r.Vault.Slots {
		if !slot.Protected {
			inv.Warn("whoever reads "+slot.Path+" and the vault has every secret", "")
		}
		if isPassphrase(slot) {
			warnShort(inv, passphrase)
		}
	}
	if r.RecoveryCode != "" {
		hand.show(r.RecoveryCode)
	}
}
