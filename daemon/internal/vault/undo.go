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

// journalRow is one change, or one piece of it, sealed in the journal. The key
// is the number of the change; of its further pieces the number, then that of
// the piece, from 1. Both are u64.
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
func (tx *Tx) record() error {
	data, err := json.Marshal(journalRow{tx.of.op, tx.now, tx.did})
	if err != nil {
		return err
	}
	return tx.v.write(func() error {
		c := tx.bolt.Bucket(bucketJournal).Cursor()
		last, sealed := c.Last()
		// Sealing draws a nonce, so no other row can be the one of the piece before.
		number, piece := follow(last, tx.of.tail != nil && bytes.Equal(sealed, tx.of.tail))
		key := rowKey(number, piece)
		tx.of.tail = tx.k.seal.Seal(seal.VaultLog, seal.Context(bucketJournal, key), data)
		tx.set(bucketJournal, key, tx.of.tail)
		if number < journalMost {
			return nil
		}
		oldest := rowKey(number-journalMost+1, 0)
		for key, _ := c.First(); key != nil && bytes.Compare(key, oldest) < 0; key, _ = c.Next() {
			tx.set(bucketJournal, key, nil)
		}
		return nil
	})
}

// rowKey returns the journal's key of a piece; piece 0 is the change itself.
func rowKey(number, piece uint64) []byte {
	key := binary.BigEndian.AppendUint64(nil, number)
	if piece == 0 {
		return key
	}
	return binary.BigEndian.AppendUint64(key, piece)
}

// follow returns the numbers of the row after the last one: of the next piece if
// the change goes on, else of the next change.
func follow(last []byte, goesOn bool) (number, piece uint64) {
	if len(last) < 8 {
		return 0, 0
	}
	number = binary.BigEndian.Uint64(last)
	if !goesOn {
		return number + 1, 0
	}
	if len(last) == 16 {
		piece = binary.BigEndian.Uint64(last[8:])
	}
	return number, piece + 1
}

// Undo undoes the last change that has not been undone yet, also one of before
// a restart. It loses nothing: an entry whose adding is undone is in the trash,
// and an edit that is undone in the history. Of an edit only the fields that it
// changed go back, so a counter that was stepped since stays where it is. What
// was purged meanwhile is passed over; if that is all of the change, Undo
// undoes nothing, as nobody means a change before it: ErrNothing, once, and the
// next call goes on. ErrNothing also if there is no change left. A change of
// several pieces is undone piece by piece: after a crash the next call goes on.
func (v *Vault) Undo() (Undone, error) {
	u := undoing{seen: map[ID]bool{}}
	var number []byte // of the change, once it is known
	err := v.Pieces("", func(tx *Tx) (more bool, err error) {
		key, row, err := tx.lastRow(number)
		if err != nil {
			return false, err
		}
		if key == nil {
			if number == nil {
				err = ErrNothing
			}
			return false, err // another undo took the pieces before
		}
		tx.set(bucketJournal, key, nil)
		number, more = key[:8], len(key) > 8
		return more, u.undo(tx, row)
	})
	if err == nil && len(u.IDs) == 0 {
		err = fmt.Errorf("%w: the last change is beyond undo", ErrNothing)
	}
	if err != nil {
		return Undone{}, fmt.Errorf("undoing: %w", err)
	}
	slices.Reverse(u.IDs)
	slices.Reverse(u.Names)
	return u.Undone, nil
}

// lastRow returns the last journal row, or the last of the change of that
// number; its key is nil if there is none.
func (tx *Tx) lastRow(number []byte) (key []byte, row journalRow, err error) {
	var sealed []byte
	err = tx.v.write(func() error {
		c := tx.bolt.Bucket(bucketJournal).Cursor()
		for key, sealed = c.Last(); bytes.Compare(key[:min(len(key), len(number))], number) > 0; key, sealed = c.Prev() {
		}
		if !bytes.HasPrefix(key, number) {
			key, sealed = nil, nil
		}
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

// undoing is what Undo has done so far, the last first.
type undoing struct {
	Undone
	seen map[ID]bool
}

// undo does the opposite of a row, the last deed first.
func (u *undoing) undo(tx *Tx, row journalRow) error {
	u.Op, u.At = row.Op, row.At
	known := len(u.IDs)
	for _, d := range slices.Backward(row.Deeds) {
		err := tx.undoDeed(d)
		if errors.Is(err, ErrNotFound) {
			continue // purged, or not where the deed had left it
		}
		if err != nil {
			return err
		}
		if !u.seen[d.ID] {
			u.seen[d.ID] = true
			u.IDs = append(u.IDs, d.ID)
		}
	}
	for _, id := range u.IDs[known:] {
		e, err := tx.Get(id)
		if err != nil {
			return err
		}
		u.Names = append(u.Names, e.Name)
		e.Wipe()
	}
	return nil
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
