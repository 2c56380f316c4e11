package vault

import (
	"maps"
	"testing"
)

func TestMarks(t *testing.T) {
	v := newVault(t)
	a, b := entry("a"), entry("b")
	ida, idb := add(t, v, a), add(t, v, b)
	want := map[ID][16]byte{ida: v.Mark(a.Secret.Reveal()), idb: v.Mark(b.Secret.Reveal())}
	if got, err := v.Marks(); err != nil || !maps.Equal(got, want) || want[ida] == want[idb] {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	update(t, v, "delete", func(tx *Tx) error { return tx.Trash(ida) })
	update(t, v, "edit", func(tx *Tx) error {
		return tx.Edit(idb, func(e *Entry) error { e.Secret.Wipe(); e.Secret = entry("").Secret; return nil })
	})
	got, err := v.Marks()
	if _, listed := got[ida]; err != nil || listed || got[idb] == want[idb] {
		t.Errorf("after changes: %v, %v", got, err)
	}
	v.Lock()
	if _, err := v.Marks(); err == nil || v.Mark([]byte("x")) != [16]byte{} {
		t.Errorf("while locked: %v", err)
	}
}
