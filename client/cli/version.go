package cli

import (
	"context"
	"encoding/json"

	"github.com/o2fa/o2fa"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

func versionCommand() *command.Command {
	return &command.Command{
		Use:     "version",
		Aliases: []string{"-v", "--version", "-version"},
		Short:   "Print the version",
		Long:    "With --json also the number of the local API that it speaks. It asks no daemon.",
		Example: "o2fa version\no2fa -v",
		Run: func(_ context.Context, inv *command.Invocation) error {
			if !inv.JSON() {
				inv.Printf("o2fa version: %s\n", o2fa.Version())
				return nil
			}
			raw, err := json.Marshal(ipc.VersionReply{Release: o2fa.Version(), API: ipc.Version})
			inv.PrintJSON(raw)
			return err
		},
	}
}
