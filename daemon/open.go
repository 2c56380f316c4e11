package daemon

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/atomicfile"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/ipc"
)

// start opens the vault when the daemon starts, with the slots that ask nobody
// but the keyring.
func (k *keeper) start(ctx context.Context) {
	_ = k.try(ctx, k.openAndUnlock)
}

// startLocked opens the file alone: who locked the vault unlocks it.
func (k *keeper) startLocked(ctx context.Context) {
	_ = k.try(ctx, func(context.Context) outcome {
		state, problem := k.openFile()
		return outcome{state: state, problem: problem}
	})
}

// unlock opens the vault: with a passphrase by the slots that have one, without
// by those that need none.
func (k *keeper) unlock(ctx context.Context, pass secret.Bytes) error {
	turn := k.take
	if pass.Len() > 0 && k.asking() {
		turn = k.interrupt // who types what opens the vault need not wait for a dialog
	}
	if err := turn(ctx); err != nil {
		return err
	}
	err := k.run(ctx, func(ctx context.Context) outcome {
		k.mu.RLock()
		v, state, problem := k.vault, k.state, k.problem
		k.mu.RUnlock()
		if state == ipc.StateReady && problem == nil && !v.Replaced() {
			return outcome{state: state}
		}
		if pass.Len() == 0 {
			return k.openAndUnlock(ctx)
		}
		return k.unlockWith(ctx, pass)
	})
	if err != nil {
		return err
	}
	return k.check(ctx)
}

// openAndUnlock opens the file and tries the slots that need no passphrase, or
// have one in the passphrase file.
func (k *keeper) openAndUnlock(ctx context.Context) outcome {
	k.shut()
	state, problem := k.openFile()
	if state != ipc.StateLocked {
		return outcome{state: state, problem: problem}
	}
	if err := k.tryAutomatic(ctx); err != nil {
		return outcome{state: ipc.StateLocked, problem: k.lockedBy(err)}
	}
	return k.unlocked()
}

// unlockWith opens the file and tries the passphrase slots. A wrong passphrase
// is told to the caller; it is no problem of the vault.
func (k *keeper) unlockWith(ctx context.Context, pass secret.Bytes) outcome {
	k.shut()
	state, problem := k.openFile()
	if state != ipc.StateLocked {
		return outcome{state: state, problem: problem}
	}
	var any bool
	isCode := keystore.IsRecoveryCode(pass)
	err := k.trySlots(ctx, pass, func(h keystore.Header) bool {
		fits := h.Type == keystore.TypePassphrase || isCode && h.Type == keystore.TypeRecovery
		any = any || fits
		return fits
	})
	if err == nil && !any {
		err = &ipc.Error{Code: ipc.CodeInvalid, Message: "this vault has no slot for that: it is no recovery code, or there is no passphrase", Hint: "o2fa key list"}
	}
	if err != nil {
		return outcome{state: ipc.StateLocked, err: k.lockedBy(err)}
	}
	return k.unlocked()
}

// unlocked is the outcome of an attempt after which the vault may be open.
func (k *keeper) unlocked() outcome {
	v := k.vaultNow()
	if !v.Unlocked() {
		return outcome{state: ipc.StateLocked}
	}
	if v.Torn() {
		return outcome{state: ipc.StateReady, problem: &ipc.Error{Code: ipc.CodeCorrupt,
			Message: "a first page of " + k.files.vault + " is damaged: its last change may be missing",
			Hint:    "o2fa list; the next change mends the page"}}
	}
	return outcome{state: ipc.StateReady}
}

// vaultNow returns the vault, for the one who has the turn and alone replaces it.
func (k *keeper) vaultNow() *vault.Vault {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.vault
}

// shut locks and closes the vault, after calls under way have finished.
func (k *keeper) shut() {
	k.mu.Lock()
	v := k.vault
	k.vault = nil
	if k.state == ipc.StateReady {
		k.state, k.problem = ipc.StateLocked, nil
	}
	k.mu.Unlock()
	if v == nil {
		return
	}
	v.Lock()
	if err := v.Close(); err != nil {
		k.log.Warn("closing vault", "error", err.Error())
	}
}

// dir is the profile's directory.
func (k *keeper) dir() string { return filepath.Dir(k.files.vault) }

// openFile opens vault.db, locked. Without the file it tells a fresh profile
// from one whose vault is gone.
func (k *keeper) openFile() (ipc.State, *ipc.Error) {
	v, err := vault.Open(k.files.vault, k.options())
	if errors.Is(err, fs.ErrNotExist) {
		if id, err := os.ReadFile(k.files.marker); err == nil {
			return ipc.StateFailed, k.orphan(strings.TrimSpace(string(id)))
		}
		return ipc.StateUninitialized, nil
	}
	if err != nil {
		k.log.Error("opening vault", "error", err.Error())
		return ipc.StateFailed, k.problemOf(err)
	}
	k.setVault(v)
	return ipc.StateLocked, nil
}

func (k *keeper) options() vault.Options {
	return vault.Options{Now: k.now, Waiting: k.rows, Changed: k.notice}
}

// setVault puts an open vault in place and marks the profile as one that has one.
func (k *keeper) setVault(v *vault.Vault) {
	k.mu.Lock()
	k.vault = v
	k.mu.Unlock()
	if !v.ReadOnly() {
		k.mark(v.ID())
	}
}

// mark writes the marker of a profile that has a vault.
func (k *keeper) mark(id [16]byte) {
	text := []byte(hex.EncodeToString(id[:]) + "\n")
	if old, err := os.ReadFile(k.files.marker); err == nil && string(old) == string(text) {
		return
	}
	if err := atomicfile.WriteFile(k.files.marker, text, 0o600); err != nil {
		k.log.Warn("writing vault marker", "error", err.Error())
	}
}

func (k *keeper) orphan(id string) *ipc.Error {
	return &ipc.Error{Code: ipc.CodeOrphan,
		Message: fmt.Sprintf("%s is gone, but this profile has had the vault %.40q", k.files.vault, id),
		Hint:    "o2fa backup list, then o2fa backup restore NAME; or put a copy of vault.db back and run o2fa unlock; to begin anew instead: o2fa reset"}
}

// tryAutomatic unlocks with the first slot that works without asking anybody
// for a passphrase. No such slot is no error.
func (k *keeper) tryAutomatic(ctx context.Context) error {
	p := k.policy()
	if p.onlyTyped && k.hasPassphrase() {
		return nil
	}
	pass, file := secret.Bytes{}, p.passphraseFile
	if file != "" {
		var err error
		k.held.Store(true)
		if pass, err = secret.ReadFile(file); err != nil {
			return err
		}
		defer pass.Wipe()
	}
	err := k.trySlots(ctx, pass, func(h keystore.Header) bool {
		return !isTyped(h.Type) || h.Type == keystore.TypePassphrase && pass.Len() > 0
	})
	if errors.Is(err, ipc.ErrPassphrase) {
		return &ipc.Error{Code: ipc.CodePassphrase, Message: "the passphrase in " + file + " is wrong",
			Hint: "put the right one there, then o2fa unlock"}
	}
	return err
}

// hasPassphrase says whether the open file has a slot that a person's passphrase
// opens. One that has none never waits for it.
func (k *keeper) hasPassphrase() bool {
	slots, err := k.vaultNow().Slots()
	return err == nil && slices.ContainsFunc(slots, func(slot vault.Slot) bool {
		h, err := keystore.ParseHeader(slot.Header)
		return err == nil && h.Type == keystore.TypePassphrase
	})
}

// trySlots tries the slots that want accepts, in order, and returns the last
// error if none opened the vault.
func (k *keeper) trySlots(ctx context.Context, pass secret.Bytes, want func(keystore.Header) bool) error {
	v := k.vaultNow()
	slots, err := v.Slots()
	if err != nil {
		return err
	}
	var last error
	for _, slot := range slots {
		h, err := keystore.ParseHeader(slot.Header)
		if err != nil {
			last = err
			continue
		}
		if !want(h) {
			continue
		}
		if last = k.trySlot(ctx, v, h, pass); last == nil {
			return nil
		}
	}
	return last
}

func (k *keeper) trySlot(ctx context.Context, v *vault.Vault, h keystore.Header, pass secret.Bytes) error {
	store, err := k.stores(h.Type, given{pass: pass}, k.waiting)
	if err != nil {
		return err
	}
	key, err := store.Open(ctx, h)
	k.found(h, err)
	if err != nil {
		return err
	}
	defer key.Wipe()
	if err := ctx.Err(); err != nil {
		return err // somebody wants it locked
	}
	err = v.Unlock(h.ID, key)
	if isTyped(h.Type) && errors.Is(err, vault.ErrWrongKey) {
		return &ipc.Error{Code: ipc.CodePassphrase, Message: "the passphrase is wrong", Hint: "o2fa unlock"}
	}
	return err
}

// isTyped says whether a person types what opens a slot of that type.
func isTyped(t keystore.Type) bool {
	return t == keystore.TypePassphrase || t == keystore.TypeRecovery
}

func newVaultID() (id [16]byte) {
	_, _ = rand.Read(id[:]) // never fails: crypto/rand ends the program instead
	return id
}
