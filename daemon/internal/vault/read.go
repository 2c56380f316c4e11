package vault

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"sync"

	bolt "go.etcd.io/bbolt"

	"github.com/o2fa/o2fa/daemon/internal/seal"
)

// scratch are the two buffers that opening one record takes. They are pooled,
// and wiped before they go back.
type scratch struct{ sealed, plain []byte }

var scratches = sync.Pool{New: func() any {
	return &scratch{sealed: make([]byte, 0, 1024), plain: make([]byte, 0, 1024)}
}}

func (s *scratch) free() {
	clear(s.plain[:cap(s.plain)])
	scratches.Put(s)
}

// fetch copies what stands under key, so that it is opened outside of the
// transaction. ErrNotFound if nothing does.
func (v *Vault) fetch(s *scratch, bucket, key []byte) error {
	return v.view(func(tx *bolt.Tx) error {
		sealed, err := stored(tx, bucket, key)
		if err != nil {
			return err
		}
		if sealed == nil {
			return ErrNotFound
		}
		s.sealed = append(s.sealed[:0], sealed...)
		return nil
	})
}

// maxSealed bounds an entry, or a summary, as it is stored.
const maxSealed = MaxRecord + seal.Block + seal.Overhead

// openEntry opens and reads a sealed entry. plain is a buffer to use; it comes
// back, perhaps larger, for the caller to wipe.
func (k *keys) openEntry(p seal.Purpose, id ID, sealed, plain []byte) (Entry, []byte, error) {
	if err := bounded(sealed, maxSealed); err != nil {
		return Entry{}, plain, err
	}
	out, err := k.seal.AppendOpen(plain[:0], p, id[:], sealed)
	if err != nil {
		return Entry{}, plain, corrupt("entry %s does not open", id)
	}
	e, err := ParseEntry(out)
	if err == nil && e.ID != id {
		err = errors.New("another id")
	}
	if err != nil {
		e.Wipe()
		return Entry{}, out, corrupt("entry %s does not read: %v", id, err)
	}
	return e, out, nil
}

// openSummary opens and reads a sealed summary of bucketSummary or bucketTrash.
func (k *keys) openSummary(bucket []byte, id ID, sealed, plain []byte) (Summary, []byte, error) {
	if err := bounded(sealed, maxSealed); err != nil {
		return Summary{}, plain, err
	}
	out, err := k.seal.AppendOpen(plain[:0], seal.VaultMeta, seal.Context(bucket, id[:]), sealed)
	if err != nil {
		return Summary{}, plain, corrupt("the summary of entry %s does not open", id)
	}
	s, err := parseSummary(out)
	if err != nil {
		return Summary{}, out, corrupt("the summary of entry %s does not read", id)
	}
	s.ID = id
	return s, out, nil
}

// OpenSecret opens one entry, live or in the trash, gives it to f and wipes its
// secrets when f returns; f keeps neither e nor its secrets. It is the way of a
// code: one record is opened, nothing else, and the file is read only if that
// record was not read lately.
func (v *Vault) OpenSecret(id ID, f func(e *Entry) error) error {
	k, err := v.unlocked()
	if err != nil {
		return err
	}
	defer k.release()
	s := scratches.Get().(*scratch)
	defer s.free()
	sealed, changes := k.recent.record(id)
	if sealed == nil {
		if err := v.fetchEntry(s, id); err != nil {
			return err
		}
		sealed = s.sealed
		k.recent.keepRecord(id, sealed, changes)
	}
	e, plain, err := k.openEntry(seal.VaultEntry, id, sealed, s.plain)
	s.plain = plain
	if err != nil {
		return err
	}
	defer e.Wipe()
	return f(&e)
}

// Get returns the entry, live or in the trash. The caller wipes its secrets.
func (v *Vault) Get(id ID) (Entry, error) {
	k, err := v.unlocked()
	if err != nil {
		return Entry{}, err
	}
	defer k.release()
	s := scratches.Get().(*scratch)
	defer s.free()
	if err := v.fetchEntry(s, id); err != nil {
		return Entry{}, err
	}
	e, plain, err := k.openEntry(seal.VaultEntry, id, s.sealed, s.plain)
	s.plain = plain
	return e, err
}

// fetchEntry is fetch for the record of an entry.
func (v *Vault) fetchEntry(s *scratch, id ID) error {
	err := v.fetch(s, bucketEntry, id[:])
	if errors.Is(err, ErrNotFound) {
		if _, listed := v.Summary(id); listed == nil {
			return corrupt("entry %s is listed and not there", id)
		}
	}
	return err
}

// Summary returns the summary of the entry, live or in the trash.
func (v *Vault) Summary(id ID) (Summary, error) {
	k, err := v.unlocked()
	if err != nil {
		return Summary{}, err
	}
	defer k.release()
	s, err := v.summary(k, bucketSummary, id)
	if errors.Is(err, ErrNotFound) {
		return v.summary(k, bucketTrash, id)
	}
	return s, err
}

func (v *Vault) summary(k *keys, bucket []byte, id ID) (Summary, error) {
	s := scratches.Get().(*scratch)
	defer s.free()
	if err := v.fetch(s, bucket, id[:]); err != nil {
		return Summary{}, err
	}
	found, plain, err := k.openSummary(bucket, id, s.sealed, s.plain)
	s.plain = plain
	return found, err
}

// Lookup returns the live entries whose name is name but for case, sorted by
// id. It reads the index and those entries' summaries, whatever else there is.
func (v *Vault) Lookup(name string) ([]Summary, error) {
	k, err := v.unlocked()
	if err != nil {
		return nil, err
	}
	defer k.release()
	folded := Fold(name)
	if folded == "" {
		return nil, nil // entries without a name are not indexed
	}
	rows, err := v.named(bucketName, k.nameMAC(folded), bucketSummary)
	if err != nil {
		return nil, err
	}
	buf := scratches.Get().(*scratch)
	defer buf.free()
	found := make([]Summary, 0, len(rows))
	for _, row := range rows {
		s, plain, err := k.openSummary(bucketSummary, row.id, row.sealed, buf.plain)
		buf.plain = plain
		if err != nil {
			return nil, err
		}
		// The index is not authenticated: a row that leads to another entry
		// would show the code of the wrong account.
		if Fold(s.Name) != folded {
			return nil, corrupt("the name index leads to another entry")
		}
		found = append(found, s)
	}
	return found, nil
}

// FindSecret returns the live entries with the secret raw, sorted by id, by
// the same way as Lookup.
func (v *Vault) FindSecret(raw []byte) ([]Summary, error) {
	k, err := v.unlocked()
	if err != nil {
		return nil, err
	}
	defer k.release()
	rows, err := v.named(bucketSecret, k.secretMAC(raw), bucketEntry)
	if err != nil {
		return nil, err
	}
	buf := scratches.Get().(*scratch)
	defer buf.free()
	found := make([]Summary, 0, len(rows))
	for _, row := range rows {
		e, plain, err := k.openEntry(seal.VaultEntry, row.id, row.sealed, buf.plain)
		buf.plain = plain
		if err != nil {
			return nil, err
		}
		s, same := e.Summary(), bytes.Equal(e.Secret.Reveal(), raw)
		e.Wipe()
		if !same || s.Trashed != 0 {
			return nil, corrupt("the secret index leads to another entry")
		}
		found = append(found, s)
	}
	return found, nil
}

// Marks returns, for each live entry, the mark of its secret, see Mark. It opens
// no record. As an index is not trusted, a mark that differs from what is expected
// is a reason to open the entry, and no more.
func (v *Vault) Marks() (map[ID][16]byte, error) {
	if !v.Unlocked() {
		return nil, ErrLocked
	}
	marks := make(map[ID][16]byte, v.expected(bucketSummary))
	err := v.view(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketSecret).ForEach(func(key, _ []byte) error {
			if len(key) != 32 {
				return corrupt("an index row has %d bytes", len(key))
			}
			marks[ID(key[16:])] = [16]byte(key[:16])
			return nil
		})
	})
	return marks, err
}

// Mark returns what stands for a secret in the vault's index: equal secrets have
// equal marks, which tell nothing without the vault key. All zero while locked.
func (v *Vault) Mark(raw []byte) [16]byte {
	k, err := v.unlocked()
	if err != nil {
		return [16]byte{}
	}
	defer k.release()
	return k.secretMAC(raw)
}

// indexed turns the absence of what an index names into what it is.
func indexed(err error) error {
	if errors.Is(err, ErrNotFound) {
		return corrupt("an index names an entry that is not there")
	}
	return err
}

// sealedRow is a record that an index names, as it is stored.
type sealedRow struct {
	id     ID
	sealed []byte
}

// named returns the records of bucket that an index holds for a MAC, sorted by
// id. All comes from one state of the file: a change between index and record
// would look like damage.
func (v *Vault) named(index []byte, m [16]byte, bucket []byte) (rows []sealedRow, err error) {
	err = v.view(func(tx *bolt.Tx) error {
		ids, err := findRows(tx, index, m)
		if err != nil {
			return err
		}
		rows = make([]sealedRow, 0, len(ids))
		for _, id := range ids {
			sealed, err := stored(tx, bucket, id[:])
			if err != nil {
				return err
			}
			if sealed == nil {
				return corrupt("an index names an entry that is not there")
			}
			rows = append(rows, sealedRow{id: id, sealed: bytes.Clone(sealed)})
		}
		return nil
	})
	return rows, err
}

// History returns the earlier versions of the entry, the newest first. The
// caller wipes their secrets.
func (v *Vault) History(id ID) (versions []Entry, err error) {
	k, err := v.unlocked()
	if err != nil {
		return nil, err
	}
	defer k.release()
	var plain []byte
	defer func() { clear(plain[:cap(plain)]) }()
	err = v.view(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketHistory).Cursor()
		for key, sealed := c.Seek(id[:]); bytes.HasPrefix(key, id[:]); key, sealed = c.Next() {
			var e Entry
			if e, plain, err = k.openEntry(seal.VaultHistory, id, sealed, plain); err != nil {
				return err
			}
			versions = append(versions, e)
		}
		return nil
	})
	if err != nil {
		for i := range versions {
			versions[i].Wipe()
		}
		return nil, err
	}
	slices.Reverse(versions)
	return versions, nil
}

// Versions returns how many earlier versions of the entry the vault keeps.
func (v *Vault) Versions(id ID) (n int, err error) {
	if !v.Unlocked() {
		return 0, ErrLocked
	}
	err = v.view(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketHistory).Cursor()
		for key, _ := c.Seek(id[:]); bytes.HasPrefix(key, id[:]); key, _ = c.Next() {
			n++
		}
		return nil
	})
	return n, err
}

// historyKey is where version n of an entry stands.
func historyKey(id ID, n uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, len(id)+8), id[:]...), n)
}
