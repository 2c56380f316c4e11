package vault

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/o2fa/o2fa/daemon/internal/seal"
	"github.com/o2fa/o2fa/internal/atomicfile"
)

// Rekey gives the unlocked vault a new key: every record is sealed anew, into a
// new file that takes the place of the old one in one rename. The slots in drop
// do not open it, those in add do, and all others as before. Whoever has the key
// of a dropped slot, and the vault key too, can read nothing that is written
// from then on; copies of the old file still open with the old slots.
//
// It returns the new vault, unlocked. The old one then only reads the replaced
// file: the caller closes it. Readers go on meanwhile, changes wait. The errors
// are ErrLastSlot, ErrNotFound for a slot in drop that there is not, and those of
// Create: after any but ErrCreated the old vault is as it was. On Windows, where
// an open file is not replaced, the old vault is closed before, and ErrClosed
// says that it is and that its file is as it was.
func (v *Vault) Rekey(drop [][16]byte, add []NewSlot) (*Vault, error) {
	next, err := v.rekey(drop, add)
	if err != nil {
		return nil, fmt.Errorf("rekeying vault: %w", classify(err))
	}
	return next, nil
}

func (v *Vault) rekey(drop [][16]byte, add []NewSlot) (*Vault, error) {
	switch {
	case v.readOnly:
		return nil, ErrReadOnly
	case v.unwritable.Load():
		return nil, corrupt("an earlier change met damage")
	case v.Replaced():
		return nil, ErrReplaced
	}
	v.writing.Lock() // until the new file is there: a change of now would be lost
	defer v.writing.Unlock()
	slots, err := v.remaining(drop)
	kept := len(slots)
	defer func() {
		for _, s := range slots[:kept] { // those of add are the caller's
			s.Key.Wipe()
		}
	}()
	if err != nil {
		return nil, err
	}
	if slots = append(slots, add...); len(slots) == 0 {
		return nil, ErrLastSlot
	}
	tmp, err := v.resealed(slots)
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp) // nothing once the file is in its place
	opt := v.opt
	live, trashed := v.Count()
	for _, s := range slots {
		if err := readBack(tmp, s, opt, live, trashed); err != nil {
			return nil, fmt.Errorf("reading it back: %w", err)
		}
	}
	return v.replaceBy(tmp, slots[0], opt)
}

// readBack opens a new file by one slot and compares what it says of itself.
func readBack(path string, s NewSlot, opt Options, live, trashed int) error {
	next, err := openUnlocked(path, s, opt)
	if err != nil {
		return err
	}
	l, t := next.Count()
	list, err := next.List()
	if err == nil && (l != live || t != trashed || len(list) != live) {
		err = corrupt("it holds %d and %d entries, not %d and %d", len(list), t, live, trashed)
	}
	return errors.Join(err, next.Close())
}

// replaceBy puts the new file in the place of the vault, and opens it.
func (v *Vault) replaceBy(tmp string, s NewSlot, opt Options) (*Vault, error) {
	if runtime.GOOS == "windows" { // where no open file can be replaced
		if err := guard(v.db.Close); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrClosed, err)
		}
	}
	err := atomicfile.Replace(tmp, v.path)
	if err != nil && runtime.GOOS == "windows" {
		return nil, fmt.Errorf("%w: %w", ErrClosed, classify(err))
	}
	if err != nil && !v.Replaced() {
		return nil, err // before the rename, or in it
	}
	var next *Vault
	if err == nil {
		next, err = openUnlocked(v.path, s, opt)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCreated, classify(err))
	}
	return next, nil
}

// resealed writes everything that the vault holds to a new file beside it, under
// a new key and with these slots, and syncs it.
func (v *Vault) resealed(slots []NewSlot) (tmp string, err error) {
	raw := make([]byte, seal.KeySize)
	defer clear(raw)
	rand.Read(raw) // does not fail: it ends the process instead
	next, err := newKeys(raw, v.id)
	if err != nil {
		return "", err
	}
	defer next.release()
	k, err := v.unlocked()
	if err != nil {
		return "", err
	}
	defer k.release()
	if tmp, err = tempFile(v.path); err != nil {
		return "", err
	}
	c := &copier{v: v, from: k, to: next}
	err = withNew(tmp, func(db *bolt.DB) error {
		c.db = db
		return c.all(slots, raw, k.fingerprint.key)
	})
	if err != nil {
		return "", errors.Join(err, os.Remove(tmp))
	}
	return tmp, nil
}

// withNew opens a new database for f, without a sync for each transaction, and
// syncs it at the end.
func withNew(path string, f func(db *bolt.DB) error) error {
	return guard(func() error {
		db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: busyWait, FreelistType: bolt.FreelistMapType,
			InitialMmapSize: mapSize(), NoSync: true, NoGrowSync: true})
		if err != nil {
			return err
		}
		err = f(db)
		if err == nil {
			err = db.Sync()
		}
		return errors.Join(err, db.Close())
	})
}

// copier seals the records of a vault anew into another file.
type copier struct {
	v        *Vault
	from, to *keys
	db       *bolt.DB
	plain    []byte
	index    map[string][][]byte // bucket → rows of the live entries
}

// batch is how many records one transaction of the copy holds.
const batch = 4096

func (c *copier) all(slots []NewSlot, raw, fingerprint []byte) error {
	defer func() { clear(c.plain[:cap(c.plain)]) }()
	if err := c.db.Update(func(tx *bolt.Tx) error { return c.begin(tx, slots, raw, fingerprint) }); err != nil {
		return err
	}
	c.index = map[string][][]byte{}
	for _, b := range []struct {
		bucket []byte
		reseal func(key, sealed []byte) ([]byte, error)
	}{
		{bucketMeta, c.meta(bucketMeta)}, {bucketSummary, c.meta(bucketSummary)}, {bucketTrash, c.meta(bucketTrash)},
		{bucketEntry, c.entry}, {bucketHistory, c.history}, {bucketJournal, c.journal}, {bucketLog, c.log},
	} {
		if err := c.bucket(b.bucket, b.reseal); err != nil {
			return err
		}
	}
	for _, bucket := range [][]byte{bucketName, bucketSecret, bucketSame} {
		rows := c.index[string(bucket)]
		slices.SortFunc(rows, bytes.Compare)
		for part := range slices.Chunk(rows, batch) {
			if err := c.put(bucket, part, make([][]byte, len(part))); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin writes what is in clear, the slots, and the key of Fingerprint. That one
// stays the same when the vault key changes: what the daemon compares, such as the
// rows of secrets.json taken last, would all look new.
func (c *copier) begin(tx *bolt.Tx, slots []NewSlot, raw, fingerprint []byte) error {
	if err := populateHeader(tx, c.v.id); err != nil {
		return err
	}
	if err := putSlots(tx, c.v.id, slots, raw, c.to.seal); err != nil {
		return err
	}
	for name, value := range map[string][]byte{metaFingerprint: fingerprint, metaState: newState()} {
		sealed := c.to.seal.Seal(seal.VaultMeta, seal.Context(bucketMeta, []byte(name)), value)
		if err := tx.Bucket(bucketMeta).Put([]byte(name), sealed); err != nil {
			return err
		}
	}
	return nil
}

// bucket copies one bucket in parts, in the order of its keys.
func (c *copier) bucket(name []byte, reseal func(key, sealed []byte) ([]byte, error)) error {
	var after []byte // the last key that was read
	for more := true; more; {
		var keys, values [][]byte
		err := c.v.view(func(tx *bolt.Tx) error {
			b := tx.Bucket(name)
			if b == nil {
				more = false // a log without rows
				return nil
			}
			cursor := b.Cursor()
			key, sealed := cursor.First()
			if after != nil {
				if key, sealed = cursor.Seek(after); bytes.Equal(key, after) {
					key, sealed = cursor.Next()
				}
			}
			for ; key != nil && len(keys) < batch; key, sealed = cursor.Next() {
				if err := bounded(sealed, tx.Size()); err != nil {
					return err
				}
				value, err := reseal(key, sealed)
				if err != nil {
					return err
				}
				after = bytes.Clone(key)
				if value != nil {
					keys, values = append(keys, after), append(values, value)
				}
			}
			more = key != nil
			return nil
		})
		if err != nil {
			return err
		}
		if err := c.put(name, keys, values); err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) put(bucket []byte, keys, values [][]byte) error {
	return c.db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucket)
		if err != nil {
			return err
		}
		b.FillPercent = 0.95
		for i, key := range keys {
			if err := b.Put(key, values[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// reseal opens a record and seals it for the new file; look sees it in between.
func (c *copier) reseal(p seal.Purpose, context, sealed []byte, look func(plain []byte) error) ([]byte, error) {
	plain, err := c.from.seal.AppendOpen(c.plain[:0], p, context, sealed)
	if err != nil {
		return nil, corrupt("a record does not open")
	}
	c.plain = plain
	defer clear(plain)
	if look != nil {
		if err := look(plain); err != nil {
			return nil, err
		}
	}
	return c.to.seal.Seal(p, context, plain), nil
}

func (c *copier) meta(bucket []byte) func(key, sealed []byte) ([]byte, error) {
	return func(key, sealed []byte) ([]byte, error) {
		if name := string(key); bytes.Equal(bucket, bucketMeta) && (name == metaFingerprint || name == metaState) {
			return nil, nil // written by begin
		}
		return c.reseal(seal.VaultMeta, seal.Context(bucket, key), sealed, nil)
	}
}

// entry also notes the rows that the indexes of the new file need.
func (c *copier) entry(key, sealed []byte) ([]byte, error) {
	if len(key) != len(ID{}) {
		return nil, corrupt("an entry has no id")
	}
	return c.reseal(seal.VaultEntry, key, sealed, func(plain []byte) error {
		e, err := ParseEntry(plain)
		if err != nil || e.ID != ID(key) {
			return corrupt("entry %x does not read", key)
		}
		defer e.Wipe()
		r := c.to.rowsOf(&e)
		add := func(bucket []byte, m [16]byte, has bool) {
			if has {
				c.index[string(bucket)] = append(c.index[string(bucket)], row(m, e.ID))
			}
		}
		add(bucketName, r.name, r.named)
		add(bucketSecret, r.secret, r.live)
		add(bucketSame, r.same, r.live)
		return nil
	})
}

func (c *copier) history(key, sealed []byte) ([]byte, error) {
	if len(key) < len(ID{}) {
		return nil, corrupt("an earlier version has no id")
	}
	return c.reseal(seal.VaultHistory, key[:len(ID{})], sealed, nil)
}

func (c *copier) journal(key, sealed []byte) ([]byte, error) {
	return c.reseal(seal.VaultLog, seal.Context(bucketJournal, key), sealed, nil)
}

// log leaves out what does not open: the new key is worth more than a few rows.
func (c *copier) log(key, sealed []byte) ([]byte, error) {
	value, err := c.reseal(seal.VaultLog, seal.Context(bucketLog, key), sealed, nil)
	if err != nil {
		return nil, nil
	}
	return value, nil
}
