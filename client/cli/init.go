package cli

import (
	"cmp"
	"context"
	"errors"

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

The environment variable O2FA_KEYSTORE decides where --keystore does not, and
then the setting keystore: "o2fa help config".`,
		Example: `o2fa init
o2fa init --keystore passphrase
O2FA_PASSPHRASE_FILE=~/.o2fa-passphrase o2fa init --keystore passphrase`,
		Flags: []command.Flag{{Name: "keystore", Default: "", Value: "KIND",
			Usage: "auto, keyring, passphrase or keyfile", Values: []string{"auto", "keyring", "passphrase", "keyfile"}}},
		Run: runInit,
	}
}

func runInit(ctx context.Context, inv *command.Invocation) error {
	a, err := connect(inv)
	if err != nil {
		return err
	}
	req := ipc.InitRequest{Keystore: cmp.Or(inv.String("keystore"), inv.Getenv(envKeystore)), Desktop: desktop(inv)}
	kind := cmp.Or(req.Keystore, a.setting(ctx, "keystore"))
	free := isFree(kind)
	if kind == keystorePassphrase || free {
		if req.Passphrase, err = a.passphraseFile(); err != nil {
			return err
		}
	}
	if kind == keystorePassphrase && req.Passphrase == "" && a.canAsk(ctx) && a.setting(ctx, "passphrase_file") == "" {
		// Whoever has a vault already is told so, not asked for a passphrase.
		status, err := a.client.Status(ctx)
		if err == nil && status.State == ipc.StateUninitialized {
			req.Passphrase, err = a.newPassphrase(ctx)
		}
		if err != nil {
			return err
		}
	}
	raw, err := a.init(ctx, req)
	if errors.Is(err, ipc.ErrKeystore) && free && req.Passphrase == "" && a.canAsk(ctx) {
		a.explainPassphrase()
		req.Keystore = keystorePassphrase
		if req.Passphrase, err = a.newPassphrase(ctx); err != nil {
			return err
		}
		raw, err = a.init(ctx, req)
	}
	if err != nil {
		return err
	}
	return present(inv, raw, func(r ipc.InitReply) { showInit(inv, r, req.Passphrase) })
}

func (a *agent) init(ctx context.Context, req ipc.InitRequest) ([]byte, error) {
	return a.client.Do(ctx, client.Request{Method: "POST", Path: ipc.PathInit, Body: req})
}

func showInit(inv *command.Invocation, r ipc.InitReply, passphrase string) {
	inv.Printf("Made the vault %s\n", command.Escape(r.Vault.Path))
	for _, slot := range r.Vault.Slots {
		inv.Printf("Opened by: %s\n", slotText(slot))
	}
	if r.Taken > 0 {
		inv.Printf("Taken in from secrets.json: %s\n", plural(r.Taken, "entry", "entries"))
	}
	for _, slot := range r.Vault.Slots {
		if !slot.Protected {
			inv.Warn("whoever reads "+slot.Path+" and the vault has every secret", "")
		}
		if isPassphrase(slot) {
			warnShort(inv, passphrase)
		}
	}
	if len(r.Vault.Slots) == 1 && command.IsTerminal(inv.Err) {
		inv.Note("a second way into it, for paper: o2fa key add recovery")
	}
}
