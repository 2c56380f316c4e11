package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/o2fa/o2fa/daemon/internal/backup"
	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/ipc"
)

// codes counts the entries of a backup that yield a code.
type codes struct{ made, none int }

// take computes the code that an entry would show.
func (c *codes) take(e *vault.Entry) error {
	if e.Type != "totp" && e.Type != "hotp" {
		c.none++
		return nil
	}
	key, err := prepare(e)
	if err == nil && key.HOTP(e.Counter) == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return fmt.Errorf("%w: entry %s yields no code: %w", vault.ErrCorrupt, e.ID, err)
	}
	c.made++
	return nil
}

// picked is a backup that a request means.
type picked struct {
	path  string
	shown string // the path that a person knows; none if that is path
	ours  string // its name, if that is one that only we give
}

// file is the path that a person knows.
func (p picked) file() string { return cmp.Or(p.shown, p.path) }

// pick finds the backup that a request names.
func (b *backups) pick(r ipc.BackupRequest) (picked, error) {
	if r.Path != "" {
		if !filepath.IsAbs(r.Path) {
			return picked{}, &ipc.Error{Code: ipc.CodeBadRequest, Message: "the path of a backup must be absolute"}
		}
		return pickFile(r.Path), nil
	}
	list, err := b.dir.List()
	if err != nil {
		return picked{}, err
	}
	if r.Name == "" {
		list = list[:min(len(list), 1)]
	} else {
		list = slices.DeleteFunc(list, func(i backup.Info) bool { return !strings.HasPrefix(i.Name, r.Name) })
	}
	switch {
	case len(list) == 0 && r.Name == "":
		return picked{}, &ipc.Error{Code: ipc.CodeNotFound, Message: "there is no backup yet", Hint: "o2fa backup create"}
	case len(list) == 0:
		return picked{}, &ipc.Error{Code: ipc.CodeNotFound, Message: "there is no backup of that name", Hint: "o2fa backup list"}
	case len(list) > 1:
		return picked{}, &ipc.Error{Code: ipc.CodeAmbiguous, Message: fmt.Sprintf("%d backups begin so: name one of them in full", len(list)), Hint: "o2fa backup list"}
	}
	return pickFile(b.dir.Path(list[0].Name)), nil
}

func pickFile(path string) picked {
	p := picked{path: path}
	if i, ok := backup.Parse(filepath.Base(path)); ok {
		p.ours = i.Name
	}
	return p
}

// openedBackup is a backup whose key was found.
type openedBackup struct {
	*vault.Vault
	picked
	slots []ipc.Slot
	slot  [16]byte // that has opened it, and its key; none if the vault of now had it
}

// open opens a backup with the keys at hand: those of the slots that the open
// vault still has, the keystores that ask nobody, and pass for the others.
func (d *Daemon) openBackup(ctx context.Context, p picked, pass secret.Bytes) (*openedBackup, error) {
	v, err := vault.OpenBackup(p.path, vault.Options{Now: d.now})
	if err != nil {
		return nil, p.problem(err)
	}
	o := &openedBackup{Vault: v, picked: p}
	if o.slots, _, err = d.slotsOf(v); err == nil {
		err = d.unlockBackup(ctx, o, pass)
	}
	if err != nil {
		v.Close()
		return nil, p.problem(err)
	}
	return o, nil
}

func (d *Daemon) unlockBackup(ctx context.Context, o *openedBackup, pass secret.Bytes) error {
	if current := d.keeper.openVault(); current != nil && current.ID() == o.ID() {
		if err := o.UnlockFrom(current); err == nil {
			return nil
		} // the vault of now may be what is damaged: the slots tell about the backup
	}
	if file := d.keeper.policy().passphraseFile; pass.Len() == 0 && file != "" {
		var err error
		if pass, err = secret.ReadFile(file); err != nil {
			return err
		}
		defer pass.Wipe()
	}
	slots, err := o.Slots()
	if err != nil {
		return err
	}
	var typed, wrong bool
	var why error
	for _, s := range slots {
		h, err := keystore.ParseHeader(s.Header)
		if err != nil {
			why = err
			continue
		}
		if h.Type == keystore.TypeRecovery && pass.Len() > 0 && !keystore.IsRecoveryCode(pass) {
			typed = true
			continue
		}
		if isTyped(h.Type) && pass.Len() == 0 {
			typed = true
			continue
		}
		err = d.keeper.trySlot(ctx, o.Vault, h, pass)
		if err == nil {
			o.slot = h.ID
			return nil
		}
		if errors.Is(err, vault.ErrCorrupt) || errors.Is(err, vault.ErrStorage) || ctx.Err() != nil {
			return err
		}
		typed, wrong = typed || isTyped(h.Type), wrong || errors.Is(err, ipc.ErrPassphrase)
		why = err
	}
	return d.noKey(o, typed, wrong || pass.Len() > 0, why)
}

// noKey says why no key at hand opens a backup, and what would.
func (d *Daemon) noKey(o *openedBackup, typed, wrong bool, why error) error {
	var kinds []string
	for _, s := range o.slots {
		if !slices.Contains(kinds, s.Type) {
			kinds = append(kinds, s.Type)
		}
	}
	left := strings.Join(kinds, ", ")
	base := filepath.Base(o.file())
	switch {
	case typed && wrong:
		return &ipc.Error{Code: ipc.CodePassphrase, Message: "the passphrase does not open " + base + ": it has to be that of its time (its key slots: " + left + ")",
			Hint: "try the passphrase, or the recovery code, that the vault had then"}
	case typed:
		return &ipc.Error{Code: ipc.CodeLocked, Message: base + " wants the passphrase, or the recovery code, of its time (its key slots: " + left + ")",
			Hint: "on a terminal, or with O2FA_PASSPHRASE_FILE set: the same command again"}
	}
	text := base + " opens with no key of this machine; its key slots: " + left
	if why != nil && !errors.Is(why, vault.ErrWrongKey) {
		text += "; " + d.keeper.problemOf(why).Message
	}
	return &ipc.Error{Code: ipc.CodeOrphan, Message: text,
		Hint: "bring the key of its vault: the vault.key of then, or the keyring of the machine that made it"}
}

// problem is a failure to use a backup, as the wire knows it.
func (p picked) problem(err error) error {
	if wire := (*ipc.Error)(nil); errors.As(err, &wire) {
		return err
	}
	what := p.file()
	if p.ours != "" {
		what = p.ours
	}
	wire := &ipc.Error{Code: ipc.CodeCorrupt, Hint: "o2fa backup list, for another one"}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, vault.ErrLocked):
		return err
	case errors.Is(err, fs.ErrNotExist):
		wire.Code, wire.Message, wire.Hint = ipc.CodeNotFound, "there is no "+what, "o2fa backup list"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, vault.ErrReadOnly):
		wire.Code, wire.Message, wire.Hint = ipc.CodeStorage, what+" cannot be read", "let this user read it"
	case errors.Is(err, vault.ErrNewerFormat):
		wire.Code, wire.Message, wire.Hint = ipc.CodeNewerFormat, what+" was made by a newer o2fa", "install the o2fa that made it, or a later one"
	case errors.Is(err, vault.ErrNotVault):
		wire.Message = what + " is no backup, and no vault either"
	case errors.Is(err, vault.ErrCorrupt), errors.Is(err, keystore.ErrHeader):
		_, detail, _ := strings.Cut(err.Error(), vault.ErrCorrupt.Error()+": ")
		wire.Message = strings.TrimSuffix(what+" is damaged: "+detail, ": ")
	default:
		wire.Code, wire.Message = ipc.CodeStorage, "reading "+what+": "+err.Error()
	}
	return wire
}

// verify proves that an opened backup can be restored.
func (o *openedBackup) verify(ctx context.Context) (ipc.BackupReport, error) {
	r := ipc.BackupReport{Backup: ipc.Backup{Name: filepath.Base(o.file()), Path: o.file(), Vault: backup.Of(o.ID()), Slots: o.slots}}
	if info, err := os.Stat(o.path); err == nil {
		r.Size = info.Size()
	}
	m, err := o.Manifest()
	r.Sealed = err == nil
	switch {
	case errors.Is(err, vault.ErrNoSeal) && o.ours == "":
	case errors.Is(err, vault.ErrNoSeal):
		return r, o.problem(fmt.Errorf("%w: its seal is missing, it was cut", vault.ErrCorrupt))
	case err != nil:
		return r, o.problem(err)
	case o.ours != "" && o.ours != m.Name:
		return r, o.problem(fmt.Errorf("%w: it is another backup, %s, under this name", vault.ErrCorrupt, m.Name))
	}
	if r.Sealed {
		r.Made, r.Release = time.UnixMilli(m.Made).UTC().Format(time.RFC3339), m.Release
	}
	var c codes
	found, err := o.Verify(ctx, c.take)
	r.Entries, r.Trashed, r.Versions, r.Codes, r.NoCodes = found.Entries, found.Trashed, found.Versions, c.made, c.none
	if errors.Is(err, vault.ErrNoSeal) {
		return r, nil
	}
	if err == nil && (m.Entries != found.Entries || m.Trashed != found.Trashed) {
		err = fmt.Errorf("%w: it holds %d and %d entries, not %d and %d", vault.ErrCorrupt, found.Entries, found.Trashed, m.Entries, m.Trashed)
	}
	if err != nil {
		return r, o.problem(err)
	}
	return r, nil
}

// slotsOf returns the key slots of a file as the API shows them, and the ids of
// those that the vault of now does not have.
func (d *Daemon) slotsOf(v *vault.Vault) (slots []ipc.Slot, former []string, err error) {
	list, err := v.Slots()
	if err != nil {
		return nil, nil, err
	}
	_, _, now := d.keeper.status()
	for _, s := range list {
		h, err := keystore.ParseHeader(s.Header)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: a key slot: %w", vault.ErrCorrupt, err)
		}
		slot := wireSlot(h)
		slots = append(slots, slot)
		if now != nil && !slices.ContainsFunc(now.Slots, func(s ipc.Slot) bool { return s.ID == slot.ID }) {
			former = append(former, slot.ID)
		}
	}
	return slots, former, nil
}

// describeBackup says what a backup tells of itself, without the keys of other
// times.
func (d *Daemon) describeBackup(path string) ipc.Backup {
	p := pickFile(path)
	out := ipc.Backup{Name: filepath.Base(path), Path: path}
	if i, ok := backup.Parse(p.ours); ok {
		out.Made, out.Vault = i.Made.Format(time.RFC3339), i.Of
	}
	if info, err := os.Stat(path); err == nil {
		out.Size = info.Size()
	}
	v, err := vault.OpenBackup(path, vault.Options{Now: d.now})
	if err == nil {
		defer v.Close()
		out.Vault = backup.Of(v.ID())
		out.Slots, out.Former, err = d.slotsOf(v)
	}
	if err != nil {
		out.Problem = d.keeper.problemOf(p.problem(err))
		return out
	}
	current := d.keeper.openVault()
	if current == nil {
		return out
	}
	if m, err := current.ManifestOf(path); err == nil {
		out.Opens, out.Entries, out.Trashed, out.Release = true, m.Entries, m.Trashed, m.Release
		out.Made = time.UnixMilli(m.Made).UTC().Format(time.RFC3339)
	}
	return out
}

func (d *Daemon) getBackups(*http.Request) (any, error) {
	list, err := d.backups.dir.List()
	reply := ipc.Backups{Dir: string(d.backups.dir), Keep: d.backups.keep(), Backups: []ipc.Backup{}}
	for _, i := range list {
		reply.Backups = append(reply.Backups, d.describeBackup(d.backups.dir.Path(i.Name)))
	}
	return reply, err
}

func (d *Daemon) postBackupVerify(r *http.Request) (any, error) {
	req, err := decode[ipc.BackupVerifyRequest](r)
	if err != nil {
		return nil, err
	}
	pass := secret.New([]byte(req.Passphrase))
	defer pass.Wipe()
	reply := ipc.BackupVerified{Backups: []ipc.BackupReport{}}
	if !req.All {
		p, err := d.backups.pick(req.BackupRequest)
		if err != nil {
			return nil, err
		}
		report, err := d.verifyBackup(r.Context(), p, pass)
		reply.Backups = append(reply.Backups, report)
		return reply, err
	}
	list, err := d.backups.dir.List()
	for _, i := range list {
		report, err := d.verifyBackup(r.Context(), pickFile(d.backups.dir.Path(i.Name)), pass)
		if err != nil {
			report.Backup = ipc.Backup{Name: i.Name, Path: d.backups.dir.Path(i.Name), Problem: d.keeper.problemOf(err)}
		}
		report.Made, report.Size, report.Vault = i.Made.Format(time.RFC3339), i.Size, i.Of
		reply.Backups = append(reply.Backups, report)
	}
	return reply, err
}

// verifyBackup opens and verifies one.
func (d *Daemon) verifyBackup(ctx context.Context, p picked, pass secret.Bytes) (ipc.BackupReport, error) {
	o, err := d.openBackup(ctx, p, pass)
	if err != nil {
		return ipc.BackupReport{}, err
	}
	defer o.Close()
	r, err := o.verify(ctx)
	if err == nil && !r.Sealed {
		r.Problem = &ipc.Error{Code: ipc.CodeInvalid, Hint: "o2fa backup create",
			Message: fmt.Sprintf("it has no seal of a backup: its %d entries open, and nobody knows whether that is all there was", r.Entries)}
	}
	return r, err
}
