package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/o2fa/o2fa/daemon/internal/backup"
	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/ipc"
)

// keptSuffix stands in the name of a vault that a restore could not back up,
// before the time.
const keptSuffix = ".before-restore-"

// backupFiles returns what a reset with backups removes: them, vaults that a
// restore has kept, and the directory, if nothing else is in it.
func (d *Daemon) backupFiles() (paths []string) {
	list, err := d.backups.dir.List()
	if err != nil {
		d.log.Warn("listing backups", "error", err.Error())
	}
	for _, i := range list {
		paths = append(paths, d.backups.dir.Path(i.Name))
	}
	vault := d.cfg.Profile.VaultFile()
	if entries, err := os.ReadDir(d.cfg.Profile.Dir); err == nil {
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), filepath.Base(vault)+keptSuffix) {
				paths = append(paths, filepath.Join(d.cfg.Profile.Dir, e.Name()))
			}
		}
	}
	dir := string(d.backups.dir)
	if entries, err := os.ReadDir(dir); err == nil && len(entries) == len(list) {
		paths = append(paths, dir)
	}
	return paths
}

// backupsLeft says what the backups are worth that a reset leaves.
func (d *Daemon) backupsLeft() string {
	list, err := d.backups.dir.List()
	if err != nil || len(list) == 0 {
		return ""
	}
	typed := slices.ContainsFunc(list, func(i backup.Info) bool {
		return slices.ContainsFunc(d.describeBackup(d.backups.dir.Path(i.Name)).Slots, func(s ipc.Slot) bool { return isTyped(keystore.Type(s.Type)) })
	})
	if typed {
		return fmt.Sprintf("%d of the vault's backups, which open with the passphrase or the recovery code of their time; --backups removes them, too", len(list))
	}
	return fmt.Sprintf("%d of the vault's backups, which nothing opens when the key is gone; --backups removes them, too", len(list))
}
