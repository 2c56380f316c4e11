package daemon

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/ipc"
)

// doctorPatience bounds each look at something that may not answer: the keyring,
// the bus, the clock's service.
const doctorPatience = 2 * time.Second

// findings collects what a look at the daemon finds.
type findings struct {
	checks   []ipc.Check
	warnings []ipc.Warning // of the status; told takes them out
}

func (f *findings) add(status ipc.CheckStatus, name, message, hint string) {
	f.checks = append(f.checks, ipc.Check{Name: name, Status: status, Message: message, Hint: hint})
}

func (f *findings) ok(name, format string, args ...any) {
	f.add(ipc.CheckOK, name, fmt.Sprintf(format, args...), "")
}

// told takes the warnings with these codes over as checks, and reports whether
// there was one.
func (f *findings) told(status ipc.CheckStatus, name string, codes ...string) (any bool) {
	f.warnings = slices.DeleteFunc(f.warnings, func(w ipc.Warning) bool {
		if !slices.Contains(codes, w.Code) {
			return false
		}
		f.add(status, name, w.Message, w.Hint)
		any = true
		return true
	})
	return any
}

// getDoctor answers in every state, and asks nobody.
func (d *Daemon) getDoctor(r *http.Request) (any, error) {
	ctx := r.Context()
	s := d.status(ctx, false)
	f := &findings{warnings: s.Warnings}
	d.checkExecutable(f)
	d.checkHardening(f)
	d.checkConfig(f)
	d.checkSlots(f, s)
	d.checkKeyring(ctx, f, s)
	d.checkVault(ctx, f, s)
	checkSpace(f, d.cfg.Profile.Dir)
	checkBackups(f, s)
	checkSecretsFile(f, s)
	d.checkUUID(f, s)
	checkTimeService(ctx, f, d.desktop.getenv)
	d.checkClock(ctx, f)
	d.checkLog(ctx, f)
	for _, w := range f.warnings { // those that no check knows
		f.add(ipc.CheckWarn, w.Code, w.Message, w.Hint)
	}
	return ipc.Doctor{Checks: f.checks}, nil
}

// checkExecutable looks whether the file that runs is the one that is installed.
func (d *Daemon) checkExecutable(f *findings) {
	const name = "executable"
	hint := endDaemon(d.pid) + ", which ends the daemon; the next command starts it"
	path := d.exe.path
	there, err := os.Stat(path)
	if err != nil {
		f.add(ipc.CheckWarn, name, fmt.Sprintf("%s, which runs, is not there any more: %s", path, reason(err)), hint)
		return
	}
	running, err := os.Stat(ownFile)
	if runtime.GOOS == "linux" && err == nil && !os.SameFile(there, running) {
		f.add(ipc.CheckWarn, name, path+" was replaced since the daemon was started: the old one runs", hint)
		return
	}
	f.ok(name, "%s", path)
}

// endDaemon is the command that ends a process.
func endDaemon(pid int) string {
	if runtime.GOOS == "windows" {
		return fmt.Sprintf("taskkill /f /pid %d", pid)
	}
	return fmt.Sprintf("kill %d", pid)
}

func (d *Daemon) checkHardening(f *findings) {
	codes := []string{"relaunch"}
	for _, w := range d.cfg.Warnings { // all that the process could not do for its own protection
		codes = append(codes, w.Code)
	}
	if f.told(ipc.CheckWarn, "hardening", codes...) {
		return
	}
	switch runtime.GOOS {
	case "linux", "darwin":
		f.ok("hardening", "no core dumps, and no other program of yours reads the daemon's memory")
	default:
		f.add(ipc.CheckWarn, "hardening", "this system offers the daemon no protection from other programs of yours", "")
	}
}

func (d *Daemon) checkConfig(f *findings) {
	if f.told(ipc.CheckFail, configName, "config") {
		return
	}
	c := d.settings.report()
	if c.Present {
		f.ok(configName, "%s is in force", c.Path)
	} else {
		f.ok(configName, "there is none: the defaults count")
	}
	f.told(ipc.CheckWarn, configName, "unlock")
}

// checkSlots looks at each key slot.
func (d *Daemon) checkSlots(f *findings, s ipc.Status) {
	const name = "key slots"
	if s.Vault == nil {
		return
	}
	f.told(ipc.CheckFail, name, "key_missing")
	f.told(ipc.CheckWarn, name, "one_slot", "unprotected_key", "passphrase_file")
	for _, slot := range s.Vault.Slots {
		switch {
		case slot.Missing, !slot.Protected: // told
		case slot.Path != "":
			f.ok(name, "%s, in %s", slot.Type, slot.Path)
		default:
			f.ok(name, "%s", slot.Type)
		}
	}
}

// checkKeyring looks whether the OS keyring would give what it is there for: the
// key of a slot, or a place for that of the next vault.
func (d *Daemon) checkKeyring(ctx context.Context, f *findings, s ipc.Status) {
	const name = "keyring"
	p := d.policy()
	needed := hasSlot(s.Vault, keystore.TypeKeyring) ||
		s.Vault == nil && (p.keystore == keystoreAuto || p.keystore == keystoreKeyring)
	if !needed {
		f.ok(name, "nothing needs one")
		return
	}
	if d.cfg.Keyring != nil {
		f.ok(name, "the vault's key is in memory") // as tests have it
		return
	}
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	err := keystore.Examine(ctx, keystore.KeyringConfig{Getenv: d.desktop.getenv, Timeout: doctorPatience}, vaultID(s.Vault))
	if s.Vault == nil && errors.Is(err, keystore.ErrMissing) {
		err = nil // there is nothing to hold yet
	}
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		f.ok(name, "it belongs to the system, and is not asked here, as it might show a dialog")
	case err == nil && s.Vault == nil:
		f.ok(name, "it answers, and is unlocked")
	case err == nil:
		f.ok(name, "it answers, is unlocked, and has the key")
	default:
		d.keyringTrouble(f, s, err)
	}
}

// keyringTrouble tells of a keyring that gives no key. That is no failure while
// something else opens the vault, or while it is open.
func (d *Daemon) keyringTrouble(f *findings, s ipc.Status, err error) {
	wire := d.keeper.problemOf(err)
	status, hint := ipc.CheckFail, "start or unlock the OS keyring, then o2fa unlock"
	switch {
	case s.Vault == nil:
		status, hint = ipc.CheckWarn, noKeyringHint
	case errors.Is(err, keystore.ErrMissing) && s.State == ipc.StateReady:
		hint = "o2fa key add recovery, now, while the vault is open"
	case errors.Is(err, keystore.ErrMissing):
		hint = "o2fa unlock, with another key slot"
	case s.State == ipc.StateReady || len(s.Vault.Slots) > 1:
		status = ipc.CheckWarn
	}
	f.add(status, "keyring", wire.Message, hint)
}

// vaultID reads the id of a vault's status; zero without a vault.
func vaultID(v *ipc.VaultStatus) (id [16]byte) {
	if v != nil {
		_, _ = hex.Decode(id[:], []byte(v.ID)) // what it is not, no keyring has
	}
	return id
}

// checkVault reads the whole vault.
func (d *Daemon) checkVault(ctx context.Context, f *findings, s ipc.Status) {
	const name = "vault"
	f.told(ipc.CheckWarn, name, "read_only")
	switch {
	case s.State == ipc.StateUninitialized && s.Problem == nil:
		f.add(ipc.CheckOK, name, "there is none yet", "o2fa add, or o2fa init")
		return
	case s.State == ipc.StateWaiting:
		f.add(ipc.CheckWarn, name, "the OS keyring waits for its password", "answer the keyring's dialog")
		return
	case s.Problem != nil:
		f.add(ipc.CheckFail, name, s.Problem.Message, s.Problem.Hint)
		return
	}
	var err error
	d.keeper.with(func(v *vault.Vault) { err = v.Check() })
	switch {
	case err != nil:
		f.add(ipc.CheckFail, name, err.Error(), d.keeper.problemOf(err).Hint)
	case s.State == ipc.StateLocked:
		f.add(ipc.CheckOK, name, "it is locked, and its pages are whole; entries are not looked at", "o2fa unlock")
	case d.keeper.check(ctx) == nil:
		f.ok(name, "it is open, and %s whole (format %d)", entriesAre(s.Vault.Entries+s.Vault.Trashed), s.Vault.Format)
	}
}

func entriesAre(n int) string {
	if n == 1 {
		return "1 entry is"
	}
	return fmt.Sprintf("%d entries are", n)
}

// Free space, in bytes, below which a change may not find room any more.
const (
	littleSpace = 16 << 20
	noSpace     = 1 << 20
)

func checkSpace(f *findings, dir string) {
	const name = "disk"
	free, err := freeSpace(dir)
	status, hint := ipc.CheckOK, ""
	switch {
	case err != nil:
		f.add(ipc.CheckWarn, name, "the free space of "+dir+" is not known: "+err.Error(), "")
		return
	case free < noSpace:
		status, hint = ipc.CheckFail, "free some space there: codes work, changes do not"
	case free < littleSpace:
		status, hint = ipc.CheckWarn, "free some space there"
	}
	f.add(status, name, fmt.Sprintf("%d MiB free for %s", free>>20, dir), hint)
}

// checkBackups looks whether there is a backup of what the vault holds.
func checkBackups(f *findings, s ipc.Status) {
	const name = "backups"
	b := s.Backups
	switch {
	case f.told(ipc.CheckWarn, name, "backup"), b == nil || s.Vault == nil:
		return
	case b.Keep == 0:
		f.add(ipc.CheckWarn, name, "none are made, by the configuration", "o2fa config unset backups")
	case b.Count == 0 && s.Vault.Entries > 0:
		f.add(ipc.CheckOK, name, "there is none yet; one is made half a minute after the last change", "o2fa backup create")
	case b.Count == 0:
		f.ok(name, "there is none yet")
	case b.Pending:
		f.add(ipc.CheckOK, name, "the newest is of "+b.Newest+"; what has changed since goes into the next", "o2fa backup create")
	default:
		f.ok(name, "%d in %s, the newest of %s", b.Count, b.Dir, b.Newest)
	}
}

// checkSecretsFile tells of secrets that lie in clear.
func checkSecretsFile(f *findings, s ipc.Status) {
	file := s.SecretsFile
	if file == nil {
		return
	}
	name := filepath.Base(file.Path)
	told := f.told(ipc.CheckFail, name, "readable")
	told = f.told(ipc.CheckWarn, name, "plaintext") || told
	told = f.told(ipc.CheckWarn, name, "secrets_file") || told
	switch {
	case file.Problem != "" && file.Held == "":
		f.add(ipc.CheckWarn, name, file.Path+" is left alone: "+file.Problem, "o2fa secrets-file")
	case told:
	case file.Present && s.State != ipc.StateReady:
		f.add(ipc.CheckWarn, name, file.Path+" is there; what is in it is looked at when the vault is open", "o2fa unlock")
	case file.Present && file.Rows == 0 && len(file.Rejected) == 0:
		f.ok(name, "no secrets in it")
	case !file.Present:
		f.ok(name, "there is none")
	}
}

// checkUUID tells of the account's key that lies in clear.
func (d *Daemon) checkUUID(f *findings, s ipc.Status) {
	const name = "open2fa.uuid"
	if f.told(ipc.CheckWarn, name, "uuid") {
		return
	}
	if s.Account != nil && s.Account.Source == d.intake.uuid.path {
		f.add(ipc.CheckWarn, name, s.Account.Source+" holds the key of your open2fa account in clear",
			"o2fa secrets-file seal, which keeps it in the vault alone")
		return
	}
	f.ok(name, "there is none")
}

// checkLog looks whether it is noted who asks for what, and can be.
func (d *Daemon) checkLog(ctx context.Context, f *findings) {
	const name = "log"
	waiting, err := d.audit.peek()
	if err != nil {
		f.add(ipc.CheckWarn, name, fmt.Sprintf("%d rows cannot be stored: %s", len(waiting), d.keeper.problemOf(err).Message), d.keeper.problemOf(err).Hint)
		return
	}
	if !d.settings.logs() {
		f.ok(name, "it is off: nobody notes who asks for codes")
		return
	}
	err = d.keeper.use(ctx, func(v *vault.Vault) error {
		_, err := v.Log()
		return err
	})
	if errors.Is(err, vault.ErrCorrupt) {
		f.add(ipc.CheckWarn, name, "a part of it is damaged", "o2fa log clear")
		return
	}
	f.ok(name, "it is on")
}
