package daemon

import (
	"context"
	"errors"

	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/ipc"
)

// purge removes what has been in the trash, or in the log, long enough. It
// runs when the vault becomes ready rather than on a timer, which would wake an
// idle machine.
func (k *keeper) purge(ctx context.Context) {
	life := k.policy().trashLife
	err := k.use(ctx, func(v *vault.Vault) error {
		if v.ReadOnly() {
			return nil
		}
		if err := v.PruneLog(); err != nil || life == 0 {
			return err
		}
		n, err := v.PurgeTrash(life)
		if n > 0 {
			k.log.Info("purged the trash", "entries", n)
		}
		return err
	})
	if err != nil && !errors.Is(err, ipc.ErrLocked) {
		k.report(err)
		k.log.Warn("purging the trash", "error", err.Error())
	}
}

// with runs f with the vault, open or locked, where there is one.
func (k *keeper) with(f func(*vault.Vault)) {
	k.mu.RLock()
	v := k.vault
	k.mu.RUnlock()
	if v != nil {
		f(v)
	}
}
