package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

func statusCommand() *command.Command {
	return &command.Command{
		Use:      "status",
		Aliases:  []string{"info", "i", "-i", "-info", "--info", "-status", "--status"},
		Synonyms: []string{"stop", "quit", "exit", "kill", "shutdown", "daemon", "pid"},
		Short:    "Show the state of vault and daemon, and what to fix",
		Long: `The block of open2fa comes first, then the key slots, what secrets.json still
holds, and warnings. It asks nothing and changes nothing.`,
		Example: "o2fa status\no2fa info -s\no2fa status --json",
		Flags:   []command.Flag{secretsFlag("show UUID, ID and Secret uncensored")},
		Run:     runStatus,
	}
}

func runStatus(ctx context.Context, inv *command.Invocation) error {
	a, err := connect(inv)
	if err != nil {
		return err
	}
	query := map[string]string{}
	if inv.Bool("secrets") {
		query["secrets"] = "true"
	}
	raw, err := a.client.Do(ctx, client.Request{Method: "GET", Path: ipc.PathStatus, Query: query})
	if err != nil {
		return err
	}
	return present(inv, raw, func(s ipc.Status) {
		showInfo(inv, s)
		showVault(inv, s)
		showSecretsFile(inv, s.SecretsFile)
		showBackupsStatus(inv, s.Backups)
		inv.Printf("Daemon: %s, pid %d, since %s\n", command.Escape(s.Release), s.PID, localTime(s.Started))
		inv.Printf("Socket: %s\n", command.Escape(s.Socket))
		for _, w := range s.Warnings {
			showAdvice(inv, "Warning", w.Message, w.Hint)
		}
	})
}

// showInfo prints open2fa's block.
func showInfo(inv *command.Invocation, s ipc.Status) {
	count := "0"
	switch {
	case s.State == ipc.StateReady && s.Vault != nil:
		count = strconv.Itoa(s.Vault.Entries)
	case s.State != ipc.StateUninitialized:
		count = "unknown, the vault is not open"
	}
	account := ipc.Account{}
	if s.Account != nil {
		account = *s.Account
	}
	if account.UUID == "" && account.Source != "" {
		account.UUID = "not read while the vault is locked"
		account.ID, account.Secret = account.UUID, account.UUID
	}
	inv.Printf("\n========== Open2FA INFO/STATUS ==========\n(add -s to show uncensored secrets)\n\n")
	inv.Printf("Open2FA Directory: %s\nOpen2FA Remote API URL: %s\nNumber of secrets: %s\n",
		command.Escape(s.Dir), orNone(s.APIURL), count)
	inv.Printf("Open2FA UUID: %s\nOpen2FA ID: %s\nOpen2FA Secret: %s\n\n",
		orNone(account.UUID), orNone(account.ID), orNone(account.Secret))
}

func showVault(inv *command.Invocation, s ipc.Status) {
	if s.State == ipc.StateWaiting && s.Problem != nil {
		showAdvice(inv, "State", s.Problem.Message, s.Problem.Hint) // which says for what
	} else {
		inv.Printf("State: %s%s\n", command.Escape(string(s.State)), wayOut(s))
	}
	if why := lockedBy(s.LockedBy); why != "" {
		inv.Printf("Locked by: %s, since %s\n", why, localTime(s.LockedAt))
	}
	if s.Problem != nil && s.State != ipc.StateWaiting {
		showAdvice(inv, "Problem", s.Problem.Message, s.Problem.Hint)
	}
	if s.Vault == nil {
		return
	}
	access := ""
	if s.Vault.ReadOnly {
		access = ", read-only"
	}
	inv.Printf("Vault: %s (format %d%s)\n", command.Escape(s.Vault.Path), s.Vault.Format, access)
	if s.State == ipc.StateReady && s.Vault.Trashed > 0 {
		inv.Printf("In the trash: %s\n", plural(s.Vault.Trashed, "entry", "entries"))
	}
	for _, slot := range byKind(s.Vault.Slots) {
		inv.Printf("Opened by: %s\n", slotText(slot))
	}
}

// wayOut says how to leave a state that nothing is wrong with; a problem has a
// hint of its own.
func wayOut(s ipc.Status) string {
	switch {
	case s.State == ipc.StateReady:
		return locksIn(s.LockAt, time.Now())
	case s.Problem != nil:
	case s.State == ipc.StateLocked:
		return ", o2fa unlock opens it"
	case s.State == ipc.StateUninitialized:
		return ", o2fa add or o2fa init makes the vault"
	case s.State == ipc.StateWaiting:
		return ", the keyring asks for its password"
	}
	return ""
}

// locksIn says when an open vault will lock by itself.
func locksIn(at string, now time.Time) string {
	when, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return ""
	}
	left := max(0, when.Sub(now)).Round(time.Second)
	switch {
	case left < time.Minute:
		return fmt.Sprintf(", locks in %.0f s", left.Seconds())
	case left < 2*time.Hour:
		return fmt.Sprintf(", locks in %.0f min", left.Minutes())
	}
	return fmt.Sprintf(", locks in %.0f h", left.Hours())
}

// lockedBy says who or what locked the vault; empty where nobody did, or for a
// reason that this o2fa does not know.
func lockedBy(why ipc.LockReason) string {
	switch why {
	case ipc.LockAsked:
		return "o2fa lock"
	case ipc.LockAfter:
		return "lock_after, the time since it was unlocked"
	case ipc.LockIdle:
		return "lock_idle, the time since the last command"
	case ipc.LockScreen:
		return "the screen's lock"
	case ipc.LockSleep:
		return "the machine's sleep"
	case ipc.LockLogout:
		return "the end of the session"
	}
	return ""
}

// slotText names a key slot as a person would.
func slotText(slot ipc.Slot) string {
	text := command.Escape(slot.Type)
	switch slot.Type {
	case slotKeyfile:
		text = "key file"
	case slotRecovery:
		text = "recovery code"
	case slotCredential:
		text = "systemd credential " + command.Escape(slot.Credential)
	}
	if slot.Path != "" {
		text += " " + command.Escape(slot.Path)
	}
	switch {
	case slot.Missing:
		text += " (gone)"
	case !slot.Protected:
		text += " (unprotected)"
	}
	return text
}

// maxRejected is how many bad rows of secrets.json are shown.
const maxRejected = 3

func showSecretsFile(inv *command.Invocation, f *ipc.SecretsFileStatus) {
	switch {
	case f == nil || !f.Present && f.Problem == "":
		return
	case f.Problem != "":
		inv.Printf("Secrets file: %s, left alone: %s\n", command.Escape(f.Path), command.Escape(f.Problem))
	case f.NeedLook && f.Rows == 0:
		inv.Printf("Secrets file: %s, read when the vault is unlocked\n", command.Escape(f.Path))
		return
	case f.Rows == 0 && len(f.Rejected) == 0:
		inv.Printf("Secrets file: %s, empty\n", command.Escape(f.Path))
	case f.Rows == 0:
		inv.Printf("Secrets file: %s, rows that are no good, in clear\n", command.Escape(f.Path))
	default:
		inv.Printf("Secrets file: %s, %s in clear\n", command.Escape(f.Path), plural(f.Rows, "secret", "secrets"))
	}
	shown := f.Rejected[:min(len(f.Rejected), maxRejected)]
	for _, row := range shown {
		inv.Printf("  row %d was left alone: %s\n", row.Position, command.Escape(row.Reason))
	}
	if more := len(f.Rejected) - len(shown); more > 0 {
		inv.Printf("  and %d more: o2fa status --json\n", more)
	}
	if f.NeedLook {
		inv.Printf("  it changed while the vault was locked, and is read at the next unlock\n")
	}
}

func showBackupsStatus(inv *command.Invocation, b *ipc.BackupsStatus) {
	switch {
	case b == nil:
	case b.Newest != "":
		inv.Printf("Backups: %d, the newest of %s\n", b.Count, localTime(b.Newest))
	case b.Keep == 0:
		inv.Printf("Backups: none, backups = 0 in config.toml\n")
	case b.Pending:
		inv.Printf("Backups: none yet, the first is about to be made\n")
	}
}

// showAdvice prints a thing to mend and how.
func showAdvice(inv *command.Invocation, kind, message, hint string) {
	inv.Printf("%s: %s\n", kind, command.Escape(message))
	for _, line := range command.SplitHint("o2fa", hint) {
		inv.Printf("  Hint: %s\n", command.Escape(line))
	}
}
