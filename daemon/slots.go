package daemon

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/ipc"
)

// slotChange is what becomes of the key slots.
type slotChange struct {
	add  keystore.Type // none adds none
	pass secret.Bytes  // for a passphrase slot; the code of a recovery slot
	name string        // for a credential slot: that of the credential
	drop [][16]byte

	spare bool // a new key file goes to the second place; set by fits
}

func (d *Daemon) postSlots(r *http.Request) (any, error) {
	req, err := decode[ipc.SlotsRequest](r)
	if err != nil {
		return nil, err
	}
	change := slotChange{add: keystore.Type(req.Add), pass: secret.New([]byte(req.Passphrase)), name: req.Credential}
	defer func() { change.pass.Wipe() }()
	ids, err := parseIDs(req.Remove)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		change.drop = append(change.drop, id)
	}
	if err := change.check(); err != nil {
		return nil, err
	}
	var reply ipc.SlotsReply
	if change.add == keystore.TypeRecovery {
		change.pass = keystore.NewRecoveryCode()
		reply.RecoveryCode = string(change.pass.Reveal())
	}
	if len(change.drop) > 0 {
		_ = d.backups.due(r.Context()) // what goes wrong is in status; the change itself is safe without it
	}
	if err := d.keeper.changeSlots(r.Context(), change, &reply); err != nil {
		return nil, err
	}
	if v := d.keeper.openVault(); v != nil && len(change.drop) > 0 {
		reply.OldBackups = d.oldBackups(v)
	}
	d.note(r.Context(), event{What: ipc.LogSlots, Detail: change.text()})
	_, problem, vs := d.keeper.status()
	if vs == nil {
		return nil, problem
	}
	reply.Vault = *vs
	return reply, nil
}

// check refuses what no vault could do.
func (c slotChange) check() error {
	invalid := func(text, hint string) error { return &ipc.Error{Code: ipc.CodeInvalid, Message: text, Hint: hint} }
	switch c.add {
	case "", keystore.TypeKeyring, keystore.TypeKeyfile, keystore.TypeCredential, keystore.TypeRecovery, keystore.TypePassphrase:
	default:
		return invalid("a key slot is a keyring, a passphrase, a keyfile, a credential or a recovery code", "o2fa key add --help")
	}
	switch isPass := c.add == keystore.TypePassphrase; {
	case isPass && c.pass.Len() == 0:
		return invalid("the passphrase is empty", "o2fa key add passphrase")
	case !isPass && c.pass.Len() > 0:
		return invalid("a passphrase goes with a slot of type passphrase", "o2fa key add passphrase")
	case (c.add == keystore.TypeCredential) != (c.name != ""):
		return invalid("a slot of type credential, and no other, has the name of a systemd credential", "o2fa key add credential NAME")
	case c.name != "" && !keystore.IsCredential(c.name):
		return invalid("that is no name of a systemd credential", "o2fa key add credential")
	case c.add == "" && len(c.drop) == 0:
		return invalid("nothing to add and nothing to remove", "o2fa key list")
	}
	return nil
}

// text is a change in words.
func (c slotChange) text() string {
	var parts []string
	if c.add != "" {
		parts = append(parts, "added "+string(c.add))
	}
	if len(c.drop) > 0 {
		parts = append(parts, fmt.Sprintf("removed %d", len(c.drop)))
	}
	return strings.Join(parts, ", ")
}

// fits refuses a second key in a place that holds one: the keyring's item is one for
// a vault, and what would be deleted with an old slot is what a new one had just
// stored. A key file that is to go leaves the second place for a new one.
func (c *slotChange) fits(slots []vault.Slot, path string) error {
	for _, slot := range slots {
		h, err := keystore.ParseHeader(slot.Header)
		switch {
		case err != nil || h.Type != c.add:
		case c.add == keystore.TypeKeyfile && slices.Contains(c.drop, slot.ID):
			c.spare = keystore.KeyfileAt(path, h) == path
		case c.add == keystore.TypeKeyring, c.add == keystore.TypeKeyfile, c.add == keystore.TypeCredential && h.Name == c.name:
			hint := "o2fa key remove " + string(c.add) + ", then add it"
			if c.add == keystore.TypeKeyfile { // which may be the only slot
				hint = "o2fa key change keyfile"
			}
			return &ipc.Error{Code: ipc.CodeInvalid, Message: "the vault has a slot of that kind already", Hint: hint}
		}
	}
	return nil
}

// changeSlots adds and removes key slots in one step. The key of a new slot is
// made first and that of a removed one deleted last, so that whatever ends the
// daemon in between leaves a key that opens nothing, and never a slot without
// its key.
func (k *keeper) changeSlots(ctx context.Context, c slotChange, reply *ipc.SlotsReply) error {
	return k.try(ctx, func(ctx context.Context) outcome {
		k.mu.RLock()
		now, v, refusal := outcome{state: k.state, problem: k.problem}, k.vault, k.refusal()
		k.mu.RUnlock()
		if refusal != nil {
			now.err = refusal
			return now
		}
		before, err := v.Slots()
		if err == nil {
			err = c.fits(before, k.files.keyfile)
		}
		if err == nil {
			err = k.applySlots(ctx, v, c, reply)
		}
		switch {
		case errors.Is(err, vault.ErrCreated):
			// The new file is in its place, and could not be opened.
			k.log.Warn("changing key slots", "error", err.Error())
			return k.openAndUnlock(ctx)
		case errors.Is(err, vault.ErrClosed):
			k.log.Warn("changing key slots", "error", err.Error())
			again := k.openAndUnlock(ctx)
			again.err = &ipc.Error{Code: ipc.CodeStorage, Message: "the vault could not be replaced: its key slots are as they were", Hint: "o2fa key list"}
			return again
		}
		if err != nil {
			now.err = k.problemOf(err)
			return now
		}
		reply.Left = k.forget(context.WithoutCancel(ctx), before, c.drop)
		return now
	})
}

func (k *keeper) applySlots(ctx context.Context, v *vault.Vault, c slotChange, reply *ipc.SlotsReply) error {
	var add []vault.NewSlot
	var made slotKey
	if c.add != "" {
		err := k.makeRoom(c)
		if err != nil {
			return err
		}
		if made, err = k.createIn(ctx, c.add, given{pass: c.pass, credential: c.name, spare: c.spare}, v.ID()); err != nil {
			return k.noSlotFor(err)
		}
		defer made.key.Wipe()
		add = []vault.NewSlot{{ID: made.header.ID, Header: made.header.Encode(), Key: made.key}}
		added := wireSlot(made.header)
		reply.Added = &added
	}
	err := k.replaceSlots(v, add, c.drop)
	if errors.Is(err, vault.ErrNotFound) {
		err = &ipc.Error{Code: ipc.CodeNotFound, Message: "there is no such key slot", Hint: "o2fa key list"}
	}
	if err != nil && !errors.Is(err, vault.ErrCreated) && made.store != nil {
		if removeErr := made.store.Remove(context.WithoutCancel(ctx), made.header); removeErr != nil {
			k.log.Warn("removing the key of a slot that was not added", "error", removeErr.Error())
		}
	}
	return err
}

// noSlotFor gives the failure of a keyring the hints that are for a vault that
// there is: "o2fa init" makes no second one.
func (k *keeper) noSlotFor(err error) error {
	switch {
	case errors.Is(err, keystore.ErrUnavailable):
		return &ipc.Error{Code: ipc.CodeKeystore, Message: noKeyring(err), Hint: noKeyringSlotHint}
	case errors.Is(err, keystore.ErrKeyringLocked):
		return &ipc.Error{Code: ipc.CodeKeystore, Message: k.problemOf(err).Message, Hint: "unlock the keyring, then o2fa key add keyring; without one: " + noKeyringSlotHint}
	}
	return err
}

// makeRoom sets aside a key file that no slot has and that lies where a new one
// goes: what a change left that was interrupted.
func (k *keeper) makeRoom(c slotChange) error {
	if c.add != keystore.TypeKeyfile {
		return nil
	}
	if c.spare {
		return k.setAside(keystore.SpareKeyfile(k.files.keyfile))
	}
	return k.setAside(k.files.keyfile)
}

// replaceSlots makes the change in the vault. Without a slot to remove the file
// stays.
func (k *keeper) replaceSlots(v *vault.Vault, add []vault.NewSlot, drop [][16]byte) error {
	if len(drop) == 0 {
		return v.AddSlot(add[0])
	}
	next, err := v.Rekey(drop, add)
	if err != nil {
		return err
	}
	k.mu.Lock()
	k.vault = next
	k.mu.Unlock()
	v.Lock()
	if err := v.Close(); err != nil {
		k.log.Warn("closing the vault of before", "error", err.Error())
	}
	return nil
}

// forget deletes the keys of removed slots from their keystores, and returns
// those that could not be.
func (k *keeper) forget(ctx context.Context, slots []vault.Slot, drop [][16]byte) (left []ipc.Left) {
	for _, slot := range slots {
		if !slices.Contains(drop, slot.ID) {
			continue
		}
		h, err := keystore.ParseHeader(slot.Header)
		if err == nil {
			var store keystore.Store
			if store, err = k.stores(h.Type, given{}, k.waiting); err == nil {
				err = store.Remove(ctx, h)
			}
		}
		if err != nil && !errors.Is(err, keystore.ErrMissing) {
			k.log.Warn("deleting the key of a removed slot", "error", err.Error())
			left = append(left, ipc.Left{What: "the key of the slot " + hex.EncodeToString(slot.ID[:]), Why: k.problemOf(err).Message})
		}
	}
	return left
}

// NewCredential returns a new key as a systemd credential holds it, in one line.
func NewCredential() secret.Bytes { return keystore.NewValue() }

// wireSlot is a slot as the API shows it.
func wireSlot(h keystore.Header) ipc.Slot {
	return ipc.Slot{ID: hex.EncodeToString(h.ID[:]), Type: string(h.Type), Path: h.Path, Credential: h.Name, Protected: h.Type != keystore.TypeKeyfile}
}
