package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/o2fa/o2fa/daemon/internal/backup"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/atomicfile"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/ipc"
)

// A restore stages a copy of the backup beside the vault and verifies it there,
// while codes go on. Then it takes the keeper's turn: the vault is closed and
// opened for the restore alone, so that nothing changes any more; what has
// changed since it was shown ends the work. It is kept, as a backup or under
// another name, and one rename puts the copy in its place. Whatever ends the
// process, there is the old vault or the new one.

// staged is a backup that is ready to take the vault's place.
type staged struct {
	path   string // of the copy, for this process alone
	target string // where the vault lies, links resolved
	report ipc.BackupReport
	id     [16]byte
	slot   [16]byte // a slot that opens it
	key    secret.Bytes
	state  string // of the backup
}

func (s *staged) discard() {
	s.key.Wipe()
	_ = os.Remove(s.path) // nothing once it is in its place
}

func (d *Daemon) postBackupRestore(r *http.Request) (any, error) {
	req, err := decode[ipc.BackupRestoreRequest](r)
	if err != nil {
		return nil, err
	}
	pass := secret.New([]byte(req.Passphrase))
	defer pass.Wipe()
	s, err := d.stage(r.Context(), req.BackupRequest, pass)
	if err != nil {
		return nil, err
	}
	defer s.discard()
	d.log.Info("asked to restore a backup", "name", s.report.Name)
	reply := ipc.BackupRestored{Backup: s.report}
	if err := d.restore(context.WithoutCancel(r.Context()), s, req.Seen, &reply); err != nil {
		return nil, err
	}
	d.note(r.Context(), event{What: ipc.LogFromBackup}) // in the restored vault: that of before is kept as it was
	reply.State, _, _ = d.keeper.status()
	return reply, nil
}

// stage copies a backup beside the vault, opens and verifies it there.
func (d *Daemon) stage(ctx context.Context, req ipc.BackupRequest, pass secret.Bytes) (*staged, error) {
	p, err := d.backups.pick(req)
	if err != nil {
		return nil, err
	}
	s := &staged{target: d.vaultTarget()}
	s.path, err = backup.WriteTemp(filepath.Dir(s.target), func(f *os.File) error { return copyInto(ctx, f, p.path) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil, p.problem(err)
	}
	if err != nil {
		return nil, writeProblem(err, filepath.Dir(s.target), "nothing was restored", "free some space there, then try again")
	}
	if err := d.prepare(ctx, s, p, pass); err != nil {
		s.discard()
		return nil, err
	}
	return s, nil
}

// vaultTarget is where the vault lies: vault.db may be a link to another disk.
func (d *Daemon) vaultTarget() string {
	path := d.keeper.files.vault
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	return path
}

func copyInto(ctx context.Context, f *os.File, path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w", path, atomicfile.ErrNotRegular)
	}
	if err != nil {
		return err
	}
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := roomFor(filepath.Dir(f.Name()), info.Size()); err != nil {
		return err
	}
	_, err = io.Copy(&cancelled{ctx, f}, in)
	return err
}

// prepare proves that the copy can be restored, keeps a key of it and takes the
// trailer off.
func (d *Daemon) prepare(ctx context.Context, s *staged, p picked, pass secret.Bytes) error {
	o, err := d.openBackup(ctx, picked{path: s.path, shown: p.path, ours: p.ours}, pass)
	if err != nil {
		return err
	}
	defer o.Close()
	if s.report, err = o.verify(ctx); err != nil {
		return err
	}
	s.id = o.ID()
	if s.state, err = o.State(); err != nil {
		return err
	}
	slots, err := o.Slots()
	if err != nil {
		return err
	}
	s.slot = slots[0].ID // there is one: something has opened it
	if s.key, err = o.SlotKey(s.slot); err != nil {
		return p.problem(err)
	}
	m, err := o.Manifest()
	if errors.Is(err, vault.ErrNoSeal) {
		return nil
	}
	if err = errors.Join(err, o.Close()); err != nil {
		return err
	}
	return cutTo(s.path, m.Size)
}

// cutTo cuts a file, and makes that durable.
func cutTo(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Sync(), f.Close())
}

// firstPages is how much of a closed vault tells whether it has changed: each
// change writes one of the two pages there that say which pages are in force. Its
// time does not: on Windows opening a file changes that.
const firstPages = 64 << 10

// seen stands for a backup and the vault of now, as far as that can be read.
func (d *Daemon) seen(report ipc.BackupReport, state string, current *vault.Vault) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s %s %d %s\n", report.Vault, state, report.Size, report.Made)
	now, err := "", vault.ErrClosed
	if current != nil {
		now, err = current.State()
	}
	if err == nil {
		fmt.Fprintf(sum, "open %x %s\n", current.ID(), now)
	} else if f, err := os.Open(d.keeper.files.vault); err == nil {
		defer f.Close()
		fmt.Fprintln(sum, "closed")
		_, _ = io.CopyN(sum, f, firstPages) // what cannot be read is the same next time
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// restore puts what is staged in the vault's place, if that is still what seen
// stands for.
func (d *Daemon) restore(ctx context.Context, s *staged, seen string, reply *ipc.BackupRestored) error {
	k := d.keeper
	if err := k.interrupt(ctx); err != nil {
		return err
	}
	return k.run(context.WithoutCancel(ctx), func(ctx context.Context) outcome {
		k.mu.RLock()
		was := outcome{state: k.state, problem: k.problem}
		k.mu.RUnlock()
		now := d.takeOver()
		defer now.close()
		if was.err = d.replaceVault(ctx, s, seen, now, reply); was.err != nil {
			was.err = k.problemOf(was.err)
			return d.resume(was, now)
		}
		locked := was.state == ipc.StateLocked
		result := outcome{}
		if result.state, result.problem = k.openFile(); result.state != ipc.StateLocked || locked {
			return result
		}
		if err := k.vaultNow().Unlock(s.slot, s.key); err != nil {
			result.problem = k.lockedBy(err)
			return result
		}
		return k.unlocked()
	})
}

// former is the vault that a restore replaces, for the restore alone.
type former struct {
	v    *vault.Vault // nil if it could not be opened
	slot [16]byte
	key  secret.Bytes
}

// takeOver closes the vault for everybody else.
func (d *Daemon) takeOver() *former {
	k, f := d.keeper, &former{}
	v := k.openVault()
	if v != nil {
		if slots, err := v.Slots(); err == nil && len(slots) > 0 {
			f.slot = slots[0].ID
			f.key, err = v.SlotKey(f.slot)
			if err != nil {
				v = nil
			}
		}
	}
	k.shut()
	if v == nil {
		return f
	}
	opened, err := vault.Open(k.files.vault, vault.Options{Now: k.now})
	if err == nil {
		if err = opened.Unlock(f.slot, f.key); err == nil {
			f.v = opened
			return f
		}
		opened.Close()
	}
	d.log.Warn("reading the vault that is to be replaced", "error", err.Error())
	return f
}

func (f *former) close() {
	if f.v != nil {
		f.v.Close()
		f.v = nil
	}
	f.key.Wipe()
}

// resume goes on with the vault as it was.
func (d *Daemon) resume(was outcome, now *former) outcome {
	if now.v != nil {
		now.v.Close()
		now.v = nil
	}
	state, problem := d.keeper.openFile()
	if state == ipc.StateLocked && was.state == ipc.StateReady && now.key.Len() > 0 {
		if err := d.keeper.vaultNow().Unlock(now.slot, now.key); err == nil {
			return outcome{state: ipc.StateReady, problem: was.problem, err: was.err}
		}
	}
	return outcome{state: state, problem: problem, err: was.err}
}

// replaceVault is the part of a restore in which the vault of now is closed for
// all others. After an error it is as it was.
func (d *Daemon) replaceVault(ctx context.Context, s *staged, seen string, now *former, reply *ipc.BackupRestored) error {
	if seen != d.seen(s.report, s.state, now.v) {
		return &ipc.Error{Code: ipc.CodeReplaced, Message: "the vault is not as it was shown: nothing was restored", Hint: "o2fa backup restore NAME, which shows it anew"}
	}
	if err := d.adopt(s, now.v, reply); err != nil {
		return err
	}
	if err := d.keep(ctx, s, now.v, reply); err != nil {
		return err
	}
	if now.v != nil {
		reply.OtherVault = now.v.ID() != s.id
		if err := now.v.Close(); err != nil { // Windows replaces no open file
			return err
		}
		now.v = nil
	}
	err := atomicfile.Replace(s.path, s.target)
	if _, gone := os.Lstat(s.path); err != nil && errors.Is(gone, fs.ErrNotExist) {
		d.log.Warn("making the restored vault durable", "error", err.Error())
		return nil // it is in its place
	}
	if err != nil {
		return writeProblem(err, s.target, "nothing was restored", "free some space there, then try again")
	}
	return nil
}

// keep keeps the vault of now: as a backup, which is verified, else under
// another name.
func (d *Daemon) keep(ctx context.Context, s *staged, now *vault.Vault, reply *ipc.BackupRestored) error {
	if _, err := os.Lstat(d.keeper.files.vault); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if now != nil && d.backups.keep() > 0 {
		if err := d.backups.dueOf(ctx, now); err == nil {
			if name, err := d.backups.holding(now); name != "" && err == nil {
				reply.Kept = d.backups.dir.Path(name)
				return nil
			}
			if live, trashed := now.Count(); live+trashed == 0 {
				return nil // an empty vault that never changed
			}
		}
	}
	kept := fmt.Sprintf("%s%s%s", d.keeper.files.vault, keptSuffix, d.now().UTC().Format("20060102T150405.000"))
	err := os.Link(s.target, kept)
	if err != nil { // a file system without links, or a link to another one
		err = copyTo(ctx, s.target, kept)
	}
	if err == nil {
		err = atomicfile.SyncDir(filepath.Dir(kept))
	}
	if err != nil {
		return writeProblem(err, filepath.Dir(kept), "nothing was restored, as the vault of now could not be kept", "free some space there, then try again")
	}
	reply.Kept = kept
	return nil
}

// knownID returns the id of the vault of the profile, if anything tells it.
func (k *keeper) knownID() (id [16]byte, known bool) {
	h := k.holding()
	return h.id, h.known
}
