package daemon

import (
	"context"
	"net/http"
	"slices"

	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/ipc"
)

// oldBackups names the backups of the vault that a key slot opens which it does
// not have any more.
func (d *Daemon) oldBackups(v *vault.Vault) (names []string) {
	list, err := d.backups.of(v)
	if err != nil {
		d.log.Warn("listing backups", "error", err.Error())
	}
	for _, i := range list {
		if b := d.describeBackup(d.backups.dir.Path(i.Name)); len(b.Former) > 0 {
			names = append(names, i.Name)
		}
	}
	return names
}

// postBackupRemake makes a new backup, and removes those that former key slots
// open when it is verified.
func (d *Daemon) postBackupRemake(r *http.Request) (any, error) {
	if _, err := decode[struct{}](r); err != nil {
		return nil, err
	}
	reply := ipc.BackupRemade{Removed: []string{}}
	err := d.keeper.use(r.Context(), func(v *vault.Vault) error { return d.remake(r.Context(), v, &reply) })
	if err == nil && reply.Backup != nil {
		d.note(r.Context(), event{What: ipc.LogBackup, Detail: "remake"})
	}
	return reply, err
}

func (d *Daemon) remake(ctx context.Context, v *vault.Vault, reply *ipc.BackupRemade) error {
	old := d.oldBackups(v)
	if len(old) == 0 {
		return nil
	}
	made, removed, err := d.backups.make(ctx, v)
	if err != nil {
		return err
	}
	b := d.describeBackup(d.backups.dir.Path(made.Name))
	reply.Backup = &b
	if err := d.backups.dir.Remove(old...); err != nil {
		return writeProblem(err, string(d.backups.dir), "not all old backups were removed", "o2fa backup remake")
	}
	d.log.Info("remade backups", "removed", len(old))
	reply.Removed = old
	for _, name := range removed {
		if !slices.Contains(old, name) {
			reply.Removed = append(reply.Removed, name)
		}
	}
	return nil
}
