package daemon

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/o2fa/o2fa"
	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/server/syncapi"
)

// statusPatience is how long a status waits for an attempt that is under way,
// so that the first status after a start tells the state and not "starting".
const statusPatience = 2 * time.Second

// maxUUIDFile bounds open2fa.uuid: 36 characters, and room for a careless editor.
const maxUUIDFile = 1 << 10

func (d *Daemon) getStatus(r *http.Request) (any, error) {
	return d.status(r.Context(), r.URL.Query().Get("secrets") == "true"), nil
}

// status answers in every state, from what is known without opening a record.
func (d *Daemon) status(ctx context.Context, secrets bool) ipc.Status {
	ctx, cancel := context.WithTimeout(ctx, statusPatience)
	defer cancel()
	_ = d.keeper.check(ctx)
	p := d.cfg.Profile
	s := ipc.Status{
		Release: o2fa.Version(), API: ipc.Version, PID: d.pid, Started: d.started.UTC().Format(time.RFC3339),
		Executable: d.exe.path, Profile: p.ID, Dir: p.Dir, Socket: p.Socket, Log: p.LogFile(),
		SecretsFile: d.intake.report(),
		APIURL:      strings.TrimRight(cmp.Or(d.cfg.APIURL, syncapi.DefaultAPIURL), "/"),
		Warnings:    append([]ipc.Warning(nil), d.cfg.Warnings...),
	}
	s.State, s.Problem, s.Vault = d.keeper.status()
	s.Account = d.account(ctx, s.State, secrets)
	s.LockStatus = d.autolock.status(s.State, d.now())
	s.Warnings = append(s.Warnings, d.memoryWarnings()...)
	s.Warnings = append(s.Warnings, d.settings.warnings()...)
	s.Warnings = append(s.Warnings, warnings(s)...)
	s.Warnings = append(s.Warnings, d.lockWarnings(s.Vault)...)
	s.Backups = d.backups.status(s.Vault)
	s.Warnings = append(s.Warnings, d.backups.warnings()...)
	if file := d.settings.policy().passphraseFile; file != "" && hasSlot(s.Vault, keystore.TypePassphrase) {
		s.Warnings = append(s.Warnings, ipc.Warning{Code: "passphrase_file",
			Message: "this daemon reads the passphrase from " + file + ": o2fa unlock asks nobody", Hint: "o2fa config"})
	}
	if s.Account == nil && d.uuidGiven() {
		s.Warnings = append(s.Warnings, ipc.Warning{Code: "uuid",
			Message: "OPEN2FA_UUID or open2fa.uuid holds no UUID", Hint: "32 hex digits, as in xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"})
	}
	return s
}

// status returns the state, what is wrong, and what the file tells of itself.
func (k *keeper) status() (ipc.State, *ipc.Error, *ipc.VaultStatus) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.vault == nil {
		return k.state, k.problem, nil
	}
	state, problem := k.state, k.problem
	vs, err := vaultStatus(k.vault, k.files)
	for i := range vs.Slots {
		if vs.Slots[i].Type == string(keystore.TypeKeyring) {
			vs.Slots[i].Missing = k.lost
		}
	}
	if err == nil && k.vault.Replaced() {
		err = vault.ErrReplaced
	}
	if err != nil && problem == nil {
		problem = k.problemOf(err)
	}
	return state, problem, &vs
}

func vaultStatus(v *vault.Vault, files profileFiles) (ipc.VaultStatus, error) {
	id := v.ID()
	vs := ipc.VaultStatus{ID: hex.EncodeToString(id[:]), Path: files.vault, Format: v.Format(), ReadOnly: v.ReadOnly(), Slots: []ipc.Slot{}}
	if v.Unlocked() {
		vs.Entries, vs.Trashed = v.Count()
	}
	slots, err := v.Slots()
	for _, slot := range slots {
		h, parseErr := keystore.ParseHeader(slot.Header)
		if parseErr != nil {
			err = parseErr
			continue
		}
		s := wireSlot(h)
		if h.Type == keystore.TypeKeyfile {
			s.Path = keystore.KeyfileAt(files.keyfile, h) // the header has its first place, and profiles are moved
			_, statErr := os.Lstat(s.Path)
			s.Missing = errors.Is(statErr, fs.ErrNotExist)
		}
		vs.Slots = append(vs.Slots, s)
	}
	return vs, err
}

// hasSlot says whether a vault has a slot of that type.
func hasSlot(v *ipc.VaultStatus, t keystore.Type) bool {
	return v != nil && slices.ContainsFunc(v.Slots, func(s ipc.Slot) bool { return s.Type == string(t) })
}

// warnings are what status shows although everything works.
func warnings(s ipc.Status) []ipc.Warning {
	var list []ipc.Warning
	if v := s.Vault; v != nil {
		if len(v.Slots) == 1 {
			list = append(list, ipc.Warning{Code: "one_slot",
				Message: "one key slot alone opens the vault: losing it loses every entry, copies of vault.db too", Hint: "o2fa key add recovery"})
		}
		for _, slot := range v.Slots {
			switch {
			case slot.Missing && s.State == ipc.StateReady && len(v.Slots) == 1:
				list = append(list, ipc.Warning{Code: "key_missing",
					Message: keyOf(slot) + " is gone: the vault is open only until it is locked, or the daemon ends", Hint: "o2fa key add recovery"})
			case slot.Missing && s.State == ipc.StateReady:
				list = append(list, ipc.Warning{Code: "key_missing", Message: keyOf(slot) + " is gone: only the other key slots open the vault",
					Hint: "o2fa key remove " + slot.Type + ", then o2fa key add " + slot.Type})
			case slot.Missing:
				list = append(list, ipc.Warning{Code: "key_missing", Message: keyOf(slot) + " is gone", Hint: "put it back, then o2fa unlock"})
			case !slot.Protected:
				list = append(list, ipc.Warning{Code: "unprotected_key",
					Message: "the vault's key lies unprotected in " + slot.Path + ": whoever reads the two files has every secret",
					Hint:    "o2fa key add passphrase, then o2fa key remove keyfile"})
			}
		}
		if v.ReadOnly {
			list = append(list, ipc.Warning{Code: "read_only", Message: "the file system is read-only: codes work, changes do not"})
		}
	}
	return append(list, fileWarnings(s)...)
}

// keyOf names the key of a slot that needs nobody.
func keyOf(s ipc.Slot) string { return cmp.Or(s.Path, "the key in the OS keyring") }

// leftAlone says how many rows of secrets.json were not dealt with.
func leftAlone(rows int) string {
	if rows == 1 {
		return "1 row that was left alone"
	}
	return fmt.Sprintf("%d rows that were left alone", rows)
}

// fileWarnings are about secrets.json. Removing it is suggested only when no
// row is known to be nowhere else.
func fileWarnings(s ipc.Status) []ipc.Warning {
	f := s.SecretsFile
	if f == nil || !f.Present {
		return nil
	}
	var list []ipc.Warning
	switch {
	case s.State != ipc.StateReady:
	case f.Held != "":
		list = append(list, ipc.Warning{Code: "secrets_file", Message: f.Path + " and the vault are not kept equal: " + f.Problem, Hint: "o2fa secrets-file"})
	case len(f.Rejected) > 0:
		list = append(list, ipc.Warning{Code: "plaintext", Hint: "o2fa secrets-file",
			Message: fmt.Sprintf("%s still holds secrets in clear, and %s", f.Path, leftAlone(len(f.Rejected)))})
	case f.Mode == ipc.ModeMirror:
		list = append(list, ipc.Warning{Code: "plaintext", Message: f.Path + " holds secrets in clear, as the mode mirror wants it", Hint: "o2fa secrets-file"})
	case f.Problem == "" && f.Rows > 0 && !f.NeedLook:
		list = append(list, ipc.Warning{Code: "plaintext", Message: f.Path + " still holds secrets in clear",
			Hint: "o2fa list; when it shows all that you want to keep: o2fa secrets-file seal, or remove the file"})
	}
	if info, err := os.Stat(f.Path); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		list = append(list, ipc.Warning{Code: "readable", Message: "other users may read " + f.Path, Hint: "chmod 600 " + f.Path})
	}
	return list
}

// account is open2fa's identity of the profile: the environment's, else the file's,
// else the vault's. While the vault is locked only its source is told: it goes with
// the keys.
func (d *Daemon) account(ctx context.Context, state ipc.State, secrets bool) *ipc.Account {
	if state == ipc.StateLocked || state == ipc.StateWaiting {
		switch {
		case d.cfg.UUID != "":
			return &ipc.Account{Source: "OPEN2FA_UUID"}
		case d.uuidGiven():
			return &ipc.Account{Source: d.intake.uuid.path}
		}
		return nil
	}
	uuid, source, ok := d.findUUID(ctx)
	if !ok {
		return nil
	}
	id, key := uuid.Open2FA()
	a := &ipc.Account{UUID: uuid.Text(), ID: id, Secret: key, Source: source}
	if !secrets {
		for _, field := range []*string{&a.UUID, &a.ID, &a.Secret} {
			*field = (*field)[:1] + "..."
		}
	}
	return a
}

// findUUID returns the UUID that counts, and whence. What stands in the first place
// that has something, and is none, is not passed over.
func (d *Daemon) findUUID(ctx context.Context) (uuid syncapi.UUID, source string, ok bool) {
	if d.cfg.UUID != "" {
		uuid, err := syncapi.ParseUUID(d.cfg.UUID)
		return uuid, "OPEN2FA_UUID", err == nil
	}
	data, uuid, err := d.intake.uuid.read()
	clear(data)
	if data != nil || err != nil {
		return uuid, d.intake.uuid.path, err == nil
	}
	err = d.keeper.use(ctx, func(v *vault.Vault) (err error) {
		uuid, ok, err = d.intake.uuid.stored(v)
		return err
	})
	return uuid, "vault", ok && err == nil
}

// uuidGiven says that there is something that should be a UUID.
func (d *Daemon) uuidGiven() bool {
	_, err := os.Stat(d.intake.uuid.path)
	return d.cfg.UUID != "" || err == nil
}

func (d *Daemon) postInit(r *http.Request) (any, error) {
	req, err := decode[ipc.InitRequest](r)
	if err != nil {
		return nil, err
	}
	d.desktop.offer(r.Context(), req.Desktop)
	pass := secret.New([]byte(req.Passphrase))
	defer pass.Wipe()
	wanted := newVault{kind: req.Keystore, pass: pass}
	if req.Recovery {
		wanted.code = keystore.NewRecoveryCode()
		defer wanted.code.Wipe()
	}
	if err := d.keeper.create(r.Context(), wanted); err != nil {
		return nil, err
	}
	d.note(r.Context(), event{What: ipc.LogInit, Detail: req.Keystore})
	d.intake.look(r.Context(), order{})
	_, problem, vs := d.keeper.status()
	if vs == nil {
		return nil, problem
	}
	// A new vault has nothing else.
	return ipc.InitReply{Vault: *vs, Taken: vs.Entries, RecoveryCode: string(wanted.code.Reveal())}, nil
}

func (d *Daemon) postUnlock(r *http.Request) (any, error) {
	req, err := decode[ipc.UnlockRequest](r)
	if err != nil || req.Passphrase != "" {
		d.keeper.held.Store(true)
	}
	if err != nil {
		return nil, err
	}
	d.desktop.offer(r.Context(), req.Desktop)
	pass := secret.New([]byte(req.Passphrase))
	defer pass.Wipe()
	open := d.keeper.ready()
	if err := d.keeper.unlock(r.Context(), pass); err != nil {
		d.note(r.Context(), event{What: ipc.LogWrong, Detail: string(d.keeper.problemOf(err).Code)})
		return nil, err
	}
	if !open {
		d.note(r.Context(), event{What: ipc.LogUnlock, Detail: unlockedBy(pass)})
	}
	return d.status(r.Context(), false), nil
}

// postShutdown ends the daemon after the requests in flight. A hand-over is
// granted to a newer release alone, so that two installations never take the
// socket from each other in turns.
func (d *Daemon) postShutdown(r *http.Request) (any, error) {
	req, err := decode[ipc.ShutdownRequest](r)
	if err != nil {
		return nil, err
	}
	if req.Successor != "" && !ipc.NewerRelease(req.Successor, o2fa.Version()) {
		return nil, &ipc.Error{Code: ipc.CodeRefused,
			Message: "this daemon is " + o2fa.Version() + " and hands over to a newer release only"}
	}
	d.log.Info("asked to end", "successor", req.Successor)
	d.end()
	return struct{}{}, nil
}
