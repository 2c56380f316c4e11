// Package cli owns the commands of o2fa: what they are called, what they ask,
// what they print. Each is one file. It knows the daemon only through package
// client, and never sees a key or a file of the vault.
package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
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

// Commands returns the whole command line, for those who write about it.
func Commands() *command.Command { return root() }

// root returns the whole command line.
func root() *command.Command {
	top := &command.Command{
		Use:   "o2fa COMMAND",
		Short: "Keep two-factor secrets sealed and show their codes",
		Example: `o2fa add            # asks for the secret, unseen, and for a name
o2fa code github    # prints the code`,
		Flags: []command.Flag{command.JSONFlag, command.NoInputFlag},
		Terse: []string{groupVault, groupProgram},
		Exits: []int{command.ExitOK, command.ExitOther, command.ExitUsage, command.ExitNotFound, command.ExitAmbiguous,
			command.ExitLocked, command.ExitUnavailable, command.ExitInterrupted},
		Environment: environment(),
		Files:       files(),
		SeeAlso:     []string{"o2fad"},
		Manual: `One background process per user, o2fad, holds the secrets in a sealed vault and
makes the codes; o2fa starts it when it is needed and asks it.

A command may be spelt in any case. Its flags stand behind it, before or after
its arguments; what follows "--" is no flag.`,
		Unknown: unknown,
	}
	for _, group := range []struct {
		title    string
		commands []*command.Command
	}{
		{"Codes and entries", []*command.Command{addCommand(), codeCommand(), generateCommand(), listCommand(), showCommand(), editCommand(), deleteCommand(),
			undoCommand(), trashCommand()}},
		{groupVault, []*command.Command{initCommand(), lockCommand(), unlockCommand(), keyCommand(), backupCommand(), statusCommand(), doctorCommand(), logCommand(), resetCommand()}},
		{groupProgram, []*command.Command{configCommand(), secretsFileCommand(), completionCommand(), versionCommand()}},
	} {
		explain(group.commands)
		for _, c := range group.commands {
			c.Group = group.title
		}
		top.Sub = append(top.Sub, group.commands...)
	}
	return top
}

// explain makes commands, and those below them, end as failure says.
func explain(commands []*command.Command) {
	for _, c := range commands {
		if run := c.Run; run != nil {
			c.Run = func(ctx context.Context, inv *command.Invocation) error { return failure(inv, run(ctx, inv)) }
		}
		explain(c.Sub)
	}
}

// unknown returns the hints for a first word that is no command and like none:
// mostly the name of an entry.
func unknown(words []string) []string {
	if command.MayBeSecret(words...) {
		return []string{"o2fa add", "o2fa help"}
	}
	switch word := strings.ToLower(words[0]); {
	case slices.Contains(elsewhere[:], word), strings.TrimSpace(strings.Join(words, "")) == "":
		return []string{"o2fa help"}
	case word == "import":
		return []string{"o2fa add"}
	case word == "recovery":
		return []string{"o2fa key add recovery"}
	case word == "rename", word == "mv":
		return []string{renaming(words[1:])}
	case word == "restore":
		return []string{"o2fa trash restore " + orPlaceholder("NAME", words[1:]...)}
	case word == "qr", word == "export":
		return []string{"o2fa show --uri " + orPlaceholder("NAME", words[1:]...)}
	case !typable(strings.Join(words, " ")):
		return []string{"o2fa list", "o2fa help"}
	}
	return []string{"o2fa code " + command.Quote(words...), "o2fa help"}
}

// elsewhere are commands of open2fa and of other such programs that o2fa has not:
// whoever types one means no entry.
var elsewhere = [...]string{"remote", "sync", "service", "daemon", "two-factor", "copy", "clip", "pick"}

// renaming returns the call that renames an entry: words are its name and, where
// there are two, the new one.
func renaming(words []string) string {
	name, to := words, []string(nil)
	if len(words) == 2 {
		name, to = words[:1], words[1:]
	}
	return "o2fa edit " + orPlaceholder("NAME", name...) + " --name " + orPlaceholder("NEW", to...)
}

// orPlaceholder returns words as a hint may show them, else the placeholder.
func orPlaceholder(placeholder string, words ...string) string {
	if len(words) == 0 || !typable(strings.Join(words, " ")) {
		return placeholder
	}
	return command.Quote(words...)
}

// Groups of commands that explain themselves by their names.
const (
	groupVault   = "The vault"
	groupProgram = "About o2fa"
)

func environment() []command.Item {
	return []command.Item{
		{Name: "OPEN2FA_DIR", Text: "the profile: vault, log and secrets.json (~/.open2fa)"},
		{Name: "O2FA_SOCKET", Text: "the daemon to ask; then none is started or replaced"},
		{Name: "O2FA_KEYSTORE", Text: `where the key of a new vault is kept: "o2fa help init"`},
		{Name: "O2FA_PASSPHRASE_FILE", Text: "a file whose first line is the passphrase"},
		{Name: "OPEN2FA_UUID", Text: "open2fa's identity, before that in open2fa.uuid"},
		{Name: "OPEN2FA_API_URL", Text: "open2fa's server"},
		{Name: "COLUMNS, LINES", Text: "the size of a terminal that does not tell it well"},
		{Name: "NO_COLOR", Text: "if it is not empty, nothing is coloured"},
	}
}

func files() []command.Item {
	return []command.Item{
		{Name: "~/.open2fa/vault.db", Text: "the entries, sealed"},
		{Name: "~/.open2fa/vault.key", Text: "the key, where it is kept in a file"},
		{Name: "~/.open2fa/backups", Text: `copies of the vault, sealed: "o2fa help backup"`},
		{Name: "~/.open2fa/config.toml", Text: `the settings: "o2fa help config"`},
		{Name: "~/.open2fa/secrets.json", Text: `open2fa's secrets, in clear: "o2fa help secrets-file"`},
		{Name: "~/.open2fa/o2fad.log", Text: "what the daemon has to say"},
	}
}

// agent is the daemon as a command sees it.
type agent struct {
	inv    *command.Invocation
	client *client.Client
	// slow, if there is one, is called when a request begins, and what it
	// returns when that ends: it may tell a person why it takes time.
	slow func(context.Context) (done func())

	dialogs []string // programs that can ask; see pinentries
	sought  bool     // they were looked for
}

// connect returns the daemon of the profile that the environment names. It
// sends nothing yet.
func connect(inv *command.Invocation) (*agent, error) {
	p, err := socket.Resolve(inv.Getenv)
	if err != nil {
		return nil, err
	}
	return &agent{inv: inv, client: &client.Client{Profile: &p}}, nil
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
	return t.Local().Format("2006-01-02 15:04")
}
