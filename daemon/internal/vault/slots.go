package vault

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/o2fa/o2fa/daemon/internal/seal"
	"github.com/o2fa/o2fa/internal/secret"
)

// AddSlot adds a key slot to the unlocked vault, beside those that there are.
// ErrExists if there is one of that id. It cannot be undone, only removed by
// Rekey.
func (v *Vault) AddSlot(s NewSlot) error {
	err := v.Update("", func(tx *Tx) error {
		if header, err := tx.get(bucketSlot, s.ID[:]); header != nil || err != nil {
			return errors.Join(err, ErrExists)
		}
		puts, err := slotRecords(v.id, s, tx.k.raw, tx.k.seal)
		if err != nil {
			return err
		}
		for _, p := range puts {
			tx.set(p.bucket, s.ID[:], p.value)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("adding key slot: %w", err)
	}
	return nil
}

// SlotKey returns the key of a slot of the unlocked vault, for the caller to
// wipe: each is kept sealed under the vault key. ErrNotFound if there is no such
// slot.
func (v *Vault) SlotKey(id [16]byte) (secret.Bytes, error) {
	k, err := v.unlocked()
	if err != nil {
		return secret.Bytes{}, err
	}
	defer k.release()
	var sealed []byte
	err = v.view(func(tx *bolt.Tx) error {
		sealed, err = stored(tx, bucketSlotKey, id[:])
		sealed = bytes.Clone(sealed)
		return err
	})
	if err != nil {
		return secret.Bytes{}, err
	}
	if sealed == nil {
		return secret.Bytes{}, ErrNotFound
	}
	raw, err := k.seal.Open(seal.VaultMeta, seal.Context(bucketSlotKey, id[:]), sealed)
	if err != nil || len(raw) != seal.KeySize {
		return secret.Bytes{}, corrupt("a slot's key does not open")
	}
	return secret.New(raw), nil
}

// slotRecord is one value that a slot has, under its id.
type slotRecord struct{ bucket, value []byte }

// slotRecords returns what a slot is: header, wrapped vault key, and the slot's
// key under the vault key.
func slotRecords(vault [16]byte, s NewSlot, raw []byte, sealer *seal.Key) ([]slotRecord, error) {
	slotKey, err := seal.NewKey(s.Key.Reveal())
	if err != nil {
		return nil, fmt.Errorf("using slot key: %w", err)
	}
	defer slotKey.Wipe()
	return []slotRecord{
		{bucketSlot, s.Header},
		{bucketWrap, slotKey.Seal(seal.VaultSlot, slotContext(vault, s.ID, s.Header), raw)},
		{bucketSlotKey, sealer.Seal(seal.VaultMeta, seal.Context(bucketSlotKey, s.ID[:]), s.Key.Reveal())},
	}, nil
}

// remaining returns the slots that there are, with their keys, but for drop.
func (v *Vault) remaining(drop [][16]byte) (kept []NewSlot, err error) {
	slots, err := v.Slots()
	if err != nil {
		return nil, err
	}
	for _, id := range drop {
		if !slices.ContainsFunc(slots, func(s Slot) bool { return s.ID == id }) {
			return nil, ErrNotFound
		}
	}
	for _, s := range slots {
		if slices.Contains(drop, s.ID) {
			continue
		}
		key, err := v.SlotKey(s.ID)
		if err != nil {
			return nil, err
		}
		kept = append(kept, NewSlot{ID: s.ID, Header: s.Header, Key: key})
	}
	return kept, nil
}
