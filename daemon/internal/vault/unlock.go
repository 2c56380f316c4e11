package vault

import (
	"bytes"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/o2fa/o2fa/daemon/internal/seal"
	"github.com/o2fa/o2fa/internal/secret"
)

// Slot is one wrapping of the vault key.
type Slot struct {
	ID     [16]byte
	Header []byte // as it was given to Create
}

// Slots returns the key slots, also of a locked vault. Their headers are not
// authenticated before Unlock.
func (v *Vault) Slots() ([]Slot, error) {
	var slots []Slot
	err := v.view(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketSlot).ForEach(func(id, header []byte) error {
			if len(id) != len(Slot{}.ID) {
				return corrupt("a slot has no id")
			}
			if err := bounded(header, tx.Size()); err != nil {
				return err
			}
			slots = append(slots, Slot{ID: [16]byte(id), Header: bytes.Clone(header)})
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("reading key slots: %w", err)
	}
	return slots, nil
}

// Unlock opens the slot with its key, which stays the caller's, and the vault
// with what is in it. ErrWrongKey if key, slot or header is not the one that
// was sealed, ErrNotFound if there is no such slot.
func (v *Vault) Unlock(slot [16]byte, key secret.Bytes) error {
	if err := v.unlock(slot, key); err != nil {
		return fmt.Errorf("unlocking vault: %w", err)
	}
	return nil
}

func (v *Vault) unlock(slot [16]byte, key secret.Bytes) error {
	raw, err := v.openSlot(slot, key)
	if err != nil {
		return err
	}
	k, err := newKeys(raw, v.id)
	clear(raw)
	if err != nil {
		return corrupt("its key is not whole")
	}
	// A change that was begun before a Lock adds nothing to these counts.
	v.writing.Lock()
	defer v.writing.Unlock()
	live, trashed, err := v.readOwn(k)
	if err != nil {
		k.release()
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.setKeys(k)
	v.live, v.trashed = live, trashed
	return nil
}

// readOwn reads what the vault says of itself.
func (v *Vault) readOwn(k *keys) (live, trashed int, err error) {
	count, err := v.readMeta(k, metaCount)
	if err != nil {
		return 0, 0, err
	}
	if live, trashed, err = parseCount(count); err != nil {
		return 0, 0, err
	}
	device, err := v.readMeta(k, metaDevice)
	if err != nil {
		return 0, 0, err
	}
	if len(device) == 0 {
		return 0, 0, corrupt("it does not say whose it is")
	}
	k.device = string(device)
	fingerprint, err := v.readMeta(k, metaFingerprint)
	if err == nil && fingerprint != nil && copy(k.fingerprint.key, fingerprint) != len(fingerprint) {
		err = corrupt("a key of it is not whole")
	}
	clear(fingerprint)
	return live, trashed, err
}

// openSlot returns the raw vault key.
func (v *Vault) openSlot(slot [16]byte, key secret.Bytes) ([]byte, error) {
	slotKey, err := seal.NewKey(key.Reveal())
	if err != nil {
		return nil, ErrWrongKey
	}
	defer slotKey.Wipe()
	var header, wrapped []byte
	err = v.view(func(tx *bolt.Tx) error {
		header, err = stored(tx, bucketSlot, slot[:])
		if err == nil {
			wrapped, err = stored(tx, bucketWrap, slot[:])
		}
		header, wrapped = bytes.Clone(header), bytes.Clone(wrapped)
		return err
	})
	if err != nil {
		return nil, err
	}
	if header == nil {
		return nil, ErrNotFound
	}
	raw, err := slotKey.Open(seal.VaultSlot, slotContext(v.id, slot, header), wrapped)
	if err != nil {
		return nil, ErrWrongKey
	}
	return raw, nil
}

// Meta returns the value that Tx.PutMeta stored under name, nil without one.
func (v *Vault) Meta(name string) ([]byte, error) {
	k, err := v.unlocked()
	if err != nil {
		return nil, err
	}
	defer k.release()
	return v.readMeta(k, metaPrefix+name)
}

func (v *Vault) readMeta(k *keys, name string) (value []byte, err error) {
	err = v.view(func(tx *bolt.Tx) error {
		value, err = readMeta(tx, k, name)
		return err
	})
	return value, err
}

func readMeta(tx *bolt.Tx, k *keys, name string) ([]byte, error) {
	sealed, err := stored(tx, bucketMeta, []byte(name))
	if err != nil {
		return nil, err
	}
	return openMeta(k, name, sealed)
}

func openMeta(k *keys, name string, sealed []byte) ([]byte, error) {
	if sealed == nil {
		return nil, nil
	}
	value, err := k.seal.Open(seal.VaultMeta, seal.Context(bucketMeta, []byte(name)), sealed)
	if err != nil {
		return nil, corrupt("the record %s does not open", name)
	}
	return value, nil
}

// Fingerprint returns a keyed hash of data that says nothing of it without the
// vault key, for comparing what must not be stored. Equal kind and data give
// equal fingerprints in one vault. It is zero while locked.
func (v *Vault) Fingerprint(kind string, data []byte) [16]byte {
	k, err := v.unlocked()
	if err != nil {
		return [16]byte{}
	}
	defer k.release()
	return k.fingerprint.of(kind, data)
}
