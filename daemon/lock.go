package daemon

import (
	"context"
	"net/http"
	"slices"

	"github.com/o2fa/o2fa/daemon/internal/config"
	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/ipc"
)

func (d *Daemon) postLock(r *http.Request) (any, error) {
	if _, _, vs := d.keeper.status(); vs != nil && d.keeper.unlockedNow() && !slices.ContainsFunc(vs.Slots, func(s ipc.Slot) bool { return !s.Missing }) {
		return nil, errLastKeyGone
	}
	if err := d.lock(r.Context(), ipc.LockAsked); err != nil {
		return nil, err
	}
	if d.leaves() {
		return byNext{}, nil
	}
	return d.status(r.Context(), false), nil
}

// errLastKeyGone is the answer to a lock after which nothing would open the vault.
var errLastKeyGone = &ipc.Error{Code: ipc.CodeInvalid, Hint: "o2fa key add recovery, then o2fa lock",
	Message: "the key of each key slot is gone: once locked, nothing would open the vault again, so it stays open"}

// lock takes the vault key out of the process. It is the one way for that:
// whatever has to be sealed and stored first, is. When it returns the keys are
// forgotten; right after that another image takes the place of this one. An image
// that has held nothing secret stays: the keyring's dialog, if it is open, hangs on
// a connection of this one, and gnome-keyring takes it ill when that goes.
func (d *Daemon) lock(ctx context.Context, why ipc.LockReason) error {
	d.log.Info("locking", "why", string(why))
	d.autolock.because(why)
	if d.keeper.ready() {
		d.noteLock(ctx, why)
	}
	d.beforeLock(ctx)
	open := d.keeper.unlockedNow()
	err := d.keeper.lock(ctx)
	if d.keeper.unlockedNow() || err != nil && !open {
		return err // nothing was forgotten
	}
	if d.keeper.held.Load() {
		d.leave(why)
	}
	return err
}

// forgetting serves a request that opens a backup. Where the vault was locked that
// leaves in memory what no lock would: so another image takes the place of this
// one when the reply is sent.
func (d *Daemon) forgetting(act func(*http.Request) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		reply, err := act(r)
		state, _, _ := d.keeper.status()
		if state == ipc.StateLocked && !d.keeper.unlockedNow() {
			d.leave(d.autolock.lockedBy())
		}
		return reply, err
	}
}

// beforeLock ends what still needs the vault key. Each part is bounded in time by
// itself: a lock does not wait for a slow disk for ever.
func (d *Daemon) beforeLock(ctx context.Context) {
	d.audit.flushBriefly(ctx)
	d.backups.beforeLock(ctx)
}

// moment is now, by both clocks.
func (d *Daemon) moment() moment { return moment{up: d.cfg.Uptime(), wall: d.now()} }

// served lets a request meet a vault that is locked if it should be by now, and
// notes the use of it afterwards. What fails is no use: a program that asks in
// vain again and again holds no vault open.
func (d *Daemon) served(r route) func(*http.Request) (any, error) {
	return func(req *http.Request) (any, error) {
		d.watch.seen()
		d.autolock.settle(req.Context())
		reply, err := r.act(req)
		if r.uses && err == nil {
			d.autolock.use()
		}
		return reply, err
	}
}

// applicable refuses a configuration after which a lock would wait for a
// passphrase that there is not, or for an event that this system tells nobody of.
func (d *Daemon) applicable(req ipc.ConfigRequest) error {
	if named := config.Split(req.Set["lock_on"]); len(tellable(named)) < len(named) {
		return &ipc.Error{Code: ipc.CodeInvalid, Message: "on this system lock_on can be " + config.Join(tellable(config.LockEvents())) + " only: nobody tells of the rest",
			Hint: "o2fa config set lock_idle 10m"}
	}
	_, _, vault := d.keeper.status()
	if req.Set["unlock"] != config.UnlockPassphrase || vault == nil || hasSlot(vault, keystore.TypePassphrase) {
		return nil
	}
	return &ipc.Error{Code: ipc.CodeInvalid, Message: "the vault has no passphrase that could be asked for after a lock", Hint: "o2fa key add passphrase"}
}

// lockWarnings are about settings that have no effect.
func (d *Daemon) lockWarnings(vault *ipc.VaultStatus) (list []ipc.Warning) {
	if d.settings.unlock() == config.UnlockPassphrase && vault != nil && !hasSlot(vault, keystore.TypePassphrase) {
		list = append(list, ipc.Warning{Code: "unlock", Message: `unlock = "passphrase" has no effect: the vault has no passphrase, and any key slot opens it after a lock`,
			Hint: "o2fa key add passphrase"})
	}
	return append(list, d.watchWarnings()...)
}
