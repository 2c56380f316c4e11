package vault

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/o2fa/o2fa/daemon/internal/seal"
	"github.com/o2fa/o2fa/internal/secret"
)

// journalMost is how many changes can be undone, one after the other.
const journalMost = 100

// What was done to an entry. The values are part of the format.
const (
	didAdd     = "add"
	didEdit    = "edit"
	didTrash   = "trash"
	didRestore = "restore"
)

// deed is one thing that a change did. It holds nothing of the entry: the
// version before an edit is in the history.
type deed struct {
	ID      ID      `json:"id"`
	Did     string  `json:"did"`
	Version uint64  `json:"version,omitempty"` // of the history, for an edit
	Fields  []Field `json:"fields,omitempty"`  // that an edit changed
}

// journalRow is one change, sealed in the journal.
type journalRow struct {
	Op    string `json:"op"`
	At    int64  `json:"at"` // Unix milliseconds
	Deeds []deed `json:"deeds"`
}

// MarshalText returns the hex digits of id.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the hex digits of an id.
func (id *ID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseID(string(text))
	return err
}

// Undone tells what Undo undid.
type Undone struct {
	Op    string   // as it was given to Update
	At    int64    // when the change was made, Unix milliseconds
	IDs   []ID     // the entries that it touched, each once
	Names []string // their names, in the same order
}

// do notes what was done, for the journal.
func (tx *Tx) do(d deed) { tx.did = append(tx.did, d) }

// record writes the journal row of this change and drops rows beyond the bound.
func (tx *Tx) record(op string) error {
	data, err := json.Marshal(journalRow{op, tx.now, tx.did})
	if err != nil {
		return err
	}
	return tx.v.write(func() error {
		c := tx.bolt.Bucket(bucketJournal).Cursor()
		var next uint64
		if last, _ := c.Last(); len(last) == 8 {
			next = binary.BigEndian.Uint64(last) + 1
		}
		key := binary.BigEndian.AppendUint64(nil, next)
		tx.set(bucketJournal, key, tx.k.seal.Seal(seal.VaultLog, seal.Context(bucketJournal, key), data))
		if next < journalMost {
			return nil
		}
		oldest := binary.BigEndian.AppendUint64(nil, next-journalMost+1)
		for key, _ := c.First(); key != nil && bytes.Compare(key, oldest) < 0; key, _ = c.Next() {
			tx.set(bucketJournal, key, nil)
		}
		return nil
	})
}

// Undo undoes the last change that has not been undone yet, also one of before
// a restart. It loses nothing: an entry whose adding is undone is in the trash,
// and an edit that is undone in the history. Of an edit only the fields that it
// changed go back, so a counter that was stepped since stays where it is. What
// was purged meanwhile is passed over; if that is all of the change, Undo
// undoes nothing, as nobody means a change before it: ErrNothing, once, and the
// next call goes on. ErrNothing also if there is no change left.
func (v *Vault) Undo() (Undone, error) {
	var u Undone
	beyond := false
	err := v.Update("", func(tx *Tx) error {
		key, row, err := tx.lastRow()
		if err != nil {
			return err
		}
		if key == nil {
			return ErrNothing
		}
		tx.set(bucketJournal, key, nil)
		u, err = tx.undo(row)
		beyond = len(u.IDs) == 0
		return err
	})
	if err == nil && beyond {
		err = fmt.Errorf("%w: the last change is beyond undo", ErrNothing)
	}
	if err != nil {
		return Undone{}, fmt.Errorf("undoing: %w", err)
	}
	return u, nil
}

// lastRow returns the last journal row; its key is nil if there is none.
func (tx *Tx) lastRow() (key []byte, row journalRow, err error) {
	var sealed []byte
	err = tx.v.write(func() error {
		key, sealed = tx.bolt.Bucket(bucketJournal).Cursor().Last()
		if err := bounded(sealed, tx.bolt.Size()); err != nil {
			return err
		}
		key, sealed = bytes.Clone(key), bytes.Clone(sealed)
		return nil
	})
	if key == nil || err != nil {
		return nil, row, err
	}
	data, err := tx.k.seal.Open(seal.VaultLog, seal.Context(bucketJournal, key), sealed)
	if err != nil || json.Unmarshal(data, &row) != nil {
		return nil, row, corrupt("the journal does not read")
	}
	return key, row, nil
}

// undo does the opposite of a row, the last deed first.
func (tx *Tx) undo(row journalRow) (Undone, error) {
	u := Undone{Op: row.Op, At: row.At}
	seen := map[ID]bool{}
	for _, d := range slices.Backward(row.Deeds) {
		err := tx.undoDeed(d)
		if errors.Is(err, ErrNotFound) {
			continue // purged, or not where the deed had left it
		}
		if err != nil {
			return u, err
		}
		if seen[d.ID] {
			continue
		}
		seen[d.ID] = true
		u.IDs = append(u.IDs, d.ID)
	}
	slices.Reverse(u.IDs)
	for _, id := range u.IDs {
		e, err := tx.Get(id)
		if err != nil {
			return u, err
		}
		u.Names = append(u.Names, e.Name)
		e.Wipe()
	}
	return u, nil
}

func (tx *Tx) undoDeed(d deed) error {
	switch d.Did {
	case didAdd, didRestore:
		return tx.Trash(d.ID)
	case didTrash:
		return tx.Restore(d.ID)
	case didEdit:
		return tx.undoEdit(d)
	default:
		return corrupt("the journal does not read")
	}
}

// undoEdit gives the fields that an edit changed their values of before.
func (tx *Tx) undoEdit(d deed) error {
	sealed, err := tx.get(bucketHistory, historyKey(d.ID, d.Version))
	if err != nil {
		return err
	}
	if sealed == nil {
		return ErrNotFound
	}
	before, err := tx.open(seal.VaultHistory, d.ID, sealed)
	if err != nil {
		return err
	}
	defer before.Wipe()
	return tx.Edit(d.ID, func(e *Entry) error {
		for _, f := range d.Fields {
			restoreField(e, &before, f)
		}
		return nil
	})
}

// restoreField copies one field from an earlier version.
func restoreField(e, before *Entry, f Field) {
	switch f {
	case FieldName:
		e.Name = before.Name
	case FieldIssuer:
		e.Issuer = before.Issuer
	case FieldAccount:
		e.Account = before.Account
	case FieldSecret:
		e.Secret.Wipe()
		e.Secret = secret.Copy(before.Secret.Reveal())
		e.Type, e.Algorithm, e.Digits, e.Period = before.Type, before.Algorithm, before.Digits, before.Period
	case FieldCounter:
		e.Counter = before.Counter
	case FieldPIN:
		e.PIN.Wipe()
		e.PIN = secret.Copy(before.PIN.Reveal())
	case FieldTags:
		e.Tags = before.Tags
	case FieldNote:
		e.Note = before.Note
	case FieldPinned:
		e.Pinned = before.Pinned
	}
}
