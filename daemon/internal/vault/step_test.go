package vault

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestStep(t *testing.T) {
	v := newVault(t)
	e := entry("counter")
	e.Type, e.Period, e.Counter = "hotp", 0, 5
	id := add(t, v, e)
	for want := uint64(5); want < 8; want++ {
		if want == 6 {
			if _, err := v.List(); err != nil { // from here on the list is kept current
				t.Fatal(err)
			}
		}
		err := v.Step(id, func(got *Entry, counter uint64) error {
			if counter != want || !got.Secret.Equal(e.Secret) {
				t.Errorf("counter = %d, want %d", counter, want)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if stored, err := v.Get(id); err != nil || stored.Counter != want+1 {
			t.Errorf("stored counter is %d, %v when the code is shown", stored.Counter, err)
		}
		if s, err := v.Resolve("counter"); err != nil || s.Counter != want+1 {
			t.Errorf("summary has %d, %v", s.Counter, err)
		}
	}
	if list, _ := v.List(); list[0].Counter != 8 {
		t.Errorf("list has %d", list[0].Counter)
	}
	if h, err := v.History(id); len(h) != 0 || err != nil {
		t.Errorf("steps left %d versions, %v", len(h), err)
	}
	if u, err := v.Undo(); err != nil || u.Op != "add" {
		t.Errorf("Undo = %v, %v", u, err)
	}
	if err := v.Step(id, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("Step in the trash: %v", err)
	}
	if err := v.Step(add(t, v, entry("totp")), nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("Step of totp: %v", err)
	}
	e.Counter = 1<<64 - 1
	if err := v.Step(add(t, v, e), nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("Step beyond the last: %v", err)
	}
}

// A code that cannot be computed costs no counter.
func TestStepThatFails(t *testing.T) {
	v := newVault(t)
	e := entry("counter")
	e.Type, e.Period, e.Counter = "hotp", 0, 5
	id := add(t, v, e)
	boom := errors.New("boom")
	for range 3 {
		if err := v.Step(id, func(*Entry, uint64) error { return boom }); !errors.Is(err, boom) {
			t.Errorf("Step = %v", err)
		}
	}
	var counter uint64
	if err := v.Step(id, func(_ *Entry, c uint64) error { counter = c; return nil }); err != nil || counter != 5 {
		t.Errorf("Step after failures: counter %d, %v", counter, err)
	}
	if got, err := v.Get(id); err != nil || got.Counter != 6 {
		t.Errorf("stored counter is %d, %v", got.Counter, err)
	}
}

func TestPurgeTrash(t *testing.T) {
	c := newClock()
	path := filepath.Join(t.TempDir(), "vault.db")
	v, err := Create(path, testVaultID, testSlots(), Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { v.Close() }()
	var ids []ID
	for i := range 3 {
		ids = append(ids, add(t, v, entry(fmt.Sprint("e", i))))
	}
	update(t, v, "edit", func(tx *Tx) error { return tx.Edit(ids[0], func(e *Entry) error { e.Note = "n"; return nil }) })
	update(t, v, "delete", func(tx *Tx) error { return tx.Trash(ids[0]) })
	c.add(time.Hour)
	update(t, v, "delete", func(tx *Tx) error { return tx.Trash(ids[1]) })
	if n, err := v.PurgeTrash(0); n != 1 || err != nil {
		t.Errorf("PurgeTrash = %d, %v", n, err)
	}
	if _, err := v.Get(ids[0]); !errors.Is(err, ErrNotFound) {
		t.Errorf("Get of a purged entry: %v", err)
	}
	if h, err := v.History(ids[0]); len(h) != 0 || err != nil {
		t.Errorf("History of a purged entry: %d, %v", len(h), err)
	}
	if live, trashed := v.Count(); live != 1 || trashed != 1 {
		t.Errorf("Count = %d, %d", live, trashed)
	}
	// Undo says once of each change that it is gone, so that nobody undoes what
	// they did not mean. The deletion and the edit of e0, and its adding, are.
	for _, want := range []string{"delete e1", "", "", "add e2", "add e1", ""} {
		u, err := v.Undo()
		if want == "" {
			if !errors.Is(err, ErrNothing) || !strings.Contains(err.Error(), "beyond undo") {
				t.Errorf("Undo = %+v, %v, of a change whose entry is gone", u, err)
			}
		} else if err != nil || len(u.Names) != 1 || u.Op+" "+u.Names[0] != want {
			t.Errorf("Undo = %+v, %v, want %s", u, err, want)
		}
	}
	if u, err := v.Undo(); !errors.Is(err, ErrNothing) || strings.Contains(err.Error(), "beyond") {
		t.Errorf("Undo = %+v, %v", u, err)
	}
}
