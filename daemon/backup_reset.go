package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/ipc"
)

// keptSuffix stands in the name of a vault that a restore could not back up,
// before the time.
const keptSuffix = ".before-restore-"

// backupFiles returns what a reset removes of backups: all of them, and vaults
// that a restore has kept, if it was told so, and the directory where nothing
// else is in it.
func (d *Daemon) backupFiles(all bool) (paths []string) {
	list, err := d.backups.dir.List()
	if err != nil {
		d.log.Warn("listing backups", "error", err.Error())
	}
	if all {
		for _, i := range list {
			paths = append(paths, d.backups.dir.Path(i.Name))
		}
		vault := d.cfg.Profile.VaultFile()
		kept, err := os.ReadDir(filepath.Dir(vault))
		if err != nil {
			d.log.Warn("looking for kept vaults", "error", err.Error())
		}
		for _, e := range kept {
			if strings.HasPrefix(e.Name(), filepath.Base(vault)+keptSuffix) {
				paths = append(paths, filepath.Join(filepath.Dir(vault), e.Name()))
			}
		}
	}
	dir := string(d.backups.dir)
	if entries, err := os.ReadDir(dir); err == nil && len(entries) == len(list) && (all || len(list) == 0) {
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
	typed := 0
	for _, i := range list {
		if slices.ContainsFunc(d.describeBackup(d.backups.dir.Path(i.Name)).Slots, func(s ipc.Slot) bool { return isTyped(keystore.Type(s.Type)) }) {
			typed++
		}
	}
	what := fmt.Sprintf("%d of the vault's backups", len(list))
	switch typed {
	case len(list):
		return what + ", which open with the passphrase or the recovery code of their time; --backups removes them, too"
	case 0:
		return what + ", which nothing opens when the key is gone; --backups removes them, too"
	}
	return fmt.Sprintf("%s: %d open with the passphrase or the recovery code of their time, the others with nothing when the key is gone; --backups removes them, too", what, typed)
}
