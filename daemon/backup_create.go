package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/o2fa/o2fa/daemon/internal/backup"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/atomicfile"
	"github.com/o2fa/o2fa/ipc"
)

func (d *Daemon) postBackupCreate(r *http.Request) (any, error) {
	req, err := decode[ipc.BackupCreateRequest](r)
	if err != nil {
		return nil, err
	}
	var reply ipc.BackupCreated
	err = d.keeper.use(r.Context(), func(v *vault.Vault) error {
		if req.To != "" {
			return d.backupTo(r.Context(), v, req.To, &reply)
		}
		if d.backups.keep() == 0 {
			return &ipc.Error{Code: ipc.CodeInvalid, Message: "the configuration keeps no backups: backups = 0", Hint: "o2fa backup create --to FILE\no2fa config unset backups"}
		}
		made, removed, err := d.backups.make(r.Context(), v)
		if err != nil {
			return err
		}
		reply.Backup, reply.Removed = d.describeBackup(d.backups.dir.Path(made.Name)), removed
		return nil
	})
	if err == nil {
		d.note(r.Context(), event{What: ipc.LogBackup})
	}
	return reply, err
}

// backupTo makes a backup elsewhere: first beside the vault, so that a slow disk
// does not keep an old state of it open, then in its place, read back from there.
func (d *Daemon) backupTo(ctx context.Context, v *vault.Vault, to string, reply *ipc.BackupCreated) error {
	if !filepath.IsAbs(to) {
		return &ipc.Error{Code: ipc.CodeBadRequest, Message: "the path of a backup must be absolute"}
	}
	if _, err := os.Lstat(to); err == nil {
		return writeProblem(vault.ErrExists, to, "no backup was made", "")
	}
	tmp, err := backup.WriteTemp(d.cfg.Profile.Dir, func(f *os.File) error { return d.backups.write(ctx, v, f, filepath.Base(to)) })
	if err != nil {
		return d.backups.refusal(err)
	}
	defer os.Remove(tmp)
	err = copyTo(ctx, tmp, to)
	if err == nil {
		if err = checkOwn(ctx, v, to); err != nil {
			err = errors.Join(fmt.Errorf("reading it back: %w", err), os.Remove(to))
		}
	}
	if errors.Is(err, vault.ErrCorrupt) {
		return d.backups.refusal(err)
	}
	if err != nil {
		return writeProblem(err, to, "no backup was made", "free some space there, then try again")
	}
	reply.Backup = d.describeBackup(to)
	return nil
}

// copyTo copies a file to a new one, which is there whole or not at all.
func copyTo(ctx context.Context, from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	tmp, err := backup.WriteTemp(filepath.Dir(to), func(f *os.File) error {
		_, err := io.Copy(&cancelled{ctx, f}, in)
		return err
	})
	if err != nil {
		return err
	}
	defer os.Remove(tmp) // nothing once it has its name
	return atomicfile.Replace(tmp, to)
}
