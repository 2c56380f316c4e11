package daemon

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/o2fa/o2fa/daemon/internal/secretsfile"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/secret"
)

// taking is what became of the rows.
type taking struct {
	changed int                   // entries added or renamed
	refused []secretsfile.Problem // rows that the vault refused
}

// take brings the vault up to date with the rows of the file that is data, in one
// change. Rows that left the file are only forgotten: in watch mode the file
// takes nothing away.
func take(v *vault.Vault, file secretsfile.File, data []byte) (taking, error) {
	rows := file.Rows
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
	record, err := v.Meta(metaRows)
	if err != nil {
		return taking{}, err
	}
	last := parseRows(record)
	c := secretsfile.Diff(last, now)
	if len(c.Add)+len(c.Rename)+len(c.Gone) == 0 {
		return taking{}, nil
	}
	// The rows last taken cannot change between the look above and the change
	// below: looks are made one at a time, and nobody else writes that record.
	var done applied
	err = v.Update(opSecretsFile, func(tx *vault.Tx) error {
		done = applied{tx: tx, rows: rows, now: now, last: last}
		if err := done.apply(c); err != nil {
			return err
		}
		if bytes.Equal(done.record, record) {
			return nil // rows that are refused again and again cost no write
		}
		var whole []byte
		if len(file.Problems)+len(done.refused) == 0 {
			whole = fileRecord(v, data, len(rows))
		}
		return errors.Join(tx.PutMeta(metaRows, done.record), tx.PutMeta(metaFile, whole))
	})
	if err != nil {
		return taking{}, err
	}
	return done.taking, nil
}

// applied is the work of one change.
type applied struct {
	taking
	tx     *vault.Tx
	rows   []secretsfile.Row
	now    []secretsfile.Fingerprinted
	last   []secretsfile.Seen
	record []byte // the rows as taken now, see seenSize
}

// apply makes the changes and remembers which row is which entry. A new row
// that the vault refuses is left out, and tried again at the next look; a
// rename that it refuses leaves the row as it was last taken.
func (a *applied) apply(c secretsfile.Changes) error {
	for _, pair := range c.Keep {
		a.remember(a.now[pair.Row].Secret, a.now[pair.Row].Name, pair.Entry)
	}
	for _, pair := range c.Rename {
		id, err := rename(a.tx, pair.Entry, a.rows[pair.Row])
		if ok, err := a.settle(pair.Row, err); err != nil {
			return err
		} else if !ok {
			i := slices.IndexFunc(a.last, func(s secretsfile.Seen) bool { return s.Entry == pair.Entry })
			a.remember(a.last[i].Secret, a.last[i].Name, pair.Entry)
			continue
		}
		a.changed++
		a.remember(a.now[pair.Row].Secret, a.now[pair.Row].Name, id)
	}
	for _, row := range c.Add {
		id, existed, err := a.tx.Add(rowEntry(a.rows[row]))
		if ok, err := a.settle(row, err); err != nil {
			return err
		} else if !ok {
			continue
		}
		if !existed {
			a.changed++
		}
		a.remember(a.now[row].Secret, a.now[row].Name, id)
	}
	return nil
}

// settle tells a row that the vault took from one that it refused, and both
// from a failure.
func (a *applied) settle(row int, err error) (ok bool, failure error) {
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, vault.ErrInvalid):
		a.refused = append(a.refused, secretsfile.Problem{Position: a.rows[row].Position, Reason: err.Error()})
		return false, nil
	}
	return false, fmt.Errorf("taking row %d: %w", a.rows[row].Position, err)
}

func (a *applied) remember(secret, name secretsfile.Fingerprint, entry vault.ID) {
	a.record = append(a.record, secret[:]...)
	a.record = append(a.record, name[:]...)
	a.record = append(a.record, entry[:]...)
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
func rowEntry(row secretsfile.Row) vault.Entry {
	return vault.Entry{Type: "totp", Name: rowName(row), Algorithm: "SHA1", Digits: 6, Period: 30,
		Secret: secret.Copy(row.Secret.Reveal()), Source: sourceSecretsFile}
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
	held := map[vault.ID]bool{}
	for _, s := range parseRows(record) {
		held[s.Entry] = true
	}
	var n int
	for _, id := range ids {
		if held[id] {
			n++
		}
	}
	return n, nil
}
