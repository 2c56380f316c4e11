package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/internal/secret"
)

// backUp writes a backup of v to a file of its own.
func backUp(t testing.TB, v *Vault) (path string, m Manifest) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "b.backup"))
	if err != nil {
		t.Fatal(err)
	}
	m, err = v.WriteBackup(f, Manifest{Name: "b.backup", Made: 1, Release: "0.1.0"})
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return f.Name(), m
}

// verified opens a backup by the test's slot and verifies it.
func verified(t testing.TB, path string) (Report, error) {
	t.Helper()
	b, err := OpenBackup(path, Options{})
	if err != nil {
		return Report{}, err
	}
	defer b.Close()
	if err := b.Unlock(testSlotID, testSlotKey()); err != nil {
		return Report{}, err
	}
	return b.Verify(t.Context(), func(*Entry) error { return nil })
}

// wander makes random changes of every kind.
func wander(t testing.TB, v *Vault, rng *mathrand.Rand, steps int) {
	t.Helper()
	var ids []ID
	for range steps {
		kind := rng.IntN(10)
		if len(ids) < 3 {
			kind = 0
		}
		id := ID{}
		if len(ids) > 0 {
			id = ids[rng.IntN(len(ids))]
		}
		var err error
		switch {
		case kind < 4:
			e := entry(strings.Repeat("ü", rng.IntN(40)) + fmt.Sprint(rng.Uint64()))
			e.Note = strings.Repeat("note ", rng.IntN(700))
			if rng.IntN(3) == 0 {
				e.Type, e.Period = "hotp", 0
			}
			ids = append(ids, add(t, v, e))
		case kind < 6:
			err = v.Update("edit", func(tx *Tx) error {
				return tx.Edit(id, func(e *Entry) error { e.Name += "x"; return nil })
			})
		case kind < 7:
			err = v.Update("delete", func(tx *Tx) error { return tx.Trash(id) })
		case kind < 8:
			err = v.Step(id, func(*Entry, uint64) error { return nil })
		case kind < 9:
			_, err = v.Undo()
		default:
			_, err = v.Empty(nil)
			ids = slices.DeleteFunc(ids, func(id ID) bool { _, err := v.Summary(id); return err != nil })
		}
		if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrNothing) {
			t.Fatal(err)
		}
	}
}

// content returns all that a vault holds of entries, as text.
func content(t testing.TB, v *Vault) string {
	t.Helper()
	live, err := v.List()
	if err != nil {
		t.Fatal(err)
	}
	trash, err := v.Trash()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for _, s := range slices.Concat(live, trash) {
		e, err := v.Get(s.ID)
		if err != nil {
			t.Fatal(err)
		}
		versions, err := v.History(s.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range append(versions, e) {
			b.Write(e.AppendJSON(nil))
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// TestBackupHoldsEverything: a backup of a vault after any changes verifies, and
// holds what the vault held when it was made, whatever happens to that later. It
// is a vault by itself, too, with its trailer and without.
func TestBackupHoldsEverything(t *testing.T) {
	seed := mathrand.Uint64()
	t.Logf("seed %d", seed)
	for round := range 12 {
		rng := mathrand.New(mathrand.NewPCG(seed, uint64(round)))
		v := newVault(t)
		wander(t, v, rng, 5+rng.IntN(60))
		want := content(t, v)
		live, trashed := v.Count()
		path, m := backUp(t, v)
		wander(t, v, rng, 10)
		if m.Entries != live || m.Trashed != trashed {
			t.Errorf("%d and %d entries in the manifest, not %d and %d", m.Entries, m.Trashed, live, trashed)
		}
		r, err := verified(t, path)
		if err != nil || r.Entries != live || r.Trashed != trashed || r.Slots != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		for _, size := range []int64{0, m.Size} {
			bare := write(t, read(t, path))
			if size > 0 {
				if err := os.Truncate(bare, size); err != nil {
					t.Fatal(err)
				}
			}
			w := openVault(t, bare, Options{})
			if got := content(t, w); got != want {
				t.Error("the vault holds something else")
			}
			add(t, w, entry("later")) // over the trailer
			w = reopen(t, w)
			if l, _ := w.Count(); l != live+1 {
				t.Errorf("%d entries after one more than %d", l, live)
			}
		}
	}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestBackupAltered changes each region of a backup, in many places: none of
// that verifies.
func TestBackupAltered(t *testing.T) {
	v := newVault(t)
	wander(t, v, mathrand.New(mathrand.NewPCG(1, 2)), 40)
	path, m := backUp(t, v)
	data := read(t, path)
	wrong := func(what string, bad []byte) {
		t.Helper()
		if _, err := verified(t, write(t, bad)); err == nil {
			t.Errorf("%s verifies", what)
		}
	}
	if _, err := verified(t, write(t, data)); err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(data); at += 1 + at%97 {
		bad := bytes.Clone(data)
		bad[at] ^= 1 << (at % 8)
		wrong(fmt.Sprintf("byte %d of %d changed", at, len(data)), bad)
	}
	for at := int(m.Size); at < len(data); at++ { // the seal
		bad := bytes.Clone(data)
		bad[at] ^= 0x10
		wrong(fmt.Sprintf("byte %d of the seal changed", at-int(m.Size)), bad)
	}
	for _, cut := range []int{1, trailerEnd, len(data) - int(m.Size), len(data)/2 + 1, len(data) - 1} {
		wrong(fmt.Sprintf("cut by %d bytes", cut), data[:len(data)-cut])
	}
	wrong("longer", append(bytes.Clone(data), 0))
	// Rolled back: an older copy under a newer seal, and the other way round.
	add(t, v, entry("newer"))
	later, n := backUp(t, v)
	newer := read(t, later)
	wrong("the older copy under the newer seal", slices.Concat(data[:m.Size], newer[n.Size:]))
	wrong("the newer copy under the older seal", slices.Concat(newer[:n.Size], data[m.Size:]))
	wrong("page 1 of another time", slices.Concat(newer[:4096], data[4096:]))
}

// TestBackupOfAnotherVault: its seal does not open, even if both have one key.
func TestBackupOfAnotherVault(t *testing.T) {
	v, other := newVault(t), newVault(t)
	add(t, v, entry("one"))
	add(t, other, entry("one"))
	path, m := backUp(t, v)
	foreign, n := backUp(t, other)
	if b, err := v.OpenOwn(foreign); !errors.Is(err, ErrWrongKey) {
		t.Error("a backup under another vault key opens", b, err)
	}
	mixed := write(t, slices.Concat(read(t, path)[:m.Size], read(t, foreign)[n.Size:]))
	if _, err := verified(t, mixed); !errors.Is(err, ErrCorrupt) {
		t.Errorf("the seal of another vault: %v", err)
	}
	b, err := v.OpenOwn(path)
	if err != nil {
		t.Fatal(err)
	}
	v.Lock() // the backup holds the keys still
	if _, err := b.Verify(t.Context(), func(*Entry) error { return nil }); err != nil {
		t.Error(err)
	}
	b.Close()
	if _, err := b.Verify(t.Context(), func(*Entry) error { return nil }); !errors.Is(err, ErrLocked) {
		t.Errorf("closed: %v", err)
	}
	if _, err := v.WriteBackup(&bytes.Buffer{}, Manifest{}); !errors.Is(err, ErrLocked) {
		t.Errorf("a backup while locked: %v", err)
	}
}

// TestBareCopy: a copy of vault.db is told from a backup, and what can be looked
// at in it is.
func TestBareCopy(t *testing.T) {
	v := newVault(t)
	add(t, v, entry("one"))
	v = reopen(t, v)
	r, err := verified(t, write(t, read(t, v.path)))
	if !errors.Is(err, ErrNoSeal) || r.Entries != 1 || r.Slots != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := OpenBackup(write(t, []byte("nothing of the kind")), Options{}); err == nil {
		t.Error("a text opens")
	}
}

// TestStateNamesChanges: what is worth a backup gives the vault another state,
// and nothing else does.
func TestStateNamesChanges(t *testing.T) {
	told := 0
	v, err := Create(filepath.Join(t.TempDir(), "vault.db"), testVaultID, testSlots(), Options{Now: newClock().now, Changed: func() { told++ }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	last, count := "", 0
	state := func(what string, changes bool) {
		t.Helper()
		now, err := v.State()
		if err != nil {
			t.Fatal(err)
		}
		if (now != last) != changes || (told > count) != changes {
			t.Errorf("%s: from %q to %q, told %d times more", what, last, now, told-count)
		}
		last, count = now, told
	}
	state("an empty vault", false)
	e := entry("one")
	e.Type, e.Period = "hotp", 0
	id := add(t, v, e)
	state("adding", true)
	update(t, v, "edit", func(tx *Tx) error { return tx.Edit(id, func(e *Entry) error { e.Name = "two"; return nil }) })
	state("editing", true)
	if err := v.Step(id, func(*Entry, uint64) error { return nil }); err != nil {
		t.Fatal(err)
	}
	state("a step of a counter", true)
	update(t, v, "", func(tx *Tx) error { return tx.PutMeta("note", []byte("x")) })
	state("a note of the daemon", false)
	if _, err := v.List(); err != nil {
		t.Fatal(err)
	}
	state("reading", false)
	if err := v.AddSlot(slot(1)); err != nil {
		t.Fatal(err)
	}
	state("a key slot", true)
	update(t, v, "delete", func(tx *Tx) error { return tx.Trash(id) })
	state("deleting", true)
	if _, err := v.Empty(nil); err != nil {
		t.Fatal(err)
	}
	state("emptying the trash", true)
	v = reopen(t, v)
	state("a restart", false)
	old := v
	if v, err = v.Rekey([][16]byte{slot(1).ID}, nil); err != nil {
		t.Fatal(err)
	}
	old.Close()
	t.Cleanup(func() { v.Close() })
	if now, err := v.State(); err != nil || now == last || now == "" {
		t.Errorf("a rekeyed vault: %q, %v", now, err)
	}
}

// TestBackupMeetsBadTarget: what the target says is what the caller hears.
func TestBackupMeetsBadTarget(t *testing.T) {
	v := newVault(t)
	add(t, v, entry("one"))
	want := errors.New("no more")
	for _, most := range []int{0, 1, 5000, 20_000} {
		if _, err := v.WriteBackup(&shortTarget{most, want}, Manifest{}); !errors.Is(err, want) {
			t.Errorf("after %d bytes: %v", most, err)
		}
	}
	add(t, v, entry("two")) // goes on
}

// shortTarget takes so many bytes.
type shortTarget struct {
	left int
	err  error
}

func (f *shortTarget) Write(p []byte) (int, error) {
	if len(p) > f.left {
		return f.left, f.err
	}
	f.left -= len(p)
	return len(p), nil
}

// TestBackupWhileChanging: backups that are made while others change the vault
// are each of one moment.
func TestBackupWhileChanging(t *testing.T) {
	v := newVault(t)
	fill(t, v, 500)
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(done)
		for i := 0; ctx.Err() == nil; i++ {
			add(t, v, entry(fmt.Sprint("more ", i)))
		}
	}()
	for range 10 {
		path, m := backUp(t, v)
		r, err := verified(t, path)
		if err != nil || r.Entries != m.Entries {
			t.Errorf("%+v, %+v, %v", r, m, err)
		}
	}
	cancel()
	<-done
}

// TestUnlockFrom opens a backup by a slot that is there still.
func TestUnlockFrom(t *testing.T) {
	v := newVault(t)
	add(t, v, entry("one"))
	if err := v.AddSlot(slot(1)); err != nil {
		t.Fatal(err)
	}
	path, _ := backUp(t, v)
	open := func(current *Vault) error {
		b, err := OpenBackup(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if err := b.UnlockFrom(current); err != nil {
			return err
		}
		_, err = b.Verify(t.Context(), func(*Entry) error { return nil })
		return err
	}
	v = rekeyed(t, v, [][16]byte{testSlotID}, []NewSlot{slot(2)})
	if err := open(v); err != nil {
		t.Error(err)
	}
	v = rekeyed(t, v, [][16]byte{slot(1).ID}, nil)
	if err := open(v); !errors.Is(err, ErrWrongKey) {
		t.Errorf("no slot in common: %v", err)
	}
	if _, err := v.OpenOwn(path); !errors.Is(err, ErrWrongKey) {
		t.Errorf("by the new vault key: %v", err)
	}
}

// FuzzTrailer: whatever stands at the end of a file, reading it is bounded.
func FuzzTrailer(f *testing.F) {
	key := secret.New(bytes.Repeat([]byte{1}, 32))
	f.Add([]byte(backupMark))
	f.Add([]byte("\x00\x00\x00\x00" + backupMark))
	f.Add([]byte("\xff\xff\xff\xff" + backupMark))
	f.Add([]byte("x\x00\x00\x00\x01" + backupMark))
	f.Add(append(key.Reveal(), "\x00\x00\x00\x21"+backupMark...))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parseTrailer(bytes.NewReader(data), int64(len(data)))
		if got == nil {
			return
		}
		if err != nil || got.size+int64(len(got.envelope)+trailerEnd) != int64(len(data)) {
			t.Errorf("%d of %d bytes, %v", got.size, len(data), err)
		}
	})
}

// FuzzBackup changes a backup in any way: it opens no more, or is found out.
func FuzzBackup(f *testing.F) {
	v := newVault(f)
	wander(f, v, mathrand.New(mathrand.NewPCG(3, 4)), 12)
	path, _ := backUp(f, v)
	data := read(f, path)
	f.Add(0, []byte{1}, 0)
	f.Add(4096, []byte{0xff, 0xff, 0xff}, 0)
	f.Add(len(data)-20, []byte{1, 2, 3, 4}, 0)
	f.Add(len(data)-1, []byte{0}, 1)
	f.Fuzz(func(t *testing.T, at int, xor []byte, cut int) {
		bad := bytes.Clone(data)
		for i, x := range xor {
			if j := at + i; j >= 0 && j < len(bad) {
				bad[j] ^= x
			}
		}
		if cut > 0 && cut <= len(bad) {
			bad = bad[:len(bad)-cut]
		}
		if _, err := verified(t, write(t, bad)); err == nil && !bytes.Equal(bad, data) {
			t.Error("it verifies")
		}
	})
}
