package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

func backupCommand() *command.Command {
	return &command.Command{
		Use:      "backup [COMMAND]",
		Synonyms: []string{"backups", "snapshot", "snapshots", "dump"},
		Wary:     true,
		Short:    "List, make, verify and restore backups of the vault",
		Long: `When the vault has changed, a backup is made by itself half a minute later, and
before the vault is locked. Each is sealed as the vault is, opens with the key
slots of its time, and was verified before it got its name. "backups" in
config.toml says how many are kept (20): half of them the newest, the others the
last ones of earlier days, weeks and months. Without a further word they are
listed.

They lie on the same disk as the vault. For another one: "o2fa backup create
--to FILE". They hold what was deleted since, and what "o2fa trash empty" has
removed, until they are gone themselves.`,
		Example: "o2fa backup\no2fa backup --json",
		Run:     runBackupList,
		Sub: []*command.Command{
			{Use: "list", Aliases: []string{"l", "ls"}, Short: "List the backups", Long: "The newest comes first.",
				Example: "o2fa backup list\no2fa backup list --json", Run: runBackupList},
			backupCreateCommand(), backupVerifyCommand(), backupRestoreCommand(), backupRemakeCommand(),
		},
	}
}

func backupCreateCommand() *command.Command {
	return &command.Command{
		Use:      "create",
		Synonyms: []string{"make", "new", "now", "add", "save"},
		Short:    "Make a backup now",
		Long: `It is read back, record by record, before it counts. FILE is a new file
anywhere: it opens with the same passphrase, recovery code or key file; with the
keyring on this machine only.`,
		Example: "o2fa backup create\no2fa backup create --to ~/usb/o2fa.backup",
		Flags:   []command.Flag{{Name: "to", Default: "", Value: "FILE", Usage: "write it there, and not among the others"}},
		Run:     runBackupCreate,
	}
}

func backupVerifyCommand() *command.Command {
	return &command.Command{
		Use:      "verify [NAME|FILE]",
		Synonyms: []string{"check", "test", "prove"},
		Wary:     true,
		Short:    "Prove that a backup can be restored",
		Long: `The seal has to cover every byte, each record has to open, and each entry has to
yield a code. Nothing is changed. Without a name it is the newest; the beginning
of a name will do. It asks for the passphrase of then, if that is another one.`,
		Example:  "o2fa backup verify\no2fa backup verify --all\no2fa backup verify ~/usb/o2fa.backup",
		Flags:    []command.Flag{{Name: "all", Short: "a", Default: false, Usage: "verify each backup"}},
		MaxArgs:  1,
		Complete: backupNames,
		Run:      runBackupVerify,
	}
}

// backupNames completes the name of a backup, or of a file.
func backupNames(ctx context.Context, c *command.Completion) (found []command.Candidate) {
	reply, _ := ask[ipc.Backups](ctx, c, ipc.PathBackups, nil)
	for _, b := range reply.Backups {
		if strings.HasPrefix(b.Name, c.Word) {
			found = append(found, command.Candidate{Value: b.Name, Text: localTime(b.Made)})
		}
	}
	return found
}

func runBackupList(ctx context.Context, inv *command.Invocation) error {
	a, err := connect(inv)
	if err != nil {
		return err
	}
	raw, err := a.send(ctx, client.Request{Method: "GET", Path: ipc.PathBackups})
	if err != nil {
		return err
	}
	return present(inv, raw, func(r ipc.Backups) { showBackups(inv, r) })
}

func showBackups(inv *command.Invocation, r ipc.Backups) {
	t := table{gap: 2, columns: []column{{title: "Backup"}, {title: "Made"}, {title: "Entries", rank: 2}, {title: "Size", rank: 3},
		{title: "Opened by", cut: true, rank: 1}}}
	for _, b := range r.Backups {
		count := ""
		if b.Opens {
			count = fmt.Sprint(b.Entries)
		}
		t.add(command.Escape(b.Name), localTime(b.Made), count, sizeText(b.Size), openedBy(b))
	}
	t.print(inv)
	if !command.IsTerminal(inv.Err) {
		return
	}
	switch {
	case r.Keep == 0 && len(r.Backups) == 0:
		inv.Note("no backups are made: backups = 0 in config.toml")
	case len(r.Backups) == 0:
		inv.Note("there is none yet: the first is made half a minute after a change")
	}
}

// openedBy names what opens a backup, or says why nothing does.
func openedBy(b ipc.Backup) string {
	if b.Problem != nil {
		return command.Escape(b.Problem.Message)
	}
	var kinds []string
	for _, s := range b.Slots {
		kind := command.Escape(s.Type)
		if slices.Contains(b.Former, s.ID) {
			kind += " of then"
		}
		kinds = append(kinds, kind)
	}
	return strings.Join(kinds, ", ")
}

// sizeText is a size for people.
func sizeText(n int64) string {
	for _, unit := range []struct {
		name string
		size int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= 10*unit.size {
			return fmt.Sprintf("%d %s", n/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

func runBackupCreate(ctx context.Context, inv *command.Invocation) error {
	a, err := connect(inv)
	if err != nil {
		return err
	}
	req := ipc.BackupCreateRequest{To: inv.String("to")}
	if inv.Given("to") {
		if req.To == "" {
			return command.Usage("o2fa backup create --to FILE", "which file? its name is empty")
		}
		if req.To, err = filepath.Abs(req.To); err != nil {
			return err
		}
	}
	raw, err := a.do(ctx, client.Request{Method: "POST", Path: ipc.PathBackupCreate, Body: req})
	if err != nil {
		return err
	}
	return present(inv, raw, func(r ipc.BackupCreated) {
		inv.Printf("Made and verified: %s (%s, %s)\n", command.Escape(r.Backup.Path), plural(r.Backup.Entries, "entry", "entries"), sizeText(r.Backup.Size))
		if n := len(r.Removed); n > 0 {
			inv.Printf("Removed %s.\n", plural(n, "older backup", "older backups"))
		}
		if req.To != "" && !slices.ContainsFunc(r.Backup.Slots, func(s ipc.Slot) bool { return isPassphrase(s) || isRecovery(s) }) {
			inv.Warn("nothing but the key of this machine opens it: a passphrase or a recovery code does everywhere", "o2fa key add recovery")
		}
	})
}

// backupNamed is a request for the backup that the call names: a file, if there
// is one of that name or it is a path, else one of the profile's.
func backupNamed(inv *command.Invocation) (r ipc.BackupRequest, err error) {
	if len(inv.Args) == 0 {
		return r, nil
	}
	name := inv.Args[0]
	info, statErr := os.Stat(name)
	if strings.ContainsAny(name, `/\`) || statErr == nil && !info.IsDir() {
		r.Path, err = filepath.Abs(name)
		return r, err
	}
	r.Name = name
	return r, nil
}

// withOld sends a request about a backup. Where no key at hand opens that, it
// gets the passphrase of then, or the recovery code, and sends it again.
func (a *agent) withOld(ctx context.Context, send func(pass string) ([]byte, error)) ([]byte, error) {
	defer a.inv.Reveal()
	raw, err := send("")
	if !errors.Is(err, ipc.ErrLocked) {
		return raw, err
	}
	pass, fileErr := a.passphraseFile()
	if fileErr != nil {
		return nil, fileErr
	}
	if pass != "" {
		return send(pass)
	}
	if !a.inv.CanAsk() {
		return nil, err
	}
	a.inv.Note(err.Error())
	const question = "Passphrase of that time, or recovery code: "
	next := question
	for try := 1; ; try++ {
		if pass, err = a.inv.AskHidden(ctx, next); err != nil {
			return nil, err
		}
		wrong := errEmpty
		if pass != "" {
			raw, err = send(pass)
			a.inv.Drop()
			if !errors.Is(err, ipc.ErrPassphrase) && !errors.Is(err, ipc.ErrInvalid) {
				return raw, err
			}
			wrong = errors.New("it does not open the backup")
		}
		if try == tries {
			return nil, &ipc.Error{Code: ipc.CodePassphrase, Message: wrong.Error(), Hint: "o2fa backup list"}
		}
		next = tryAgain(wrong, question)
	}
}

func runBackupVerify(ctx context.Context, inv *command.Invocation) error {
	if inv.Bool("all") && len(inv.Args) > 0 {
		return command.Usage("o2fa backup verify --all", "--all means every backup: no name goes with it")
	}
	a, err := connect(inv)
	if err != nil {
		return err
	}
	named, err := backupNamed(inv)
	if err != nil {
		return err
	}
	raw, err := a.withOld(ctx, func(pass string) ([]byte, error) {
		req := ipc.BackupVerifyRequest{BackupRequest: named, All: inv.Bool("all")}
		req.Passphrase = pass
		return a.send(ctx, client.Request{Method: "POST", Path: ipc.PathBackupVerify, Body: req})
	})
	if err != nil {
		return err
	}
	reply, err := decode[ipc.BackupVerified](raw)
	if err != nil {
		return err
	}
	if err := present(inv, raw, func(ipc.BackupVerified) { showVerified(inv, reply) }); err != nil {
		return err
	}
	return unverified(reply)
}

func showVerified(inv *command.Invocation, r ipc.BackupVerified) {
	for _, b := range r.Backups {
		if b.Problem != nil {
			inv.Printf("%s: %s\n", command.Escape(b.Name), command.Escape(b.Problem.Message))
			continue
		}
		inv.Printf("%s: good\n  made %s, %s\n", command.Escape(b.Name), localTime(b.Made), proofText(b))
	}
	if len(r.Backups) == 0 && command.IsTerminal(inv.Err) {
		inv.Note("there is no backup yet")
	}
}

// proofText says what was proven of a backup.
func proofText(b ipc.BackupReport) string {
	text := plural(b.Entries, "entry", "entries")
	if b.Trashed > 0 {
		text += fmt.Sprintf(" and %d in the trash", b.Trashed)
	}
	switch {
	case b.NoCodes > 0:
		text += fmt.Sprintf(": %d yield a code, %d are of a kind that this release has no codes for", b.Codes, b.NoCodes)
	case b.Codes == 1:
		text += ", it yields a code"
	case b.Codes > 1:
		text += ", each yields a code"
	}
	if b.Versions > 0 {
		text += "; " + plural(b.Versions, "earlier version", "earlier versions")
	}
	return text
}

// unverified is the failure of a verification that found a bad backup.
func unverified(r ipc.BackupVerified) error {
	n := 0
	for _, b := range r.Backups {
		if b.Problem != nil {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return &command.Failure{Exit: command.ExitOther, Code: "unverified", Err: fmt.Errorf("%d of %s not proven", n, plural(len(r.Backups), "backup is", "backups are")),
		Hint: "o2fa backup create"}
}
