package vault

import (
	"encoding/binary"
	"maps"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// finish writes the time, the journal and the counts, puts all in order and commits.
func (tx *Tx) finish() error {
	if _, err := tx.noteTime(); err != nil {
		return err
	}
	if tx.of.op != "" && len(tx.did) > 0 {
		if err := tx.record(); err != nil {
			return err
		}
	}
	if tx.live != 0 || tx.trashed != 0 {
		if err := tx.storeCount(); err != nil {
			return err
		}
	}
	if tx.renews() {
		tx.setMeta(metaState, newState())
	}
	return tx.v.write(func() error {
		for _, name := range slices.Sorted(maps.Keys(tx.puts)) {
			b, err := tx.bolt.CreateBucketIfNotExists([]byte(name)) // the log's may be missing
			if err != nil {
				return err
			}
			if err := flush(b, tx.puts[name]); err != nil {
				return err
			}
		}
		return tx.bolt.Commit()
	})
}

// storeCount brings the stored counts up to date. It reads them anew, since
// those in memory are gone if the vault was locked meanwhile.
func (tx *Tx) storeCount() error {
	sealed, err := tx.get(bucketMeta, []byte(metaCount))
	if err != nil {
		return err
	}
	value, err := openMeta(tx.k, metaCount, sealed)
	if err != nil {
		return err
	}
	live, trashed, err := parseCount(value)
	if err != nil {
		return err
	}
	tx.setMeta(metaCount, appendCount(live+tx.live, trashed+tx.trashed))
	return nil
}

// appendCount returns the value of metaCount.
func appendCount(live, trashed int) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(live))
	return binary.BigEndian.AppendUint64(b, uint64(trashed))
}

func parseCount(value []byte) (live, trashed int, err error) {
	if len(value) != 16 {
		return 0, 0, corrupt("it does not say how many entries it holds")
	}
	return int(binary.BigEndian.Uint64(value)), int(binary.BigEndian.Uint64(value[8:])), nil
}

// bulk is the number of puts from which pages are filled to the brim, if all
// come after what is there: half of the space of the first import of a large
// vault. Pages that keys may still come between keep room, as a full one would be
// split into a full and an almost empty one.
const bulk = 1000

func flush(b *bolt.Bucket, puts map[string][]byte) error {
	keys := slices.Sorted(maps.Keys(puts))
	if last, _ := b.Cursor().Last(); len(keys) >= bulk && keys[0] > string(last) {
		b.FillPercent = 0.95
	}
	for _, key := range keys {
		var err error
		if value := puts[key]; value == nil {
			err = b.Delete([]byte(key))
		} else {
			err = b.Put([]byte(key), value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// recall forgets what is known in memory of the entries, after a change that
// was not stored, or was, but for its last sync: only the file knows. It returns
// the number of the change that the file shows as its last one.
func (v *Vault) recall(k *keys) (number int) {
	var live, trashed int
	err := v.view(func(tx *bolt.Tx) error {
		number = tx.ID()
		count, err := readMeta(tx, k, metaCount)
		if err == nil {
			live, trashed, err = parseCount(count)
		}
		return err
	})
	v.mu.Lock()
	defer v.mu.Unlock()
	v.changes++
	if v.keys == k {
		v.list, v.since = nil, nil
		if err == nil {
			v.live, v.trashed = live, trashed
		}
	}
	return number
}
