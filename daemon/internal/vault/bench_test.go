package vault

import (
	"fmt"
	"path/filepath"
	"runtime"
	"testing"
)

// fill adds n entries in one change.
func fill(t testing.TB, v *Vault, n int) {
	t.Helper()
	update(t, v, "secrets-file", func(tx *Tx) error {
		for i := range n {
			e := entry(fmt.Sprintf("Service%06d:alice@example.com", i))
			e.Issuer, e.Account = fmt.Sprintf("Service%06d", i), "alice@example.com"
			if _, _, err := tx.Add(e); err != nil {
				return err
			}
		}
		return nil
	})
}

// BenchmarkCode is what a code costs in here: an exact name, one record.
func BenchmarkCode(b *testing.B) {
	for _, n := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			v := newVault(b)
			fill(b, v, n)
			b.ReportAllocs()
			for b.Loop() {
				s, err := v.Resolve("Service000005:alice@example.com")
				if err != nil {
					b.Fatal(err)
				}
				if err := v.OpenSecret(s.ID, func(e *Entry) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpenSecret(b *testing.B) {
	v := newVault(b)
	id := add(b, v, entry("GitHub:alice@example.com"))
	b.ReportAllocs()
	for b.Loop() {
		if err := v.OpenSecret(id, func(e *Entry) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFirstCode is the start: open, unlock, first exact name.
func BenchmarkFirstCode(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			v := newVault(b)
			fill(b, v, n)
			if err := v.Close(); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				v, err := Open(v.path, Options{})
				if err != nil {
					b.Fatal(err)
				}
				if err := v.Unlock(testSlotID, testSlotKey()); err != nil {
					b.Fatal(err)
				}
				if _, err := v.Resolve("Service000005:alice@example.com"); err != nil {
					b.Fatal(err)
				}
				if err := v.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkList(b *testing.B) {
	v := newVault(b)
	fill(b, v, 10_000)
	k, err := v.unlocked()
	if err != nil {
		b.Fatal(err)
	}
	defer k.release()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.readSummaries(k, bucketSummary); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAddOne(b *testing.B) {
	v := newVault(b)
	fill(b, v, 1000)
	for b.Loop() {
		add(b, v, entry("new"))
	}
}

// A vault of several levels of pages does all that a small one does. How long it
// takes is measured by bench/cmd/scale, not here.
func TestLargeVault(t *testing.T) {
	const n = 10_000
	v := newVault(t)
	fill(t, v, n)
	v = reopen(t, v)
	s, err := v.Resolve(fmt.Sprintf("service%06d:alice@example.com", n/2))
	if err != nil {
		t.Fatal(err)
	}
	if err := v.OpenSecret(s.ID, func(*Entry) error { return nil }); err != nil {
		t.Fatal(err)
	}
	list, err := v.List()
	if err != nil || len(list) != n {
		t.Fatalf("List: %d, %v", len(list), err)
	}
	add(t, v, entry("one more"))
	if list, err := v.List(); err != nil || len(list) != n+1 {
		t.Fatalf("List: %d, %v", len(list), err)
	}
	list = list[:n/5]
	update(t, v, "delete", func(tx *Tx) error {
		for _, s := range list {
			if err := tx.Trash(s.ID); err != nil {
				return err
			}
		}
		return nil
	})
	u, err := v.Undo()
	if err != nil || len(u.IDs) != len(list) {
		t.Errorf("Undo = %d, %v", len(u.IDs), err)
	}
	if live, trashed := v.Count(); live != n+1 || trashed != 0 {
		t.Errorf("%d live, %d in the trash", live, trashed)
	}
}

// What an idle vault keeps in memory must not grow with its entries before the
// first list.
func TestIdleMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.db")
	v, err := Create(path, testVaultID, testSlots(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, v, 1000)
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	v = openVault(t, path, Options{})
	if _, err := v.Resolve("service000005:alice@example.com"); err != nil {
		t.Fatal(err)
	}
	grown := int64(heap()) - int64(before)
	t.Logf("an open vault of 1,000 entries: %d bytes of heap", grown)
	if grown > 100<<10 {
		t.Errorf("%d bytes", grown)
	}
	if _, err := v.List(); err != nil {
		t.Fatal(err)
	}
	t.Logf("with its list: %d bytes", int64(heap())-int64(before))
}
