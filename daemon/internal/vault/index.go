package vault

import (
	"bytes"
	"encoding/binary"

	bolt "go.etcd.io/bbolt"
)

// An index is a bucket of keys MAC (16) ‖ id (16) without values. It is not
// sealed, as a MAC tells nothing without its key; for the same reason it is not
// trusted: what it leads to is compared with what was asked.

// row is the key of an index.
func row(m [16]byte, id ID) []byte {
	return append(append(make([]byte, 0, len(m)+len(id)), m[:]...), id[:]...)
}

// findRows returns the ids under a MAC, sorted.
func findRows(tx *bolt.Tx, bucket []byte, m [16]byte) (ids []ID, err error) {
	c := tx.Bucket(bucket).Cursor()
	for key, _ := c.Seek(m[:]); bytes.HasPrefix(key, m[:]); key, _ = c.Next() {
		if len(key) != 32 {
			return nil, corrupt("an index row has %d bytes", len(key))
		}
		ids = append(ids, ID(key[16:]))
	}
	return ids, nil
}

func (k *keys) nameMAC(folded string) [16]byte { return k.index.of("name", []byte(folded)) }

func (k *keys) secretMAC(raw []byte) [16]byte { return k.index.of("secret", raw) }

// sameMAC covers all that two entries agree in if one is a duplicate of the
// other.
func (k *keys) sameMAC(e *Entry) [16]byte {
	var numbers [8]byte
	binary.BigEndian.PutUint32(numbers[:], uint32(e.Digits))
	binary.BigEndian.PutUint32(numbers[4:], uint32(e.Period))
	return k.index.of("same", e.Secret.Reveal(), []byte(e.Type), []byte(e.Algorithm), numbers[:],
		[]byte(e.Issuer), []byte(e.Name))
}

// same is what sameMAC covers, compared.
func same(a, b *Entry) bool {
	return sameSecret(a, b) && a.Issuer == b.Issuer && a.Name == b.Name
}

// sameSecret compares what is one field: FieldSecret.
func sameSecret(a, b *Entry) bool {
	return a.Secret.Equal(b.Secret) && a.Type == b.Type && a.Algorithm == b.Algorithm &&
		a.Digits == b.Digits && a.Period == b.Period
}

// rows are the index rows of one entry.
type rows struct {
	name, secret, same [16]byte
	named, live        bool
}

// rowsOf returns the rows that e has: none in the trash, none for a name that
// is empty. A nil e has none either.
func (k *keys) rowsOf(e *Entry) rows {
	if e == nil || e.Trashed != 0 {
		return rows{}
	}
	r := rows{secret: k.secretMAC(e.Secret.Reveal()), same: k.sameMAC(e), live: true}
	if folded := Fold(e.Name); folded != "" {
		r.name, r.named = k.nameMAC(folded), true
	}
	return r
}
