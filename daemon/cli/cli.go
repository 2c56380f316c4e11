// Package cli owns the command line of o2fad: its commands, its flags and what
// it reads from the environment. It passes all of that to package daemon and
// knows nothing of what the daemon does with it.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/o2fa/o2fa"
	"github.com/o2fa/o2fa/daemon"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

// Run runs o2fad with its arguments, without the program's name, and returns
// the exit code: 0, 1, 2 for wrong use, 9 when a daemon serves already.
func Run(ctx context.Context, args []string, io command.Stdio) int {
	return command.Run(ctx, root(), args, io)
}

// Commands returns the whole command line, for those who write about it.
func Commands() *command.Command { return root() }

func root() *command.Command {
	return &command.Command{
		Use:   "o2fad",
		Short: "The daemon that holds the secrets and serves codes",
		Long: `o2fad serves one profile, the directory OPEN2FA_DIR (~/.open2fa), on a socket that only this user can reach.
The command line o2fa starts it when it is needed; nobody has to.`,
		Example: "o2fad run\no2fad version --json",
		Flags:   []command.Flag{command.JSONFlag},
		Exits:   []int{command.ExitOK, command.ExitOther, command.ExitUsage, command.ExitRunning},
		Environment: []command.Item{
			{Name: "OPEN2FA_DIR", Text: "the profile to serve (~/.open2fa)"},
			{Name: "O2FA_SOCKET", Text: "where to listen instead of the usual place"},
			{Name: "O2FA_KEYSTORE", Text: "where the key of a new vault is kept: auto, keyring, passphrase, keyfile or credential"},
			{Name: "O2FA_PASSPHRASE_FILE", Text: "a file whose first line is the passphrase"},
			{Name: "CREDENTIALS_DIRECTORY", Text: "where systemd puts the credentials of the unit"},
			{Name: "OPEN2FA_UUID", Text: "open2fa's identity, before that in open2fa.uuid"},
			{Name: "OPEN2FA_API_URL", Text: "open2fa's server"},
		},
		Files: []command.Item{
			{Name: "~/.open2fa/vault.db", Text: "the entries, sealed"},
			{Name: "~/.open2fa/vault.key", Text: "the key, where it is kept in a file"},
			{Name: "~/.open2fa/config.toml", Text: "settings; \"o2fa config\" changes them"},
			{Name: "~/.open2fa/secrets.json", Text: "open2fa's secrets, in clear: read, never written"},
			{Name: "~/.open2fa/o2fad.lock", Text: "who serves the profile"},
			{Name: "~/.open2fa/o2fad.log", Text: "what the daemon has to say"},
		},
		SeeAlso: []string{"o2fa"},
		Sub:     []*command.Command{runCommand(), credentialCommand(), versionCommand()},
	}
}

func runCommand() *command.Command {
	return &command.Command{
		Use:   "run",
		Short: "Serve until asked to end",
		Long: `Serve this profile in the foreground, until SIGINT, SIGTERM or "o2fa" asks for the end.
What the daemon has to say goes to o2fad.log in the profile's directory.`,
		Example: "o2fad run\nOPEN2FA_DIR=/tmp/try O2FA_KEYSTORE=keyfile o2fad run",
		Run:     run,
	}
}

func run(ctx context.Context, inv *command.Invocation) error {
	// Nothing may come before this: no key, no configuration.
	warnings := daemon.Harden()
	handover, err := takeHandover(inv)
	if err != nil {
		return err
	}
	profile, err := socket.Resolve(inv.Getenv)
	if err != nil {
		return err
	}
	cfg := daemon.Config{
		Profile:     profile,
		Keystore:    inv.Getenv("O2FA_KEYSTORE"),
		Credentials: inv.Getenv("CREDENTIALS_DIRECTORY"),
		UUID:        inv.Getenv("OPEN2FA_UUID"),
		APIURL:      inv.Getenv("OPEN2FA_API_URL"),
		Warnings:    warnings,
		Getenv:      inv.Getenv,
		Resting:     collectBefore(),
		Handover:    handover,
	}
	if path := inv.Getenv("O2FA_PASSPHRASE_FILE"); path != "" {
		if cfg.PassphraseFile, err = filepath.Abs(path); err != nil {
			return fmt.Errorf("reading O2FA_PASSPHRASE_FILE: %w", err)
		}
	}
	// Nothing is found by the working directory from here on, and a file
	// system that the daemon was started on must not stay busy for it.
	if err := os.Chdir(filepath.VolumeName(profile.Dir) + string(filepath.Separator)); err != nil {
		return fmt.Errorf("leaving the working directory: %w", err)
	}
	if inv.Process != nil {
		var s *signals
		ctx, s = watchSignals(ctx, inv.Process.Stop)
		defer s.end()
		cfg.Relaunch = relauncher(inv.Stdio, cfg, s)
	}
	err = daemon.New(cfg).Run(ctx)
	if errors.Is(err, socket.ErrHeld) {
		return &command.Failure{Exit: command.ExitRunning, Code: "running", Err: err, Hint: "o2fa status"}
	}
	return err
}

// collectBefore returns what gives memory back when a daemon begins to rest, and
// keeps the Go runtime from waking it: a collection every two minutes, whether
// or not anything was allocated, is most of what an idle daemon does (bench/).
func collectBefore() func(resting bool) {
	percent := 100 // that of the runtime, until it tells its own
	return func(resting bool) {
		if !resting {
			debug.SetGCPercent(percent)
			return
		}
		debug.FreeOSMemory() // collects first: secrets of late may be among the garbage
		percent = debug.SetGCPercent(-1)
	}
}

func versionCommand() *command.Command {
	return &command.Command{
		Use:     "version",
		Aliases: []string{"-v", "--version"},
		Short:   "Print the version",
		Long:    "Print the release and, with --json, the number of the local API that it speaks.",
		Example: "o2fad version --json",
		Run: func(_ context.Context, inv *command.Invocation) error {
			if !inv.JSON() {
				inv.Printf("o2fad version: %s\n", o2fa.Version())
				return nil
			}
			return json.NewEncoder(inv).Encode(ipc.VersionReply{Release: o2fa.Version(), API: ipc.Version})
		},
	}
}
