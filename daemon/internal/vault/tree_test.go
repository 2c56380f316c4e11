package vault

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"testing"
)

// pagesOf returns the pages of a vault file, which are parts of it.
func pagesOf(data []byte) (pages [][]byte) {
	size := int(native.Uint32(data[pageHead+8:]))
	for ; len(data) >= size; data = data[size:] {
		pages = append(pages, data[:size:size])
	}
	return pages
}

// deepVault is a vault whose trees have branches below branches, and free
// pages; and its pages by what they are.
func deepVault(t *testing.T) (data []byte, branches, upper [][]byte) {
	v := newVault(t)
	fill(t, v, 3000)
	for range 3 {
		add(t, v, entry("one more"))
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(v.path)
	if err != nil {
		t.Fatal(err)
	}
	branches, upper = branchesOf(data)
	if len(upper) == 0 || len(upper) == len(branches) {
		t.Fatalf("%d of %d branch pages lead to branch pages", len(upper), len(branches))
	}
	return data, branches, upper
}

// branchesOf returns the branch pages that are in use, and those of them that
// lead to others.
func branchesOf(data []byte) (all, upper [][]byte) {
	pages := pagesOf(data)
	free := map[uint64]bool{}
	list := freelistOf(data)
	for i := range int(native.Uint16(list[10:])) {
		free[native.Uint64(list[pageHead+8*i:])] = true
	}
	for id, p := range pages[2:] {
		if flagsOf(p) != flagBranch || free[uint64(id+2)] {
			continue
		}
		all = append(all, p)
		if flagsOf(pages[native.Uint64(p[pageHead+8:])]) == flagBranch {
			upper = append(upper, p)
		}
	}
	return all, upper
}

func metaOf(data []byte) (m boltMeta) {
	size := int(native.Uint32(data[pageHead+8:]))
	m, _ = readBoltMeta(bytes.NewReader(data), size, 0)
	if other, _ := readBoltMeta(bytes.NewReader(data), size, 1); other.change > m.change {
		m = other
	}
	return m
}

func freelistOf(data []byte) []byte { return pagesOf(data)[metaOf(data).freelist] }

// Each of these would end the process without a way to recover: by a stack that
// overflows, or by memory for billions of pages.
func TestHarmfulPages(t *testing.T) {
	data, _, _ := deepVault(t)
	child := func(p []byte, i int) []byte { return p[pageHead+i*elementSize+8:] }
	for what, harm := range map[string]func(data []byte, branches, upper [][]byte){
		"a branch that leads to itself": func(_ []byte, branches, _ [][]byte) {
			for _, b := range branches {
				native.PutUint64(child(b, 1), native.Uint64(b))
			}
		},
		"a branch that leads to its parent": func(data []byte, _, upper [][]byte) {
			below := pagesOf(data)[native.Uint64(child(upper[0], 1))]
			native.PutUint64(child(below, 0), native.Uint64(upper[0]))
		},
		"the last branch leads to its parent by a leaf": func(data []byte, _, upper [][]byte) {
			below := pagesOf(data)[native.Uint64(child(upper[0], 1))]
			last := int(native.Uint16(below[10:])) - 1
			native.PutUint64(child(below, last), native.Uint64(upper[0]))
		},
		"a leaf in two places": func(_ []byte, branches, _ [][]byte) {
			copy(child(branches[0], 1), child(branches[0], 0)[:8])
		},
		"a page beyond the end": func(_ []byte, branches, _ [][]byte) {
			native.PutUint64(child(branches[0], 0), 1<<40)
		},
		"a branch without children": func(_ []byte, branches, _ [][]byte) { native.PutUint16(branches[0][10:], 0) },
		"more children than room":   func(_ []byte, branches, _ [][]byte) { native.PutUint16(branches[0][10:], 0xFFFF) },
		"a branch that goes on":     func(_ []byte, branches, _ [][]byte) { native.PutUint32(branches[0][12:], 1<<31) },
		"a free list of billions": func(data []byte, _, _ [][]byte) {
			list := freelistOf(data)
			native.PutUint16(list[10:], 0xFFFF)
			native.PutUint64(list[pageHead:], 1<<36)
		},
		"a free list that goes on": func(data []byte, _, _ [][]byte) { native.PutUint32(freelistOf(data)[12:], 1<<31) },
		"a free list of pages in use": func(data []byte, branches, _ [][]byte) {
			list := freelistOf(data)
			native.PutUint64(list[pageHead:], native.Uint64(child(branches[0], 0)))
		},
		"a bucket within the page that leads to itself": func(data []byte, _, _ [][]byte) {
			inline := inlineBucket(t, data)
			native.PutUint16(inline[8:], flagBranch)
			clear(inline[pageHead:][:elementSize])
		},
		"a bucket with a value of gigabytes": func(data []byte, _, _ [][]byte) {
			inline := inlineBucket(t, data)
			native.PutUint32(inline[pageHead+12:], 1<<31-1)
		},
	} {
		bad := bytes.Clone(data)
		branches, upper := branchesOf(bad)
		harm(bad, branches, upper)
		if bytes.Equal(bad, data) {
			t.Fatalf("%s: nothing was changed", what)
		}
		refused(t, what, write(t, bad), ErrCorrupt)
	}
	refused(t, "the file a page shorter than it says", write(t, data[:len(data)-len(pagesOf(data)[0])*(len(pagesOf(data))-int(metaOf(data).pages)+1)]), ErrCorrupt)
	openVault(t, write(t, data), Options{})
}

// inlineBucket returns what stands in place of a page in a small bucket.
func inlineBucket(t *testing.T, data []byte) (inline []byte) {
	t.Helper()
	root := pagesOf(data)[metaOf(data).root]
	if err := eachValue(root, func(_ uint32, value []byte) error {
		if native.Uint64(value) == 0 && native.Uint16(value[bucketHead+10:]) > 0 {
			inline = value[bucketHead:]
		}
		return nil
	}); err != nil || inline == nil {
		t.Fatalf("no bucket within the page: %v", err)
	}
	return inline
}

// A value that claims gigabytes costs none.
func TestHarmfulValue(t *testing.T) {
	var entries []Entry
	for range 20 { // fewer have no pages of their own
		entries = append(entries, entry("a"))
	}
	data, ids := vaultFile(t, entries...)
	harmed := 0
	for _, p := range pagesOf(data)[2:] {
		if flagsOf(p) != flagLeaf {
			continue
		}
		heads, err := elements(p)
		if err != nil {
			t.Fatal(err)
		}
		for ; len(heads) > 0; heads = heads[elementSize:] {
			if native.Uint32(heads) == 0 && native.Uint32(heads[12:]) > 200 {
				native.PutUint32(heads[12:], 1<<31-1-1<<16)
				harmed++
			}
		}
	}
	if harmed < 4 {
		t.Fatalf("%d values harmed", harmed)
	}
	v, err := Open(write(t, data), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if v.keys, err = newKeys(bytes.Repeat([]byte{1}, 32), v.id); err != nil { // any will do
		t.Fatal(err)
	}
	v.live = len(ids)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for what, read := range map[string]func() error{
		"Get":     func() error { _, err := v.Get(ids[0]); return err },
		"Summary": func() error { _, err := v.Summary(ids[0]); return err },
		"List":    func() error { _, err := v.List(); return err },
		"Meta":    func() error { _, err := v.readMeta(v.keys, metaCount); return err },
		"Update": func() error {
			return v.Update("x", func(tx *Tx) error { _, err := tx.Get(ids[0]); return err })
		},
	} {
		if err := read(); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", what, err)
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 10<<20 {
		t.Errorf("%d bytes were allocated", n)
	}
}
