package vault

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/o2fa/o2fa/daemon/internal/seal"
)

// Bounds of the log. What is beyond them goes with the next change.
const (
	MaxLogRows = 10_000
	LogLife    = 90 * 24 * time.Hour
	// MaxLogRow bounds, in bytes, what one row says; what is longer is cut.
	MaxLogRow = 4 << 10
)

// LogRow is one row of the log, which is no part of any entry, is not for undo,
// and says what its writer put there.
type LogRow struct {
	At   int64 // Unix milliseconds
	Data []byte
}

// Waiting gives the rows that wait to be stored, oldest first; none is usual. A
// change takes them along, so that the log costs no sync of the disk. stored is
// called when they are in the file. Waiting must not use the Vault.
type Waiting func() (rows []LogRow, stored func())

// The log is stored in pieces: rows one after the other, each as its time (u64),
// the length of what it says (u16) and that. The key of a piece is the number of
// its first row, so that the keys alone tell how many there are. A row is added
// to the last piece until that is full.
const (
	logPiece    = 4 << 10 // bytes; a piece that has them is full
	logRowHead  = 8 + 2
	logPieceMax = logPiece/logRowHead + 1 // rows in one piece: more than fit
)

// FlushLog stores the rows that wait. Without one it does nothing.
func (v *Vault) FlushLog() error {
	return v.update(&change{log: true}, func(*Tx) error { return nil })
}

// ClearLog removes all rows that are stored, and begins anew with one.
func (v *Vault) ClearLog(first LogRow) error {
	return v.update(&change{log: true}, func(tx *Tx) error {
		tx.logs = []LogRow{first}
		return tx.eachPiece(func(key, _ []byte) (bool, error) {
			tx.set(bucketLog, key, nil)
			return true, nil
		})
	})
}

// PruneLog removes the rows that are too old, if there are any.
func (v *Vault) PruneLog() error {
	old := false
	err := v.eachLogPiece(func(_ uint64, rows []LogRow, since int64) bool {
		old = len(rows) > 0 && v.expired(rows[0], since)
		return false
	})
	if err != nil || !old {
		return err
	}
	return v.update(&change{log: true}, func(tx *Tx) error { return tx.pruneLog(math.MaxUint64) })
}

// Log returns the rows that are stored, oldest first. What is damaged is left
// out, and told by ErrCorrupt with the rest.
func (v *Vault) Log() (rows []LogRow, err error) {
	damaged := false
	err = v.eachLogPiece(func(_ uint64, piece []LogRow, since int64) bool {
		damaged = damaged || piece == nil
		for _, r := range piece {
			if !v.expired(r, since) {
				rows = append(rows, r)
			}
		}
		return true
	})
	if err == nil && damaged {
		err = corrupt("a piece of the log does not open")
	}
	return rows, err
}

// expired says whether a row has been kept long enough, in a time that has gone
// on without a jump since then. See times.
func (v *Vault) expired(r LogRow, since int64) bool {
	return max(r.At, since) < v.now().Add(-LogLife).UnixMilli()
}

// eachLogPiece calls f for each piece of the log, with the number of its first
// row and since when the clock has not jumped, until f returns false. A piece
// that does not open is nil.
func (v *Vault) eachLogPiece(f func(number uint64, rows []LogRow, since int64) bool) error {
	k, err := v.unlocked()
	if err != nil {
		return err
	}
	defer k.release()
	return v.view(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketLog)
		if b == nil {
			return nil
		}
		value, err := readMeta(tx, k, metaTimes)
		if err != nil {
			return err
		}
		seen, err := parseTimes(value)
		if err != nil {
			return err
		}
		seen, _ = seen.at(v.now().UnixMilli())
		c := b.Cursor()
		for key, sealed := c.First(); key != nil; key, sealed = c.Next() {
			if err := bounded(sealed, tx.Size()); err != nil {
				return err
			}
			if rows := k.openPiece(key, sealed); len(key) == 8 && !f(binary.BigEndian.Uint64(key), rows, seen.since) {
				return nil
			}
		}
		return nil
	})
}

// openPiece returns the rows of a piece of the log, nil if it does not open.
func (k *keys) openPiece(key, sealed []byte) (rows []LogRow) {
	plain, err := k.seal.Open(seal.VaultLog, seal.Context(bucketLog, key), sealed)
	if err != nil {
		return nil
	}
	for len(plain) >= logRowHead {
		size := logRowHead + int(binary.BigEndian.Uint16(plain[8:]))
		if size > len(plain) {
			return nil
		}
		rows = append(rows, LogRow{At: int64(binary.BigEndian.Uint64(plain)), Data: plain[logRowHead:size:size]})
		plain = plain[size:]
	}
	if len(plain) > 0 {
		return nil
	}
	return rows
}

// takeLog adds the rows that wait to what the change writes, and drops those
// beyond the bounds.
func (tx *Tx) takeLog() (stored func(), err error) {
	stored = func() {}
	rows, done := tx.logs, stored
	if tx.v.waiting != nil {
		var more []LogRow
		more, done = tx.v.waiting()
		rows = append(rows, more...)
	}
	if len(rows) == 0 {
		return stored, nil
	}
	next, last, err := tx.lastPiece()
	if err != nil {
		return stored, err
	}
	piece, size := last, 0
	for _, r := range last {
		size += logRowHead + len(r.Data)
	}
	for _, r := range rows {
		r.Data = r.Data[:min(len(r.Data), MaxLogRow)]
		if size >= logPiece {
			tx.setPiece(next-uint64(len(piece)), piece)
			piece, size = nil, 0
		}
		piece, size, next = append(piece, r), size+logRowHead+len(r.Data), next+1
	}
	tx.setPiece(next-uint64(len(piece)), piece)
	return done, tx.pruneLog(next)
}

// setPiece stores a piece whose first row has that number; no rows remove it.
func (tx *Tx) setPiece(number uint64, rows []LogRow) {
	key := binary.BigEndian.AppendUint64(nil, number)
	if len(rows) == 0 {
		tx.set(bucketLog, key, nil)
		return
	}
	tx.plain = tx.plain[:0]
	for _, r := range rows {
		tx.plain = binary.BigEndian.AppendUint64(tx.plain, uint64(r.At))
		tx.plain = binary.BigEndian.AppendUint16(tx.plain, uint16(len(r.Data)))
		tx.plain = append(tx.plain, r.Data...)
	}
	tx.set(bucketLog, key, tx.seal(seal.VaultLog, seal.Context(bucketLog, key)))
}

// lastPiece returns the number of the next row, and the rows of the last piece
// if there is room in it. One that does not open is left alone.
func (tx *Tx) lastPiece() (next uint64, rows []LogRow, err error) {
	var key, sealed []byte
	err = tx.v.write(func() error {
		if b := tx.bolt.Bucket(bucketLog); b != nil {
			key, sealed = b.Cursor().Last()
			key, sealed = bytes.Clone(key), bytes.Clone(sealed)
		}
		return bounded(sealed, tx.bolt.Size())
	})
	if value, written := tx.puts[string(bucketLog)][string(key)]; written && value == nil {
		return binary.BigEndian.Uint64(key) + logPieceMax, nil, err // ClearLog, which numbers on
	}
	if len(key) != 8 || err != nil {
		return 0, nil, err
	}
	next = binary.BigEndian.Uint64(key)
	if rows = tx.k.openPiece(key, sealed); rows == nil {
		return next + logPieceMax, nil, nil
	}
	return next + uint64(len(rows)), rows, nil
}

// eachPiece calls f for each piece that was stored before this change, oldest
// first, until f returns false.
func (tx *Tx) eachPiece(f func(key, sealed []byte) (bool, error)) error {
	return tx.v.write(func() error {
		b := tx.bolt.Bucket(bucketLog)
		if b == nil {
			return nil
		}
		c := b.Cursor()
		for key, sealed := c.First(); key != nil; key, sealed = c.Next() {
			if err := bounded(sealed, tx.bolt.Size()); err != nil {
				return err
			}
			if more, err := f(bytes.Clone(key), sealed); !more || err != nil {
				return err
			}
		}
		return nil
	})
}

// pruneLog drops what is beyond the bounds, if next is the number of the next
// row: pieces whole where there are too many rows, and row by row where they are
// too old. A piece that this change writes anew is left for the next.
func (tx *Tx) pruneLog(next uint64) error {
	seen, err := tx.noteTime()
	if err != nil {
		return err
	}
	return tx.eachPiece(func(key, sealed []byte) (bool, error) {
		if _, written := tx.puts[string(bucketLog)][string(key)]; written || len(key) != 8 {
			return true, nil
		}
		number := binary.BigEndian.Uint64(key)
		if next != math.MaxUint64 && next-number > MaxLogRows {
			tx.set(bucketLog, key, nil)
			return true, nil
		}
		rows := tx.k.openPiece(key, sealed)
		young := slices.IndexFunc(rows, func(r LogRow) bool { return !tx.v.expired(r, seen.since) })
		if young == 0 || rows == nil {
			return false, nil
		}
		tx.set(bucketLog, key, nil)
		if young > 0 {
			tx.setPiece(number+uint64(young), rows[young:])
		}
		return young < 0, nil
	})
}
