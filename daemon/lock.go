package daemon

import (
	"context"
	"net/http"
)

// lockReason is who or what wanted the vault locked.
type lockReason string

// The reasons to lock.
const (
	lockAsked lockReason = "asked" // POST /v1/lock
)

func (d *Daemon) postLock(r *http.Request) (any, error) {
	if err := d.lock(r.Context(), lockAsked); err != nil {
		return nil, err
	}
	return d.status(r.Context(), false), nil
}

// lock takes the vault key out of the process. It is the one way for that:
// whatever has to be sealed and stored first, is.
func (d *Daemon) lock(ctx context.Context, why lockReason) error {
	d.log.Info("locking", "why", string(why))
	d.beforeLock(ctx)
	return d.keeper.lock(ctx)
}

// beforeLock ends what still needs the vault key. Each part is bounded in time by
// itself: a lock does not wait for a slow disk for ever.
func (d *Daemon) beforeLock(context.Context) {}
