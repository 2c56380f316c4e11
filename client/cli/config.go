package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

func configCommand() *command.Command {
	return &command.Command{
		Use:      "config [COMMAND]",
		Synonyms: []string{"settings", "preferences"},
		Short:    "Show and change the settings of config.toml",
		Long: `  backups          how many backups of the vault are kept; 0 makes none; at
                   most 1000
  keystore         how a new vault is keyed: auto, keyring, passphrase, keyfile,
                   credential
  lock_after       how long after unlocking the vault locks by itself; 0s is
                   never, else a time from 1s to 720h, such as 10m
  lock_idle        how long after the last command the vault locks by itself; 0s
                   is never, else as for lock_after
  lock_on          what locks the vault: the screen's lock, the machine's sleep,
                   the end of the session: some of screen, sleep and logout,
                   with commas, or never
  log              whether it is noted who asked for what: on, off
  min_valid        how long a code has to be valid when nothing else is asked
                   for: a time from 0s to 1m, such as 5s
  passphrase_file  a file whose first line is the vault's passphrase
  pinentry         what asks for a passphrase where there is no terminal: the
                   path of a pinentry of GnuPG; "never" for no dialogs
  secrets_file     what becomes of open2fa's secrets.json: read it, empty it,
                   keep it equal to the vault: watch, seal, mirror
  trash_days       how many days a deleted entry can be brought back: 1 to 3650
  unlock           what opens the vault after a lock: any key slot, or only what
                   a person types: auto, passphrase

"o2fa config set lock_idle 10m" changes a setting, "o2fa config unset lock_idle"
takes it back. The daemon follows the file: a change counts at once, whoever
makes it. A file with a mistake changes nothing, and "o2fa status" shows the
line. O2FA_KEYSTORE and O2FA_PASSPHRASE_FILE win over it.`,
		Example: "o2fa config\no2fa config --json",
		Unknown: settingCalls,
		Run:     runConfig,
		Sub: []*command.Command{
			{
				Use:     "list",
				Short:   "Show every setting, and where it comes from",
				Example: "o2fa config list --json",
				Run:     runConfig,
			},
			{
				Use:     "get KEY",
				Short:   "Print the value of a setting",
				Example: "o2fa config get trash_days",
				MinArgs: 1, MaxArgs: 1,
				Complete: command.OneOf(settingKeys[:]...),
				Run:      runConfigGet,
			},
			{
				Use:     "set KEY VALUE",
				Short:   "Change a setting",
				Long:    "Comments and other settings in the file stay as they are.",
				Example: "o2fa config set trash_days 90",
				MinArgs: 2, MaxArgs: 2,
				Complete: completeSetting,
				Run:      runConfigSet,
			},
			{
				Use:     "unset KEY",
				Short:   "Take a setting back to its default",
				Example: "o2fa config unset trash_days",
				MinArgs: 1, MaxArgs: 1,
				Complete: command.OneOf(settingKeys[:]...),
				Run:      runConfigUnset,
			},
			{
				Use:     "path",
				Short:   "Print where config.toml is, or would be",
				Example: "o2fa config path",
				Run:     runConfigPath,
			},
		},
	}
}

// settingKeys are the keys as shells complete them; the daemon decides.
var settingKeys = [...]string{"backups", "keystore", "lock_after", "lock_idle", "lock_on", "log", "min_valid", "passphrase_file", "pinentry", "secrets_file", "trash_days", "unlock"}

// settingCalls are the hints for words that are no command of config: "o2fa config
// lock_idle 10m" means a setting.
func settingCalls(words []string) []string {
	switch {
	case !slices.Contains(settingKeys[:], words[0]):
		return []string{"o2fa help config"}
	case len(words) == 1:
		return []string{"o2fa config get " + words[0]}
	}
	return []string{"o2fa config set " + words[0] + " " + orPlaceholder("VALUE", words[1:]...)}
}

// completeSetting completes a key, and then the value of one that has few.
func completeSetting(ctx context.Context, c *command.Completion) []command.Candidate {
	switch {
	case len(c.Args) == 0:
		return command.OneOf(settingKeys[:]...)(ctx, c)
	case len(c.Args) == 1 && c.Args[0] == "keystore":
		return command.OneOf("auto", "keyring", keystorePassphrase, slotKeyfile, slotCredential)(ctx, c)
	case len(c.Args) == 1 && c.Args[0] == "secrets_file":
		return command.OneOf(ipc.ModeWatch, ipc.ModeSeal, ipc.ModeMirror)(ctx, c)
	case len(c.Args) == 1 && c.Args[0] == "unlock":
		return command.OneOf("auto", keystorePassphrase)(ctx, c)
	case len(c.Args) == 1 && c.Args[0] == "lock_on":
		return command.OneOf("screen", "sleep", "logout", "never")(ctx, c)
	case len(c.Args) == 1 && c.Args[0] == "log":
		return command.OneOf("on", "off")(ctx, c)
	}
	return nil
}

// askConfig asks for the configuration, or for one key of it.
func askConfig(ctx context.Context, inv *command.Invocation, key string) ([]byte, error) {
	a, err := connect(inv)
	if err != nil {
		return nil, err
	}
	r := client.Request{Method: "GET", Path: ipc.PathConfig}
	if key != "" {
		r.Query = map[string]string{"key": key}
	}
	return a.client.Do(ctx, r)
}

func runConfig(ctx context.Context, inv *command.Invocation) error {
	raw, err := askConfig(ctx, inv, "")
	if err != nil {
		return err
	}
	return present(inv, raw, func(c ipc.Config) {
		showSettings(inv, c.Settings)
		warnOfConfig(inv, c)
	})
}

func showSettings(inv *command.Invocation, settings []ipc.Setting) {
	t := settingsTable(settings)
	t.print(inv)
}

func settingsTable(settings []ipc.Setting) table {
	t := table{gap: 4, columns: []column{{title: "Setting"}, {title: "Value", cut: true}, {title: "Source", rank: 1}}}
	for _, s := range settings {
		t.add(command.Escape(s.Key), orNone(s.Value), command.Escape(s.Source))
	}
	return t
}

// warnOfConfig says what is wrong with the file, whose values are not what was
// shown then.
func warnOfConfig(inv *command.Invocation, c ipc.Config) {
	if c.Problem != "" {
		inv.Warn("the file is not in force: "+c.Problem, "mend it, or remove it: it is read at once")
	}
}

func runConfigGet(ctx context.Context, inv *command.Invocation) error {
	raw, err := askConfig(ctx, inv, inv.Args[0])
	if err != nil {
		return err
	}
	return present(inv, raw, func(c ipc.Config) {
		for _, s := range c.Settings {
			inv.Printf("%s\n", command.Escape(s.Value))
		}
		warnOfConfig(inv, c)
	})
}

func runConfigSet(ctx context.Context, inv *command.Invocation) error {
	value := inv.Args[1]
	if inv.Args[0] == "min_valid" {
		value = command.WithUnit(value)
	}
	return changeConfig(ctx, inv, ipc.ConfigRequest{Set: map[string]string{inv.Args[0]: value}})
}

func runConfigUnset(ctx context.Context, inv *command.Invocation) error {
	return changeConfig(ctx, inv, ipc.ConfigRequest{Unset: []string{inv.Args[0]}})
}

// changeConfig changes the key that is the first argument.
func changeConfig(ctx context.Context, inv *command.Invocation, req ipc.ConfigRequest) error {
	a, err := connect(inv)
	if err != nil {
		return err
	}
	raw, err := a.client.Do(ctx, client.Request{Method: "POST", Path: ipc.PathConfig, Body: req})
	if err != nil {
		return err
	}
	return present(inv, raw, func(c ipc.Config) {
		for _, s := range c.Settings {
			if s.Key == inv.Args[0] {
				showChange(inv, s, len(req.Set) > 0)
			}
		}
	})
}

// showChange says what is in force after a change, which need not be what the
// file says.
func showChange(inv *command.Invocation, s ipc.Setting, set bool) {
	inv.Printf("%s is %s now (%s)\n", command.Escape(s.Key), orNone(s.Value), command.Escape(s.Source))
	if set && strings.ToUpper(s.Source) == s.Source {
		inv.Warn(s.Source+" in the daemon's environment wins over the file", "")
	}
}

func runConfigPath(ctx context.Context, inv *command.Invocation) error {
	raw, err := askConfig(ctx, inv, "")
	if err != nil {
		return err
	}
	return present(inv, raw, func(c ipc.Config) { inv.Printf("%s\n", command.Escape(c.Path)) })
}
