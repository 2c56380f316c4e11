package vault

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// inPieces adds the entries a0, a1 and so on of each number of pieces in a piece
// of its own; between is called before each.
func inPieces(t *testing.T, v *Vault, between func(piece int), pieces ...int) {
	t.Helper()
	var n, piece int
	err := v.Pieces("secrets-file", func(tx *Tx) (bool, error) {
		for range pieces[piece] {
			if _, _, err := tx.Add(entry(fmt.Sprintf("a%d", n))); err != nil {
				return false, err
			}
			n++
		}
		piece++
		between(piece)
		return piece < len(pieces), tx.PutMeta("done", []byte{byte(n)})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func listed(t *testing.T, v *Vault) string {
	t.Helper()
	list, err := v.List()
	if err != nil {
		t.Fatal(err)
	}
	return names(list)
}

func undo(t *testing.T, v *Vault, want ...string) {
	t.Helper()
	u, err := v.Undo()
	if err != nil || !slices.Equal(u.Names, want) || len(u.IDs) != len(want) {
		t.Errorf("Undo = %s of %q with %d ids, %v; want %q", u.Op, u.Names, len(u.IDs), err, want)
	}
}

func TestPiecesAreOneUndo(t *testing.T) {
	v := newVault(t)
	add(t, v, entry("before"))
	inPieces(t, v, func(int) {}, 2, 1, 3)
	if got := listed(t, v); got != "a0 a1 a2 a3 a4 a5 before " {
		t.Errorf("List = %s", got)
	}
	add(t, v, entry("after"))
	v = reopen(t, v)
	undo(t, v, "after")
	undo(t, v, "a0", "a1", "a2", "a3", "a4", "a5")
	if got := listed(t, v); got != "before " {
		t.Errorf("List = %s", got)
	}
	undo(t, v, "before")
	if _, err := v.Undo(); !errors.Is(err, ErrNothing) {
		t.Errorf("undoing nothing: %v", err)
	}
}

// Another change between two pieces parts them, so that undo goes back in time.
func TestPiecesWithAnotherChangeBetween(t *testing.T) {
	v := newVault(t)
	inPieces(t, v, func(int) {}, 1)
	parts := &change{op: "secrets-file"}
	piece := func(name string) {
		t.Helper()
		if err := v.update(parts, func(tx *Tx) error { _, _, err := tx.Add(entry(name)); return err }); err != nil {
			t.Fatal(err)
		}
	}
	piece("b0")
	piece("b1")
	add(t, v, entry("other"))
	piece("b2")
	piece("b3")
	undo(t, v, "b2", "b3")
	undo(t, v, "other")
	// Its number is taken again by a change that has nothing to do with it.
	add(t, v, entry("again"))
	piece("b4")
	undo(t, v, "b4")
	undo(t, v, "again")
	undo(t, v, "b0", "b1")
	undo(t, v, "a0")
}

func TestPiecesThatFail(t *testing.T) {
	v := newVault(t)
	full, n := errors.New("full"), 0
	err := v.Pieces("secrets-file", func(tx *Tx) (bool, error) {
		if n++; n == 3 {
			return true, full
		}
		_, _, err := tx.Add(entry(fmt.Sprintf("a%d", n)))
		return true, err
	})
	if !errors.Is(err, full) || listed(t, v) != "a1 a2 " {
		t.Errorf("%v, List = %s", err, listed(t, v))
	}
	undo(t, v, "a1", "a2")
}

// The journal keeps the last changes, each with all of its pieces.
func TestJournalOfPiecesIsBounded(t *testing.T) {
	v := newVault(t)
	var n int
	for range journalMost + 5 {
		var left = 3
		err := v.Pieces("secrets-file", func(tx *Tx) (bool, error) {
			_, _, err := tx.Add(entry(fmt.Sprintf("e%d", n)))
			n, left = n+1, left-1
			return left > 0, err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range journalMost {
		if u, err := v.Undo(); err != nil || len(u.IDs) != 3 {
			t.Fatalf("undo %d: %d entries, %v", i, len(u.IDs), err)
		}
	}
	if _, err := v.Undo(); !errors.Is(err, ErrNothing) {
		t.Errorf("undo beyond the bound: %v", err)
	}
	if live, trashed := v.Count(); live != 5*3 || trashed != journalMost*3 {
		t.Errorf("%d live, %d in the trash", live, trashed)
	}
}

// A process may be killed between any two pieces, of a change and of its undo:
// what is in the file by then is whole, and the next undo goes on.
func TestPiecesAfterAKill(t *testing.T) {
	v := newVault(t)
	killed := func(name string) string {
		data, err := os.ReadFile(v.path) // bbolt writes at the end of a change only
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var files []string
	inPieces(t, v, func(piece int) { files = append(files, killed(fmt.Sprint("taking", piece))) }, 2, 1, 2)
	for i, want := range []struct {
		names []string
		done  []byte
	}{{nil, nil}, {[]string{"a0", "a1"}, []byte{2}}, {[]string{"a0", "a1", "a2"}, []byte{3}}} {
		v := openVault(t, files[i], Options{})
		done, err := v.Meta("done")
		if live, _ := v.Count(); live != len(want.names) || err != nil || !bytes.Equal(done, want.done) {
			t.Errorf("killed in piece %d: %d entries with the record %v, %v", i+1, live, done, err)
		}
		if want.names != nil {
			undo(t, v, want.names...)
		}
	}
	// The clock is looked at when a piece begins.
	files = nil
	now := v.now
	v.now = func() (at time.Time) { files = append(files, killed(fmt.Sprint("undoing", len(files)))); return now() }
	undo(t, v, "a0", "a1", "a2", "a3", "a4")
	if len(files) != 3 {
		t.Fatalf("undone in %d pieces", len(files))
	}
	for i, want := range [][]string{{"a0", "a1", "a2", "a3", "a4"}, {"a0", "a1", "a2"}, {"a0", "a1"}} {
		v := openVault(t, files[i], Options{})
		undo(t, v, want...)
		if live, trashed := v.Count(); live != 0 || trashed != 5 {
			t.Errorf("killed before undoing piece %d: %d live, %d in the trash", i+1, live, trashed)
		}
	}
}
