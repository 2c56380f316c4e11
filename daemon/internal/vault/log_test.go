package vault

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// logCase is a vault with a clock, and rows that wait for it.
type logCase struct {
	*testing.T
	*clock
	v    *Vault
	rows []LogRow
}

func newLogCase(t *testing.T) *logCase {
	c := &logCase{T: t, clock: newClock()}
	v, err := Create(filepath.Join(t.TempDir(), "vault.db"), testVaultID, testSlots(), c.options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.v.Close() })
	c.v = v
	return c
}

func (c *logCase) options() Options {
	return Options{Now: c.now, Waiting: func() ([]LogRow, func()) {
		return c.rows, func() { c.rows = nil }
	}}
}

// wait lets n more rows wait, each with its number and some text.
func (c *logCase) wait(from, n int) {
	for i := range n {
		c.rows = append(c.rows, LogRow{At: c.now().UnixMilli(), Data: fmt.Appendf(nil, "%d %s", from+i, strings.Repeat("x", 100))})
	}
}

func (c *logCase) flush() {
	c.Helper()
	if err := c.v.FlushLog(); err != nil {
		c.Fatal(err)
	}
	if len(c.rows) != 0 {
		c.Fatalf("%d rows still wait", len(c.rows))
	}
}

// want compares what is stored: so many rows, the first and the last by number.
func (c *logCase) want(n, first, last int) {
	c.Helper()
	rows, err := c.v.Log()
	if err != nil || len(rows) != n {
		c.Fatalf("%d rows, %v; want %d", len(rows), err, n)
	}
	before := first - 1
	for _, r := range rows {
		number := 0
		if _, err := fmt.Sscanf(string(r.Data), "%d x", &number); err != nil || number != before+1 {
			c.Fatalf("%q after %d", r.Data[:10], before)
		}
		before = number
	}
	if before != last {
		c.Fatalf("the last is %d, want %d", before, last)
	}
}

func (c *logCase) reopen() {
	c.Helper()
	if err := c.v.Close(); err != nil {
		c.Fatal(err)
	}
	c.v = openVault(c.T, filepath.Clean(c.v.path), c.options())
}

// changes is how many transactions the file has seen.
func (c *logCase) changes() (n int) {
	_ = c.v.view(func(tx *bolt.Tx) error { n = tx.ID(); return nil })
	return n
}

func TestLogRowsRideAlong(t *testing.T) {
	c := newLogCase(t)
	c.want(0, 1, 0)
	add(t, c.v, entry("a"))
	before := c.changes()
	c.wait(1, 3)
	add(t, c.v, entry("b"))
	if n := c.changes() - before; n != 1 || len(c.rows) != 0 {
		t.Errorf("%d transactions, %d rows wait", n, len(c.rows))
	}
	c.want(3, 1, 3)
	c.flush()
	if n := c.changes() - before; n != 1 {
		t.Errorf("a flush of nothing: %d transactions", n)
	}
	c.wait(4, 100)
	c.flush()
	c.want(103, 1, 103)
	c.reopen()
	c.want(103, 1, 103)
	// Undo means the last change, whatever the log has had since.
	if u, err := c.v.Undo(); err != nil || u.Names[0] != "b" {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestLogRowsWaitForAChangeThatIsStored(t *testing.T) {
	c := newLogCase(t)
	c.wait(1, 1)
	mine := errors.New("mine")
	if err := c.v.Update("", func(*Tx) error { return mine }); !errors.Is(err, mine) {
		t.Fatal(err)
	}
	c.v.Lock()
	if err := c.v.FlushLog(); !errors.Is(err, ErrLocked) {
		t.Errorf("while locked: %v", err)
	}
	if _, err := c.v.Log(); !errors.Is(err, ErrLocked) {
		t.Errorf("while locked: %v", err)
	}
	if len(c.rows) != 1 {
		t.Fatal("rows are gone that were not stored")
	}
	if err := c.v.Unlock(testSlotID, testSlotKey()); err != nil {
		t.Fatal(err)
	}
	c.flush()
	c.want(1, 1, 1)
}

func TestLogIsBounded(t *testing.T) {
	c := newLogCase(t)
	for n := 0; n < 3*MaxLogRows; n += 1000 {
		c.wait(n+1, 1000)
		c.flush()
	}
	rows, err := c.v.Log()
	if err != nil || len(rows) > MaxLogRows || len(rows) < MaxLogRows-logPieceMax {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	c.want(len(rows), 3*MaxLogRows-len(rows)+1, 3*MaxLogRows)
	// The file does not grow any more: what is dropped is used again.
	size := func() (n int64) {
		_ = c.v.view(func(tx *bolt.Tx) error { n = tx.Size(); return nil })
		return n
	}
	before := size()
	for n := range 100 {
		c.wait(3*MaxLogRows+1+n*10, 10)
		c.flush()
	}
	if after := size(); after > before+before/10 {
		t.Errorf("the file grew from %d to %d bytes", before, after)
	}
}

func TestLogRowsLiveNinetyDays(t *testing.T) {
	c := newLogCase(t)
	add(t, c.v, entry("a"))
	for n := range 100 { // a row a day
		c.wait(n+1, 1)
		c.flush()
		c.add(day)
	}
	c.want(90, 11, 100) // the oldest was written ninety days ago
	c.add(time.Millisecond)
	c.want(89, 12, 100)
	count := func() (n int) {
		if err := c.v.eachLogPiece(func(_ uint64, rows []LogRow, _ int64) bool { n += len(rows); return true }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(); n < 90 {
		t.Errorf("%d rows are in the file", n)
	}
	if err := c.v.PruneLog(); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 89 {
		t.Errorf("%d rows are in the file", n)
	}
	before := c.changes()
	if err := c.v.PruneLog(); err != nil || c.changes() != before {
		t.Errorf("nothing to prune: %v", err)
	}
	c.want(89, 12, 100)
}

// A clock that jumps years ahead takes no row away, nor does one set back.
func TestLogOutlivesAClockThatJumps(t *testing.T) {
	c := newLogCase(t)
	add(t, c.v, entry("a"))
	c.wait(1, 5)
	c.flush()
	c.add(10 * 365 * day)
	c.want(5, 1, 5)
	if err := c.v.PruneLog(); err != nil {
		t.Fatal(err)
	}
	c.wait(6, 1)
	c.flush()
	c.want(6, 1, 6)
	c.add(-20 * 365 * day)
	c.wait(7, 1)
	c.flush()
	c.want(7, 1, 7)
}

func TestClearLog(t *testing.T) {
	c := newLogCase(t)
	c.wait(1, 200)
	c.flush()
	first := LogRow{At: c.now().UnixMilli(), Data: []byte("201 x")}
	if err := c.v.ClearLog(first); err != nil {
		t.Fatal(err)
	}
	c.want(1, 201, 201)
	c.wait(202, 1)
	c.flush()
	c.want(2, 201, 202)
	c.reopen()
	c.want(2, 201, 202)
}

func TestRekeyCarriesTheLog(t *testing.T) {
	c := newLogCase(t)
	c.wait(1, 100)
	c.flush()
	if err := c.v.AddSlot(slot(1)); err != nil {
		t.Fatal(err)
	}
	c.v = rekeyed(t, c.v, [][16]byte{slot(1).ID}, nil)
	c.want(100, 1, 100)
	c.wait(101, 1)
	c.flush()
	c.want(101, 1, 101)
}

// A piece that is damaged costs its rows: not the others, no change of the vault,
// and no rekeying.
func TestDamagedLog(t *testing.T) {
	for _, which := range []string{"first", "last"} {
		t.Run(which, func(t *testing.T) {
			c := newLogCase(t)
			c.wait(1, 100)
			c.flush()
			if err := c.v.Close(); err != nil {
				t.Fatal(err)
			}
			alter(t, c.v.path, func(tx *bolt.Tx) error {
				cursor := tx.Bucket(bucketLog).Cursor()
				key, _ := cursor.First()
				if which == "last" {
					key, _ = cursor.Last()
				}
				return tx.Bucket(bucketLog).Put(key, []byte("nonsense"))
			})
			c.v = openVault(t, c.v.path, c.options())
			rows, err := c.v.Log()
			if !errors.Is(err, ErrCorrupt) || len(rows) == 0 || len(rows) >= 100 {
				t.Errorf("%d rows, %v", len(rows), err)
			}
			c.wait(101, 1)
			add(t, c.v, entry("a"))
			c.wait(102, 1)
			c.flush()
			// What is damaged is left as it is: nothing is written over it.
			if after, err := c.v.Log(); len(after) != len(rows)+2 || !errors.Is(err, ErrCorrupt) {
				t.Errorf("%d rows after %d, %v", len(after), len(rows), err)
			}
			if err := c.v.AddSlot(slot(1)); err != nil {
				t.Fatal(err)
			}
			c.v = rekeyed(t, c.v, [][16]byte{slot(1).ID}, nil)
			if after, err := c.v.Log(); len(after) != len(rows)+2 || err != nil {
				t.Errorf("after rekeying: %d rows, %v", len(after), err)
			}
		})
	}
}

// A row moved to another place does not open there.
func TestMovedLogRow(t *testing.T) {
	c := newLogCase(t)
	c.wait(1, 1)
	c.flush()
	c.v.Close()
	alter(t, c.v.path, func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketLog)
		key, sealed := b.Cursor().First()
		return errors.Join(b.Put(append(append([]byte{}, key[:7]...), 9), sealed), b.Delete(key))
	})
	c.v = openVault(t, c.v.path, c.options())
	if rows, err := c.v.Log(); !errors.Is(err, ErrCorrupt) || len(rows) > 0 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}
