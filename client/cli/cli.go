// Package cli owns the commands of o2fa: what they are called, what they ask,
// what they print. Each is one file. It knows the daemon only through package
// client, and never sees a key or a file of the vault.
package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

// Run carries out one call of o2fa and returns its exit code. args are those
// after the program's name.
func Run(ctx context.Context, args []string, io command.Stdio) int {
	return command.Run(ctx, root(), args, io)
}

// root returns the whole command line.
func root() *command.Command {
	top := &command.Command{
		Use:   "o2fa COMMAND",
		Short: "Keep two-factor secrets sealed and show their codes",
		Long: `o2fa asks its daemon, o2fad, which holds the secrets sealed and starts by itself.
The profile is the directory OPEN2FA_DIR (~/.open2fa); an open2fa secrets.json there is taken in.

Exit codes:
` + command.ExitTable(command.ExitOK, command.ExitOther, command.ExitUsage, command.ExitNotFound, command.ExitAmbiguous,
			command.ExitLocked, command.ExitUnavailable, command.ExitInterrupted),
		Example: `o2fa add            # asks for the secret, unseen, and for a name
o2fa code github    # prints the code
o2fa help add`,
		Flags: []command.Flag{command.JSONFlag, command.NoInputFlag},
		Sub: []*command.Command{
			addCommand(), codeCommand(), listCommand(), deleteCommand(), undoCommand(),
			statusCommand(), initCommand(), lockCommand(), unlockCommand(), versionCommand(),
		},
	}
	for _, c := range top.Sub {
		run := c.Run
		c.Run = func(ctx context.Context, inv *command.Invocation) error { return failure(run(ctx, inv)) }
	}
	return top
}

// agent is the daemon as a command sees it.
type agent struct {
	inv    *command.Invocation
	client *client.Client
}

// connect returns the daemon of the profile that the environment names. It
// sends nothing yet.
func connect(inv *command.Invocation) (*agent, error) {
	p, err := socket.Resolve(inv.Getenv)
	if err != nil {
		return nil, err
	}
	return &agent{inv, &client.Client{Profile: &p}}, nil
}

// decode reads a reply.
func decode[T any](raw []byte) (T, error) {
	var out T
	if err := json.Unmarshal(raw, &out); err != nil {
		// Not json's own text: it could quote the reply.
		return out, &ipc.Error{Code: ipc.CodeInternal, Message: "reading the daemon's reply: it is not the JSON expected"}
	}
	return out, nil
}

// present prints a reply: as it came with --json, else by show.
func present[T any](inv *command.Invocation, raw []byte, show func(T)) error {
	if inv.JSON() {
		inv.PrintJSON(raw)
		return nil
	}
	reply, err := decode[T](raw)
	if err == nil {
		show(reply)
	}
	return err
}

// orNone is how open2fa prints what is not there.
func orNone(text string) string {
	if text == "" {
		return "None"
	}
	return command.Escape(text)
}

// plural returns "1 entry" or "2 entries".
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// localTime shows an RFC 3339 time of the daemon in the person's own zone.
func localTime(text string) string {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return command.Escape(text)
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// readSecret reads what "-" stands for: all of standard input, or, on a
// terminal, one line that is not shown.
func readSecret(ctx context.Context, inv *command.Invocation) (string, error) {
	if command.IsTerminal(inv.In) {
		if !inv.CanAsk() {
			return "", command.Usage(inv.Path+" - < FILE", "no secret on standard input, and no questions allowed")
		}
		return inv.AskHidden(ctx, "Secret (not shown): ")
	}
	return command.ReadAll(inv.In, ipc.MaxRequestBody)
}
