package daemon

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/text/unicode/norm"

	"github.com/o2fa/o2fa/daemon/internal/secretsfile"
	"github.com/o2fa/o2fa/daemon/internal/vault"
)

// pieceRows is how many new or renamed rows an intake takes in one piece. It
// bounds the memory of a change of the vault; smaller ones would write the
// indexes, and the record of the rows, more often.
const pieceRows = 8192

// taking is what became of the rows.
type taking struct {
	changed int                   // entries added, renamed or moved to the trash
	refused []secretsfile.Problem // rows that the vault refused
}

// take brings the vault up to date with the rows of the file that is data. Rows
// that left the file are only forgotten: in watch and seal mode the file takes
// nothing away. whole says that every row was good, so that the file can be known
// again by its bytes.
func take(v *vault.Vault, file secretsfile.File, data []byte, piece int) (taking, error) {
	t, err := takeRows(v, file, data, piece)
	return t.taking, err
}

// takeRows is take for who wants to know which row is which entry, too.
func takeRows(v *vault.Vault, file secretsfile.File, data []byte, piece int) (*taker, error) {
	t := newTaker(v, file)
	last, err := lastRows(v)
	if err != nil {
		return t, err
	}
	t.compare(last)
	if len(t.todo.Add)+len(t.todo.Rename)+len(t.todo.Gone) == 0 {
		return t, nil
	}
	return t, t.store(v, piece, func() []byte {
		if len(file.Problems)+len(t.refused) > 0 {
			return nil
		}
		return fileRecord(v, data, len(file.Rows))
	})
}

// lastRows returns the rows as they were last taken.
func lastRows(v *vault.Vault) ([]secretsfile.Seen, error) {
	record, err := v.Meta(metaRows)
	return parseRows(record), err
}

func newTaker(v *vault.Vault, file secretsfile.File) *taker {
	return &taker{rows: file.Rows, now: fingerprints(v, file.Rows), entries: make([]vault.ID, len(file.Rows))}
}

// compare finds what there is to do, by the difference to the rows last taken.
func (t *taker) compare(last []secretsfile.Seen) { t.begin(secretsfile.Diff(last, t.now)) }

// begin takes over what there is to do.
func (t *taker) begin(c secretsfile.Changes) {
	kept := map[vault.ID]bool{}
	for _, pair := range c.Keep {
		kept[pair.Last.Entry] = true
	}
	renames := c.Rename
	c.Rename = nil
	for _, pair := range renames {
		// A second row of the entry is there still, or has its own new name: people
		// keep one secret under two names.
		if kept[pair.Last.Entry] {
			c.Add = append(c.Add, pair.Row)
			continue
		}
		kept[pair.Last.Entry] = true
		c.Rename = append(c.Rename, pair)
	}
	slices.Sort(c.Add)
	t.todo, t.ids = c, risingIDs(len(c.Add))
	t.taken = make([]byte, 0, len(t.now)*seenSize)
	for _, pair := range c.Keep {
		t.taken = appendSeen(t.taken, pair.Last)
		t.entries[pair.Row] = pair.Last.Entry
	}
	t.news = len(c.Gone) > 0
}

// store makes the changes, in pieces of so many rows at most: each stores with its
// entries which rows they came from, so that after a crash, or an error, the next
// look takes what is left, and nothing twice. whole returns what metaFile is to
// hold at the end.
func (t *taker) store(v *vault.Vault, piece int, whole func() []byte) error {
	var stored taking
	// The rows last taken cannot change between the comparison and the changes
	// below: looks are made one at a time, and nobody else writes that record.
	err := v.Pieces(opSecretsFile, func(tx *vault.Tx) (more bool, err error) {
		stored = t.taking
		if err := t.step(tx, piece); err != nil {
			return false, err
		}
		more = len(t.todo.Rename)+len(t.todo.Add)+len(t.trash) > 0
		if !t.news {
			return more, nil // rows that are refused again and again cost no write
		}
		t.news = false
		var record []byte
		if !more {
			record = whole()
		}
		return more, errors.Join(tx.PutMeta(metaRows, t.record()), tx.PutMeta(metaFile, record))
	})
	if err != nil {
		t.taking = stored
	}
	return err
}

// fingerprints returns the rows as they are compared: names as the vault keeps
// them, in NFC.
func fingerprints(v *vault.Vault, rows []secretsfile.Row) []secretsfile.Fingerprinted {
	now := make([]secretsfile.Fingerprinted, len(rows))
	for i, row := range rows {
		now[i] = secretsfile.Fingerprinted{Row: i, Secret: secretPrint(v, row.Secret.Reveal()), Name: namePrint(v, row.Name)}
	}
	return now
}

func secretPrint(v *vault.Vault, raw []byte) secretsfile.Fingerprint {
	return v.Fingerprint("secrets-file/secret", raw)
}

func namePrint(v *vault.Vault, name *string) secretsfile.Fingerprint {
	if name == nil {
		return v.Fingerprint("secrets-file/no-name", nil)
	}
	return v.Fingerprint("secrets-file/name", []byte(norm.NFC.String(*name)))
}

// taker takes rows piece by piece.
type taker struct {
	taking
	rows    []secretsfile.Row
	now     []secretsfile.Fingerprinted
	entries []vault.ID          // for each row which entry it is; zero for none
	todo    secretsfile.Changes // what is done leaves Rename and Add
	trash   []vault.ID          // entries to move to the trash
	ids     []vault.ID          // for the rows to add
	taken   []byte              // the rows that need nothing more, see seenSize
	left    []int               // positions of rows that were taken out of the file, rising
	stand   int                 // good rows that stand in the file at the end
	news    bool                // the record that the vault has is out of date
}

// step makes the next changes, so many at most, and remembers which row is which
// entry. A new row that the vault refuses is left out, and tried again at the next
// look; a rename that it refuses leaves the row as it was last taken.
func (t *taker) step(tx *vault.Tx, most int) error {
	renames := min(len(t.todo.Rename), most)
	for _, pair := range t.todo.Rename[:renames] {
		id, err := rename(tx, pair.Last.Entry, t.rows[pair.Row])
		if ok, err := t.settle(pair.Row, err); err != nil {
			return err
		} else if !ok {
			t.taken = appendSeen(t.taken, pair.Last)
			t.entries[pair.Row] = pair.Last.Entry
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
	return t.discard(tx, most-renames-adds)
}

// rescue makes entries of rows that are in no file any more, and remembers no rows.
func (t *taker) rescue(v *vault.Vault, piece int) error {
	return v.Pieces(opSecretsFile, func(tx *vault.Tx) (more bool, err error) {
		n := min(len(t.todo.Add), piece)
		for _, row := range t.todo.Add[:n] {
			_, existed, err := tx.Add(rowEntry(t.rows[row]))
			if ok, err := t.settle(row, err); err != nil {
				return false, err
			} else if ok && !existed {
				t.changed++
			}
		}
		t.todo.Add = t.todo.Add[n:]
		return len(t.todo.Add) > 0, nil
	})
}

// out notes which rows an edit of the file takes out.
func (t *taker) out(edits map[int]secretsfile.Edit) {
	for position, e := range edits {
		if e.Drop {
			t.left = append(t.left, position)
		}
	}
	slices.Sort(t.left)
}

// stands returns where a row stands after that.
func (t *taker) stands(position int) int {
	before, _ := slices.BinarySearch(t.left, position)
	return position - before
}

// discard moves entries to the trash whose rows left. One that is not there any
// more needs nothing.
func (t *taker) discard(tx *vault.Tx, most int) error {
	n := min(len(t.trash), most)
	for _, id := range t.trash[:n] {
		err := tx.Trash(id)
		if err == nil {
			t.changed++
		} else if !errors.Is(err, vault.ErrNotFound) {
			return err
		}
	}
	t.trash = t.trash[n:]
	return nil
}

// remember notes which entry a row is.
func (t *taker) remember(row int, entry vault.ID) {
	t.taken = appendSeen(t.taken, secretsfile.Seen{Secret: t.now[row].Secret, Name: t.now[row].Name, Entry: entry})
	t.entries[row] = entry
	t.news = true
}

// record is what metaRows holds when a piece is stored: the rows that are done,
// those still to rename as they were last taken, and those whose entries are still
// to go.
func (t *taker) record() []byte {
	record := t.taken[:len(t.taken):len(t.taken)]
	for _, pair := range t.todo.Rename {
		record = appendSeen(record, pair.Last)
	}
	if len(t.trash) > 0 {
		left := idSet(t.trash)
		for _, s := range t.todo.Gone {
			if left[s.Entry] {
				record = appendSeen(record, s)
			}
		}
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
	wanted := idSet(ids)
	all := len(wanted)
	for ; len(record) >= seenSize && len(wanted) > 0; record = record[seenSize:] {
		delete(wanted, vault.ID(record[32:48])) // an entry may have two rows
	}
	return all - len(wanted), nil
}

func idSet(ids []vault.ID) map[vault.ID]bool {
	set := make(map[vault.ID]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}
