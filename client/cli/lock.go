package cli

import (
	"context"
	"errors"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

// lockRule says when a locked vault is opened without "o2fa unlock".
const lockRule = `A command that meets a locked vault asks for the passphrase, if the vault has
one and somebody sits there, or takes it from O2FA_PASSPHRASE_FILE. Without a
terminal it asks in a dialog of pinentry, where there is a display. In any other
case, and with --no-input, it ends with exit code 5.`

func lockCommand() *command.Command {
	return &command.Command{
		Use:   "lock",
		Wary:  true,
		Short: "Lock the vault",
		Long: `The daemon forgets the key: no codes and no changes until "o2fa unlock".

` + lockRule + `

Where the keyring or a key file opens the vault, any program of yours can open
it again, by "o2fa unlock"; "o2fa config set unlock passphrase" asks for the
passphrase instead.

It locks by itself after the times lock_after and lock_idle, and when what
lock_on names happens: "o2fa help config". "o2fa status" tells when it will, and
what locked it.`,
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
		Short: "Unlock the vault",
		Long: `The key comes from the keyring or the key file, else from the passphrase, which
is asked for or is the first line of the file O2FA_PASSPHRASE_FILE. With
"unlock" set to "passphrase" by "o2fa config" it is the passphrase after each
lock. A recovery code will do where the vault has one.

` + lockRule,
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
