package vault

import (
	bolt "go.etcd.io/bbolt"

	"github.com/o2fa/o2fa/daemon/internal/seal"
)

// Check reads the whole file: its pages and, of an unlocked vault, every entry.
// ErrCorrupt says what is damaged. Changes wait meanwhile, reads do not. It costs
// some ten microseconds for each entry.
func (v *Vault) Check() error {
	v.writing.Lock()
	defer v.writing.Unlock()
	if v.unreadable.Load() {
		return corrupt("its first pages do not hold")
	}
	if err := v.checkTree(); err != nil {
		return err
	}
	if err := v.view(checkPages); err != nil {
		return err
	}
	k, err := v.unlocked()
	if err != nil {
		return nil // locked: entries cannot be looked at
	}
	defer k.release()
	return v.view(func(tx *bolt.Tx) error { return checkEntries(tx, k) })
}

// checkEntries opens every entry, and counts those that do not open.
func checkEntries(tx *bolt.Tx, k *keys) error {
	var plain []byte
	defer func() { clear(plain[:cap(plain)]) }()
	damaged, all := 0, 0
	err := tx.Bucket(bucketEntry).ForEach(func(key, sealed []byte) error {
		all++
		if err := bounded(sealed, tx.Size()); err != nil {
			return err
		}
		opened, err := k.seal.AppendOpen(plain[:0], seal.VaultEntry, key, sealed)
		if err != nil {
			damaged++
			return nil
		}
		plain = opened
		return nil
	})
	if err == nil && damaged > 0 {
		err = corrupt("%d of %d entries do not open", damaged, all)
	}
	return err
}

// LastUse returns when the vault was last changed or used, in Unix milliseconds,
// as far as its entries and its log tell; 0 where they tell nothing.
func (v *Vault) LastUse() (ms int64, err error) {
	list, err := v.List()
	if err != nil {
		return 0, err
	}
	for _, s := range list {
		ms = max(ms, s.Updated)
	}
	err = v.eachLogPiece(func(_ uint64, rows []LogRow, _ int64) bool {
		for _, r := range rows {
			ms = max(ms, r.At)
		}
		return true
	})
	return ms, err
}
