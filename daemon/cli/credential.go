package cli

import (
	"context"

	"github.com/o2fa/o2fa/daemon"
	"github.com/o2fa/o2fa/internal/command"
)

// encrypting is how a new key comes to systemd without a stop on the way.
const encrypting = "o2fad credential | systemd-creds encrypt --name=o2fa.key - o2fa.key.cred"

func credentialCommand() *command.Command {
	return &command.Command{
		Use:   "credential",
		Short: "Print a new key for a systemd credential",
		Long: `Each call makes another key, which nothing uses yet. It is a secret, so a terminal
does not get it: pipe it to systemd-creds, let the unit that runs o2fad load it,
and then take it for the vault, by "o2fa key add credential".`,
		Example: encrypting,
		Run: func(_ context.Context, inv *command.Invocation) error {
			if command.IsTerminal(inv.Out) {
				return command.Usage(encrypting, "a key is no text to look at")
			}
			key := daemon.NewCredential()
			defer key.Wipe()
			_, err := inv.Write(key.Reveal())
			return err
		},
	}
}
