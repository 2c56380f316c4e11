package vault

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/o2fa/o2fa/internal/secret"
)

func edit(t *testing.T, v *Vault, id ID, f func(e *Entry)) {
	t.Helper()
	update(t, v, "edit", func(tx *Tx) error { return tx.Edit(id, func(e *Entry) error { f(e); return nil }) })
}

func TestEditKeepsHistoryAndStamps(t *testing.T) {
	v := newVault(t)
	id := add(t, v, entry("first"))
	before, _ := v.Get(id)
	edit(t, v, id, func(e *Entry) { e.Name, e.Tags = "second", []string{"x"} })
	edit(t, v, id, func(e *Entry) {
		e.Secret, e.Digits = secret.New([]byte("other secret")), 8
		// What is not for f to change stays.
		e.ID, e.Created, e.Device, e.Trashed, e.Stamps, e.Updated = ID{}, 1, "x", 1, nil, 1
	})
	v = reopen(t, v)
	got, err := v.Get(id)
	if err != nil || got.Name != "second" || got.Digits != 8 || string(got.Secret.Reveal()) != "other secret" {
		t.Fatalf("%+v, %v", got, err)
	}
	if got.Created != before.Created || got.Device != before.Device || got.Trashed != 0 {
		t.Errorf("%+v", got)
	}
	a, b := got.Stamps[FieldName], got.Stamps[FieldSecret]
	if len(got.Stamps) != 3 || a.MS <= got.Created || b.MS <= a.MS || got.Stamps[FieldTags] != a || a.Device != got.Device {
		t.Errorf("stamps %v", got.Stamps)
	}
	h, err := v.History(id)
	if err != nil || len(h) != 2 || h[0].Name != "second" || h[1].Name != "first" || !h[0].Secret.Equal(before.Secret) {
		t.Errorf("history %v, %v", h, err)
	}
	if found, _ := v.FindSecret(before.Secret.Reveal()); len(found) != 0 {
		t.Error("the old secret is found")
	}
	if found, _ := v.Lookup("first"); len(found) != 0 {
		t.Error("the old name is found")
	}
	edit(t, v, id, func(e *Entry) { e.Name = "second" })
	if h, _ := v.History(id); len(h) != 2 {
		t.Error("an edit that changes nothing made a version")
	}
}

// A clock that went back must not make a later edit lose.
func TestStampsGrowWhateverTheClock(t *testing.T) {
	v := newVault(t)
	id := add(t, v, entry("a"))
	v.now = (&clock{}).now // year 1
	edit(t, v, id, func(e *Entry) { e.Name = "b" })
	edit(t, v, id, func(e *Entry) { e.Note = "b" })
	got, _ := v.Get(id)
	if got.Stamps[FieldName].MS <= got.Created || got.Stamps[FieldNote].MS <= got.Stamps[FieldName].MS {
		t.Errorf("created %d, stamps %v", got.Created, got.Stamps)
	}
}

func TestUnknownFieldsAreKept(t *testing.T) {
	v := newVault(t)
	e := entry("a")
	e.unknown = map[string]json.RawMessage{"future": json.RawMessage(`{"x": 1}`)}
	e.Stamps = map[Field]Stamp{"future": {MS: 1 << 50, Device: "other"}}
	id := add(t, v, e)
	edit(t, v, id, func(e *Entry) { e.Name = "b" })
	got, err := v.Get(id)
	if err != nil || string(got.unknown["future"]) != `{"x": 1}` || got.Stamps["future"].Device != "other" || got.Stamps[FieldName].MS != 1<<50+1 {
		t.Errorf("%+v %v, %v", got.unknown, got.Stamps, err)
	}
}

func TestUndo(t *testing.T) {
	v := newVault(t)
	if _, err := v.Undo(); !errors.Is(err, ErrNothing) {
		t.Errorf("Undo of nothing: %v", err)
	}
	e := entry("a")
	id := add(t, v, e)
	edit(t, v, id, func(e *Entry) { e.Name, e.Note = "b", "note" })
	edit(t, v, id, func(e *Entry) { e.Secret = secret.New([]byte("x")) })
	update(t, v, "delete", func(tx *Tx) error { return tx.Trash(id) })
	update(t, v, "restore", func(tx *Tx) error { return tx.Restore(id) })
	state := func() string {
		got, err := v.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(got.Name, " ", got.Note, " ", got.Secret.Equal(e.Secret), " ", got.Trashed != 0)
	}
	for _, want := range []struct{ op, state string }{
		{"restore", "b note false true"}, {"delete", "b note false false"}, {"edit", "b note true false"},
		{"edit", "a  true false"}, {"add", "a  true true"},
	} {
		u, err := v.Undo()
		if err != nil || u.Op != want.op || len(u.IDs) != 1 || u.IDs[0] != id || u.At == 0 {
			t.Errorf("Undo = %+v, %v, want %s", u, err, want.op)
		}
		if state() != want.state {
			t.Errorf("after undoing %s: %s, want %s", want.op, state(), want.state)
		}
		v = reopen(t, v)
	}
	if _, err := v.Undo(); !errors.Is(err, ErrNothing) {
		t.Errorf("Undo of nothing: %v", err)
	}
	// Nothing is lost: all versions are in the history.
	if h, err := v.History(id); err != nil || len(h) != 4 {
		t.Errorf("history of %d, %v", len(h), err)
	}
}

// Undoing a rename leaves a counter where it is.
func TestUndoKeepsCounter(t *testing.T) {
	v := newVault(t)
	e := entry("a")
	e.Type, e.Period = "hotp", 0
	id := add(t, v, e)
	edit(t, v, id, func(e *Entry) { e.Name = "b" })
	for range 3 {
		if err := v.Step(id, func(*Entry, uint64) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := v.Undo(); err != nil {
		t.Fatal(err)
	}
	if got, _ := v.Get(id); got.Name != "a" || got.Counter != 3 {
		t.Errorf("%q, counter %d", got.Name, got.Counter)
	}
}

// One change of many entries is undone as one.
func TestUndoOfMany(t *testing.T) {
	v := newVault(t)
	one := add(t, v, entry("one"))
	update(t, v, "secrets-file", func(tx *Tx) error {
		for i := range 50 {
			if _, _, err := tx.Add(entry(fmt.Sprint(i))); err != nil {
				return err
			}
		}
		if err := tx.Edit(one, func(e *Entry) error { e.Name = "uno"; return nil }); err != nil {
			return err
		}
		return tx.Edit(one, func(e *Entry) error { e.Name = "eins"; return nil })
	})
	u, err := v.Undo()
	if err != nil || u.Op != "secrets-file" || len(u.IDs) != 51 || len(u.Names) != 51 {
		t.Errorf("Undo = %s %d, %v", u.Op, len(u.IDs), err)
	}
	if list, _ := v.List(); names(list) != "one " {
		t.Errorf("List = %s", names(list))
	}
}

func TestJournalIsBounded(t *testing.T) {
	v := newVault(t)
	id := add(t, v, entry("0"))
	for i := range journalMost + 20 {
		edit(t, v, id, func(e *Entry) { e.Name = fmt.Sprint(i + 1) })
	}
	v = reopen(t, v)
	n := 0
	for ; ; n++ {
		if _, err := v.Undo(); errors.Is(err, ErrNothing) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := v.Get(id); n != journalMost || got.Name != "20" {
		t.Errorf("%d undone, name is %s", n, got.Name)
	}
}
