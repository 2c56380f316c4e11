package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/ipc"
)

// waiting is the hook of a keystore that asks a person.
func (k *keeper) waiting(asked bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if asked && k.attempt != nil {
		k.state, k.problem, k.attempt.asking = ipc.StateWaiting, k.dialog(), true
		k.attempt.settle()
	}
}

// asked returns what is waited for; the caller holds mu.
func (k *keeper) asked() *ipc.Error {
	if k.state == ipc.StateWaiting && k.problem != nil {
		return k.problem
	}
	return &ipc.Error{Code: ipc.CodeWaiting, Message: "waiting for the OS keyring", Hint: "o2fa status"}
}

// dialog says where the keyring asks a person; the caller holds mu.
func (k *keeper) dialog() *ipc.Error {
	e := &ipc.Error{Code: ipc.CodeWaiting, Message: "waiting for an answer to the OS keyring's dialog", Hint: "answer the dialog, then try again"}
	if display := k.screen(); display != "" {
		e.Message = "waiting for the login keyring's password, in the dialog on display " + display
	}
	if k.vault != nil {
		e.Hint = "answer the dialog, and the vault opens by itself" + orTyped(typedSlots(k.vault))
	}
	return e
}

// late is told by the keyring that its dialog was answered after all.
func (k *keeper) late() {
	select {
	case k.answered <- struct{}{}:
	default:
	}
}

// reopen opens the vault when the keyring's dialog is answered after the attempt
// that showed it, and calls opened after each try. It does not when somebody has
// locked the vault meanwhile.
func (k *keeper) reopen(ctx context.Context, opened func()) {
	for {
		select {
		case <-k.answered:
			var tried bool
			_ = k.try(ctx, func(ctx context.Context) (now outcome) {
				now, tried = k.openIfGivenUp(ctx)
				return now
			})
			if tried {
				opened()
			}
		case <-ctx.Done():
			return
		}
	}
}

// openIfGivenUp opens a vault that is locked because the keyring did not answer,
// and no other. It is an attempt, so that no lock can come between look and act.
func (k *keeper) openIfGivenUp(ctx context.Context) (now outcome, tried bool) {
	k.mu.RLock()
	now = outcome{state: k.state, problem: k.problem}
	k.mu.RUnlock()
	if now.state == ipc.StateLocked && now.problem != nil && (now.problem.Code == ipc.CodeKeystore || now.problem.Code == ipc.CodeWaiting) {
		return k.openAndUnlock(ctx), true
	}
	return now, false
}

// found keeps whether the OS keyring has the key of a slot, as far as an attempt
// to read it tells.
func (k *keeper) found(h keystore.Header, err error) {
	missing := errors.Is(err, keystore.ErrMissing)
	if h.Type != keystore.TypeKeyring || err != nil && !missing {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lost = missing
}

// lockedBy is a problem of unlocking, in words for somebody whose vault exists:
// the way on is to mend the keystore or to open the vault by another slot, not to
// make another vault.
func (k *keeper) lockedBy(err error) *ipc.Error {
	wire := *k.problemOf(err)
	typed := typedSlots(k.vaultNow())
	switch {
	case wire.Code == ipc.CodeKeystore:
		wire.Hint = "start or unlock the OS keyring, then o2fa unlock" + orTyped(typed)
	case wire.Code == ipc.CodeOrphan && typed != "":
		wire.Message += "; still there: " + typed
		wire.Hint = "o2fa unlock, with " + typed
	case wire.Code == ipc.CodeOrphan:
		wire.Message += "; no other key slot opens the vault"
		wire.Hint += "; to begin anew instead: o2fa reset"
	case wire.Code == ipc.CodeInternal:
		k.log.Error("unlocking", "error", err.Error())
		wire.Message = fmt.Sprintf("unlocking: %v", err)
	}
	return &wire
}

// typedSlots names what a person can type to open v; empty if there is nothing.
func typedSlots(v *vault.Vault) string {
	var names []string
	slots, _ := v.Slots() // what cannot be read opens nothing
	for _, slot := range slots {
		h, err := keystore.ParseHeader(slot.Header)
		if err != nil {
			continue
		}
		switch h.Type {
		case keystore.TypePassphrase:
			names = append(names, "the passphrase")
		case keystore.TypeRecovery:
			names = append(names, "the recovery code")
		}
	}
	slices.Sort(names) // the passphrase is first
	return strings.Join(slices.Compact(names), " or ")
}

// orTyped adds to a hint what a person can type instead.
func orTyped(typed string) string {
	if typed == "" {
		return ""
	}
	return ", or o2fa unlock, with " + typed
}
