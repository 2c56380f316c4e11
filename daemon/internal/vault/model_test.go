package vault

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/o2fa/o2fa/internal/secret"
)

// model is what a vault should do, said as simply as possible: maps, and a copy
// of the whole state before each change that can be undone.
type model struct {
	entries map[ID]modelEntry
	undo    []modelChange
	meta    string
}

type modelEntry struct {
	name, note, secret string
	counter            uint64
	hotp, trashed      bool
	versions           int
}

type modelChange struct {
	op     string
	before map[ID]modelEntry // of the entries that it touched; those it added are missing
	ids    []ID
}

func (m *model) live() (ids []ID) {
	for id, e := range m.entries {
		if !e.trashed {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b ID) int { return cmp.Compare(a.String(), b.String()) })
	return ids
}

// TestAgainstModel does random changes to a vault and to the model, opens the
// file again now and then, and compares everything that can be read.
func TestAgainstModel(t *testing.T) {
	rounds := 15
	if testing.Short() || raceEnabled {
		rounds = 5
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for round := range rounds {
		r := rand.New(rand.NewPCG(seed, uint64(round)))
		runModel(t, r)
		if t.Failed() {
			t.Fatalf("round %d of seed %d", round, seed)
		}
	}
}

func runModel(t *testing.T, r *rand.Rand) {
	c := newClock()
	v, err := Create(filepath.Join(t.TempDir(), "vault.db"), testVaultID, testSlots(), Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { v.Close() }()
	m := &model{entries: map[ID]modelEntry{}}
	for range 60 {
		c.add(time.Duration(r.IntN(5000)-1000) * time.Millisecond)
		switch n := r.IntN(20); {
		case n < 11:
			m.change(t, r, v)
		case n < 14:
			m.undoLast(t, v)
		case n < 16:
			m.step(t, r, v)
		case n < 17:
			m.purge(t, v)
		case n < 18:
			m.failed(t, r, v)
		case n < 19 && r.IntN(2) == 0:
			v = rekeyed(t, v, nil, nil)
		case n < 19:
			v = reopen(t, v)
		default:
			v.Lock()
			if err := v.Unlock(testSlotID, testSlotKey()); err != nil {
				t.Fatal(err)
			}
		}
		m.compare(t, v)
		if t.Failed() {
			return
		}
	}
}

// pick returns a random live entry.
func (m *model) pick(r *rand.Rand) (ID, bool) {
	ids := m.live()
	if len(ids) == 0 {
		return ID{}, false
	}
	return ids[r.IntN(len(ids))], true
}

// change makes one change of several deeds.
func (m *model) change(t *testing.T, r *rand.Rand, v *Vault) {
	ch := modelChange{op: fmt.Sprint("op", r.IntN(5)), before: map[ID]modelEntry{}}
	after := maps.Clone(m.entries)
	meta := m.meta
	touch := func(id ID) {
		if !slices.Contains(ch.ids, id) {
			ch.ids = append(ch.ids, id)
			if e, was := m.entries[id]; was {
				ch.before[id] = e
			}
		}
	}
	scratch := &model{entries: after}
	update(t, v, ch.op, func(tx *Tx) error {
		for range 1 + r.IntN(4) {
			if err := scratch.deed(r, tx, touch, &meta); err != nil {
				return err
			}
		}
		return nil
	})
	m.entries, m.meta = after, meta
	if len(ch.ids) > 0 {
		m.undo = append(m.undo, ch)
	}
}

var modelNames = []string{"GitHub", "github", "Straße", "STRASSE", "mail", "", "é", "x:y"}

// deed does one thing within a change.
func (m *model) deed(r *rand.Rand, tx *Tx, touch func(ID), meta *string) error {
	id, any := m.pick(r)
	e := m.entries[id]
	switch n := r.IntN(10); {
	case n < 4 || !any:
		fresh := modelEntry{name: modelNames[r.IntN(len(modelNames))], secret: fmt.Sprint("secret", r.IntN(6)), hotp: r.IntN(3) == 0}
		id, existed, err := tx.Add(fresh.entry())
		if err != nil {
			return err
		}
		// Edits may have made several that are the same: any of them will do.
		twin := func(o modelEntry) bool {
			return !o.trashed && o.name == fresh.name && o.secret == fresh.secret && o.hotp == fresh.hotp
		}
		if want := slices.ContainsFunc(slices.Collect(maps.Values(m.entries)), twin); existed != want {
			return fmt.Errorf("existed is %t, want %t", existed, want)
		}
		if existed {
			if !twin(m.entries[id]) {
				return errors.New("the duplicate is another entry")
			}
			return nil
		}
		touch(id)
		m.entries[id] = fresh
	case n < 7:
		was := e
		e.name = modelNames[r.IntN(len(modelNames))]
		if r.IntN(3) == 0 {
			e.secret = fmt.Sprint("secret", r.IntN(6))
		}
		e.note = fmt.Sprint("note", r.IntN(3))
		if e == was {
			return tx.Edit(id, func(*Entry) error { return nil })
		}
		touch(id)
		e.versions++
		m.entries[id] = e
		return tx.Edit(id, func(got *Entry) error {
			got.Name, got.Note, got.Secret = e.name, e.note, secret.New([]byte(e.secret))
			return nil
		})
	case n < 9:
		touch(id)
		e.trashed = true
		m.entries[id] = e
		if err := tx.Trash(id); err != nil {
			return err
		}
		if r.IntN(2) == 0 {
			e.trashed = false
			m.entries[id] = e
			return tx.Restore(id)
		}
	default:
		*meta = fmt.Sprint("meta", r.IntN(100))
		return tx.PutMeta("m", []byte(*meta))
	}
	return nil
}

func (e modelEntry) entry() Entry {
	out := Entry{Type: "totp", Period: 30, Name: e.name, Note: e.note, Algorithm: "SHA1", Digits: 6,
		Secret: secret.New([]byte(e.secret)), Source: "added"}
	if e.hotp {
		out.Type, out.Period = "hotp", 0
	}
	return out
}

// undoLast undoes the last change, and restores in the model what it touched.
func (m *model) undoLast(t *testing.T, v *Vault) {
	got, err := v.Undo()
	if len(m.undo) == 0 {
		if !errors.Is(err, ErrNothing) {
			t.Errorf("Undo = %+v, %v", got, err)
		}
		return
	}
	ch := m.undo[len(m.undo)-1]
	m.undo = m.undo[:len(m.undo)-1]
	touched := 0
	for _, id := range ch.ids {
		now, there := m.entries[id]
		if !there {
			continue // purged
		}
		touched++
		before, was := ch.before[id]
		if !was {
			before = now // nothing goes back but that it is in the trash
			before.trashed = true
		}
		before.counter, before.versions = now.counter, now.versions
		m.entries[id] = before
	}
	switch {
	case touched == 0 && !errors.Is(err, ErrNothing):
		t.Errorf("Undo of what is gone = %+v, %v", got, err)
	case touched > 0 && (err != nil || got.Op != ch.op || len(got.IDs) != touched):
		t.Errorf("Undo = %+v, %v, want %s of %d", got, err, ch.op, touched)
	}
	m.reload(t, v, ch.ids)
}

// reload takes over what the model does not predict: how many versions an undo
// leaves, and the fields of an entry whose adding was undone with its edits.
func (m *model) reload(t *testing.T, v *Vault, ids []ID) {
	for _, id := range ids {
		e, there := m.entries[id]
		if !there {
			continue
		}
		h, err := v.History(id)
		got, err2 := v.Get(id)
		if err != nil || err2 != nil || len(h) < e.versions {
			t.Fatalf("%v, %v, %d versions, had %d", err, err2, len(h), e.versions)
		}
		e.versions = len(h)
		if e.trashed {
			e.name, e.note, e.secret = got.Name, got.Note, string(got.Secret.Reveal())
		}
		m.entries[id] = e
	}
}

func (m *model) step(t *testing.T, r *rand.Rand, v *Vault) {
	id, any := m.pick(r)
	e := m.entries[id]
	if !any || !e.hotp {
		return
	}
	err := v.Step(id, func(got *Entry, counter uint64) error {
		if counter != e.counter || string(got.Secret.Reveal()) != e.secret {
			t.Errorf("Step gave counter %d, want %d", counter, e.counter)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	e.counter++
	m.entries[id] = e
}

func (m *model) purge(t *testing.T, v *Vault) {
	want := 0
	for id, e := range m.entries {
		if e.trashed {
			delete(m.entries, id)
			want++
		}
	}
	if n, err := v.PurgeTrash(math.MinInt64); n != want || err != nil {
		t.Errorf("PurgeTrash = %d, %v, want %d", n, err, want)
	}
}

// failed makes a change that ends in an error, of which nothing may remain.
func (m *model) failed(t *testing.T, r *rand.Rand, v *Vault) {
	boom := errors.New("boom")
	scratch := &model{entries: maps.Clone(m.entries)}
	err := v.Update("x", func(tx *Tx) error {
		for range 3 {
			if err := scratch.deed(r, tx, func(ID) {}, new(string)); err != nil {
				return err
			}
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Errorf("Update = %v", err)
	}
}

// compare reads everything.
func (m *model) compare(t *testing.T, v *Vault) {
	live := m.live()
	if l, tr := v.Count(); l != len(live) || tr != len(m.entries)-len(live) {
		t.Errorf("Count = %d, %d, want %d, %d", l, tr, len(live), len(m.entries)-len(live))
	}
	list, err := v.List()
	if err != nil || len(list) != len(live) || !slices.IsSortedFunc(list, compareSummaries) {
		t.Errorf("List of %d, %v, want %d", len(list), err, len(live))
	}
	for _, s := range list {
		if e, there := m.entries[s.ID]; !there || e.trashed || e.name != s.Name || e.counter != s.Counter || s.Mask != mask([]byte(e.secret)) {
			t.Errorf("listed %+v, want %+v", s, e)
		}
	}
	if trash, err := v.Trash(); err != nil || len(trash) != len(m.entries)-len(live) {
		t.Errorf("Trash of %d, %v", len(trash), err)
	}
	for id, e := range m.entries {
		got, err := v.Get(id)
		if err != nil || got.Name != e.name || got.Note != e.note || string(got.Secret.Reveal()) != e.secret ||
			got.Counter != e.counter || (got.Trashed != 0) != e.trashed {
			t.Errorf("%s is %+v, %v, want %+v", id, got, err, e)
		}
		if h, err := v.History(id); err != nil || len(h) != e.versions {
			t.Errorf("%d versions, %v, want %d", len(h), err, e.versions)
		}
	}
	for _, name := range modelNames {
		m.compareFound(t, "name "+name, func(e modelEntry) bool { return name != "" && Fold(e.name) == Fold(name) },
			func() ([]Summary, error) { return v.Lookup(strings.ToUpper(name)) })
	}
	for i := range 6 {
		raw := fmt.Sprint("secret", i)
		m.compareFound(t, raw, func(e modelEntry) bool { return e.secret == raw },
			func() ([]Summary, error) { return v.FindSecret([]byte(raw)) })
	}
	if meta, err := v.Meta("m"); string(meta) != m.meta || err != nil {
		t.Errorf("meta is %q, %v, want %q", meta, err, m.meta)
	}
}

func (m *model) compareFound(t *testing.T, what string, want func(modelEntry) bool, find func() ([]Summary, error)) {
	found, err := find()
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
	n := 0
	for _, id := range m.live() {
		if want(m.entries[id]) {
			n++
			if !slices.ContainsFunc(found, func(s Summary) bool { return s.ID == id }) {
				t.Errorf("%s is not found by %s", id, what)
			}
		}
	}
	if len(found) != n {
		t.Errorf("%s finds %d, want %d", what, len(found), n)
	}
}
