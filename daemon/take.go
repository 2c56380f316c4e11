package daemon

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/o2fa/o2fa/daemon/internal/secretsfile"
	"github.com/o2fa/o2fa/daemon/internal/vault"
)

// pieceRows is how many new or renamed rows an intake takes in one piece. It
// bounds the memory of a change of the vault; smaller ones would write the
// indexes, and the record of the rows, more often.
const pieceRows = 8192

// taking is what became of the rows.
type taking struct {
	changed int                   // entries added or renamed
	refused []secretsfile.Problem // rows that the vault refused
}

// take brings the vault up to date with the rows of the file that is data. Rows
// that left the file are only forgotten: in watch mode the file takes nothing
// away. A large file is taken in pieces of so many rows: each stores with its
// entries which rows they came from, so that after a crash, or an error, the next
// look takes what is left, and nothing twice.
func take(v *vault.Vault, file secretsfile.File, data []byte, piece int) (taking, error) {
	record, err := v.Meta(metaRows)
	if err != nil {
		return taking{}, err
	}
	now := fingerprints(v, file.Rows)
	c := secretsfile.Diff(parseRows(record), now)
	if len(c.Add)+len(c.Rename)+len(c.Gone) == 0 {
		return taking{}, nil
	}
	t := taker{rows: file.Rows, now: now, todo: c, ids: risingIDs(len(c.Add))}
	t.taken = make([]byte, 0, len(now)*seenSize)
	for _, pair := range c.Keep {
		t.taken = appendSeen(t.taken, pair.Last)
	}
	t.news = len(c.Gone) > 0
	var stored taking
	// The rows last taken cannot change between the look above and the changes
	// below: looks are made one at a time, and nobody else writes that record.
	err = v.Pieces(opSecretsFile, func(tx *vault.Tx) (more bool, err error) {
		stored = t.taking
		if err := t.take(tx, piece); err != nil {
			return false, err
		}
		more = len(t.todo.Rename)+len(t.todo.Add) > 0
		if !t.news {
			return more, nil // rows that are refused again and again cost no write
		}
		t.news = false
		var whole []byte
		if !more && len(file.Problems)+len(t.refused) == 0 {
			whole = fileRecord(v, data, len(file.Rows))
		}
		return more, errors.Join(tx.PutMeta(metaRows, t.record()), tx.PutMeta(metaFile, whole))
	})
	if err != nil {
		return stored, err
	}
	return t.taking, nil
}

// fingerprints returns the rows as they are compared.
func fingerprints(v *vault.Vault, rows []secretsfile.Row) []secretsfile.Fingerprinted {
	now := make([]secretsfile.Fingerprinted, len(rows))
	for i, row := range rows {
		now[i] = secretsfile.Fingerprinted{Row: i}
		now[i].Secret = v.Fingerprint("secrets-file/secret", row.Secret.Reveal())
		if row.Name == nil {
			now[i].Name = v.Fingerprint("secrets-file/no-name", nil)
		} else {
			now[i].Name = v.Fingerprint("secrets-file/name", []byte(*row.Name))
		}
	}
	return now
}

// taker takes rows piece by piece.
type taker struct {
	taking
	rows  []secretsfile.Row
	now   []secretsfile.Fingerprinted
	todo  secretsfile.Changes // what is done leaves Rename and Add
	ids   []vault.ID          // for the rows to add
	taken []byte              // the rows that need nothing more, see seenSize
	news  bool                // the record that the vault has is out of date
}

// take makes the next changes, so many at most, and remembers which row is which
// entry. A new row that the vault refuses is left out, and tried again at the next
// look; a rename that it refuses leaves the row as it was last taken.
func (t *taker) take(tx *vault.Tx, most int) error {
	renames := min(len(t.todo.Rename), most)
	for _, pair := range t.todo.Rename[:renames] {
		id, err := rename(tx, pair.Last.Entry, t.rows[pair.Row])
		if ok, err := t.settle(pair.Row, err); err != nil {
			return err
		} else if !ok {
			t.taken = appendSeen(t.taken, pair.Last)
			continue
		}
		t.changed++
		t.remember(pair.Row, id)
	}
	t.todo.Rename = t.todo.Rename[renames:]
	adds := min(len(t.todo.Add), most-renames)
	for i, row := range t.todo.Add[:adds] {
		e := rowEntry(t.rows[row])
		e.ID = t.ids[i]
		id, existed, err := tx.Add(e)
		if ok, err := t.settle(row, err); err != nil {
			return err
		} else if !ok {
			continue
		}
		if !existed {
			t.changed++
		}
		t.remember(row, id)
	}
	t.todo.Add, t.ids = t.todo.Add[adds:], t.ids[adds:]
	return nil
}

// remember notes which entry a row is.
func (t *taker) remember(row int, entry vault.ID) {
	t.taken = appendSeen(t.taken, secretsfile.Seen{Secret: t.now[row].Secret, Name: t.now[row].Name, Entry: entry})
	t.news = true
}

// record is what metaRows holds when a piece is stored: the rows that are done,
// and those still to rename as they were last taken.
func (t *taker) record() []byte {
	record := t.taken[:len(t.taken):len(t.taken)]
	for _, pair := range t.todo.Rename {
		record = appendSeen(record, pair.Last)
	}
	return record
}

// risingIDs returns n random ids, sorted: entries that come one after the other
// then fill one page of the vault after the other, instead of touching all of
// them in each piece.
func risingIDs(n int) []vault.ID {
	ids := make([]vault.ID, n)
	for i := range ids {
		rand.Read(ids[i][:]) // does not fail: it ends the process instead
	}
	slices.SortFunc(ids, func(a, b vault.ID) int { return bytes.Compare(a[:], b[:]) })
	return ids
}

// settle tells a row that the vault took from one that it refused, and both
// from a failure.
func (t *taker) settle(row int, err error) (ok bool, failure error) {
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, vault.ErrInvalid):
		t.refused = append(t.refused, secretsfile.Problem{Position: t.rows[row].Position, Reason: err.Error()})
		return false, nil
	}
	return false, fmt.Errorf("taking row %d: %w", t.rows[row].Position, err)
}

// rename gives the entry of a known secret the row's new name. An entry that
// was deleted meanwhile comes back: its line in the file has changed.
func rename(tx *vault.Tx, id vault.ID, row secretsfile.Row) (vault.ID, error) {
	e, err := tx.Get(id)
	if errors.Is(err, vault.ErrNotFound) {
		id, _, err := tx.Add(rowEntry(row))
		return id, err
	}
	if err != nil {
		return id, err
	}
	defer e.Secret.Wipe()
	e.Name = rowName(row)
	if err := e.Valid(); err != nil {
		return id, err
	}
	if e.Trashed != 0 {
		if err := tx.Restore(id); err != nil {
			return id, err
		}
	}
	return id, tx.Edit(id, func(e *vault.Entry) error {
		e.Name = rowName(row)
		return nil
	})
}

// rowEntry is a row as an entry: open2fa knows SHA-1, six digits and 30 seconds.
// The secret stays the row's, which is wiped with the file.
func rowEntry(row secretsfile.Row) vault.Entry {
	return vault.Entry{Type: "totp", Name: rowName(row), Algorithm: "SHA1", Digits: 6, Period: 30,
		Secret: row.Secret, Source: sourceSecretsFile}
}

func rowName(row secretsfile.Row) string {
	if row.Name == nil {
		return ""
	}
	return *row.Name
}

// seenSize is one row in the record metaRows: the keyed fingerprints of secret
// and name, and the entry's id, 16 bytes each.
const seenSize = 48

// fileSize is the record metaFile: the number of rows, then the keyed
// fingerprint of the file.
const fileSize = 8 + 16

func fileRecord(v *vault.Vault, data []byte, rows int) []byte {
	sum := v.Fingerprint("secrets-file/whole", data)
	return append(binary.BigEndian.AppendUint64(nil, uint64(rows)), sum[:]...)
}

func appendSeen(record []byte, s secretsfile.Seen) []byte {
	return append(append(append(record, s.Secret[:]...), s.Name[:]...), s.Entry[:]...)
}

func parseRows(record []byte) []secretsfile.Seen {
	seen := make([]secretsfile.Seen, 0, len(record)/seenSize)
	for ; len(record) >= seenSize; record = record[seenSize:] {
		seen = append(seen, secretsfile.Seen{
			Secret: [16]byte(record[:16]), Name: [16]byte(record[16:32]), Entry: [16]byte(record[32:48]),
		})
	}
	return seen
}

// countInFile returns how many of the entries the file was last seen to hold.
func countInFile(v interface {
	Meta(name string) ([]byte, error)
}, ids []vault.ID) (int, error) {
	record, err := v.Meta(metaRows)
	if err != nil {
		return 0, err
	}
	wanted := make(map[vault.ID]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	all := len(wanted)
	for ; len(record) >= seenSize && len(wanted) > 0; record = record[seenSize:] {
		delete(wanted, vault.ID(record[32:48])) // an entry may have two rows
	}
	return all - len(wanted), nil
}
