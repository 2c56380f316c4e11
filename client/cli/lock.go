package cli

import (
	"context"
	"errors"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

func lockCommand() *command.Command {
	return &command.Command{
		Use:   "lock",
		Short: "Make the daemon forget the vault's key",
		Long: `Make the daemon forget the key of the vault: no codes and no changes until "o2fa unlock".
Where the keyring or a key file opens the vault, any program of yours can unlock it again.`,
		Example: "o2fa lock",
		Run:     runLock,
	}
}

func runLock(ctx context.Context, inv *command.Invocation) error {
	a, err := connect(inv)
	if err != nil {
		return err
	}
	a.client.NoStart = true // what does not run holds no key
	raw, err := a.client.Do(ctx, client.Request{Method: "POST", Path: ipc.PathLock})
	if errors.Is(err, socket.ErrNotRunning) {
		if inv.JSON() {
			inv.PrintJSON([]byte(`{"running":false}`))
		} else {
			inv.Printf("No daemon is running, so no key is in memory.\n")
		}
		return nil
	}
	if err != nil {
		return err
	}
	return present(inv, raw, func(s ipc.Status) { inv.Printf("State: %s\n", command.Escape(string(s.State))) })
}

func unlockCommand() *command.Command {
	return &command.Command{
		Use:   "unlock",
		Short: "Let the daemon open the vault",
		Long: `Let the daemon open the vault: with the keyring or the key file, else with the passphrase, which is asked for
or read from the first line of the file O2FA_PASSPHRASE_FILE.
Other commands ask by themselves when they meet a locked vault.`,
		Example: "o2fa unlock\nO2FA_PASSPHRASE_FILE=~/.o2fa-passphrase o2fa unlock --no-input",
		Run:     runUnlock,
	}
}

func runUnlock(ctx context.Context, inv *command.Invocation) error {
	a, err := connect(inv)
	if err != nil {
		return err
	}
	if err := a.unlock(ctx); err != nil {
		return err
	}
	raw, err := a.client.Do(ctx, client.Request{Method: "GET", Path: ipc.PathStatus})
	if err != nil {
		return err
	}
	return present(inv, raw, func(s ipc.Status) { inv.Printf("State: %s\n", command.Escape(string(s.State))) })
}
