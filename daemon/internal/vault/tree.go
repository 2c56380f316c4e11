package vault

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
	"io"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// What bbolt keeps in its pages, in the byte order of the machine. Every page
// has a head; the first two pages hold a record whose last field is the FNV-1a
// sum of what is before it; branch and leaf pages begin with their elements.
const (
	pageHead    = 16 // id u64, flags u16, elements u16, further pages u32
	metaSize    = 64 // magic, version, page size, flags u32; root, sequence, free list, pages, change, sum u64
	metaSumAt   = metaSize - 8
	elementSize = 16 // branch: position, key size u32, page u64; leaf: flags, position, key size, value size u32
	bucketHead  = 16 // root u64, 0 for a page within the value; sequence u64
)

// Flags of pages, and of the elements of leaf pages.
const (
	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10
	flagBucket   = 0x01
)

// boltMagic stands at the beginning of the record, boltVersion after it.
const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2
)

// maxDepth bounds the levels of a tree; a hundred thousand entries make three.
const maxDepth = 64

var native = binary.NativeEndian

// boltMeta is what one of the first two pages names.
type boltMeta struct{ root, freelist, pages, change uint64 }

// readBoltMeta reads the first page or the second. It is not ok if the page
// does not hold.
func readBoltMeta(file io.ReaderAt, pageSize, page int) (m boltMeta, ok bool) {
	var b [metaSize]byte
	if _, err := file.ReadAt(b[:], int64(page*pageSize)+pageHead); err != nil {
		return m, false
	}
	sum := fnv.New64a()
	sum.Write(b[:metaSumAt])
	m = boltMeta{native.Uint64(b[16:]), native.Uint64(b[32:]), native.Uint64(b[40:]), native.Uint64(b[48:])}
	return m, native.Uint32(b[:]) == boltMagic && native.Uint32(b[4:]) == boltVersion && native.Uint64(b[metaSumAt:]) == sum.Sum64()
}

// torn reports whether one of the first two pages does not hold. They are
// written in turns, and bbolt goes on with the other one, which is right after
// a power cut in the middle of a change; but after damage it is the state
// before a change that was acknowledged.
func torn(file io.ReaderAt, pageSize int) bool {
	_, first := readBoltMeta(file, pageSize, 0)
	_, second := readBoltMeta(file, pageSize, 1)
	return !first || !second
}

// tree looks at pages before bbolt does, which believes them: a free list that
// claims billions of pages fills the memory, and a branch page that leads back
// to itself overflows the stack. Neither can be recovered from, and both would
// end the daemon at every start.
type tree struct {
	file     io.ReaderAt
	pageSize int
	seen     []bool // pages that something has led to
	buf      []byte // the page that was read last
}

// checkTree walks the free list and the branch pages, about one page in a
// hundred, of a file of that many bytes. Leaf pages lead nowhere and are all
// equally deep, so the first of a level tells what the level is, and the others
// are left to whoever reads them. That finds what breaks by itself; not a leaf
// that somebody turned into a branch, who could as well remove the file.
func checkTree(file io.ReaderAt, size int64, pageSize int) error {
	if pageSize < 1<<9 || pageSize > 1<<16 || pageSize&(pageSize-1) != 0 {
		return corrupt("its pages have %d bytes", pageSize)
	}
	m, ok := readBoltMeta(file, pageSize, 0)
	if other, otherOK := readBoltMeta(file, pageSize, 1); otherOK && (!ok || other.change > m.change) {
		m, ok = other, true
	}
	if !ok {
		return corrupt("its first pages do not hold")
	}
	if m.pages < 2 || m.pages > uint64(size)/uint64(pageSize) {
		return corrupt("the file has %d bytes, too few for %d pages", size, m.pages)
	}
	t := &tree{file: file, pageSize: pageSize, seen: make([]bool, m.pages)}
	t.seen[0], t.seen[1] = true, true
	if err := t.freelist(m.freelist); err != nil {
		return err
	}
	return t.walk(m.root, t.buckets)
}

// lead notes that something leads to a page. Nothing else may: each is in one
// place of one tree, or free.
func (t *tree) lead(id uint64) error {
	if id >= uint64(len(t.seen)) || t.seen[id] {
		return corrupt("page %d does not exist, or is in two places", id)
	}
	t.seen[id] = true
	return nil
}

// page reads a page that something leads to, with those that continue it; not
// those of a leaf, where they are one large value, which no bucket is. What it
// returns holds until the next call.
func (t *tree) page(id uint64) ([]byte, error) {
	if err := t.lead(id); err != nil {
		return nil, err
	}
	if err := t.read(id, 1); err != nil {
		return nil, err
	}
	if native.Uint64(t.buf) != id {
		return nil, corrupt("page %d is another one", id)
	}
	more := uint64(native.Uint32(t.buf[12:]))
	for next := id + 1; next <= id+more; next++ {
		if err := t.lead(next); err != nil {
			return nil, err
		}
	}
	if more > 0 && flagsOf(t.buf) != flagLeaf {
		if err := t.read(id, 1+more); err != nil {
			return nil, err
		}
	}
	return t.buf, nil
}

// read fills the buffer with n pages.
func (t *tree) read(id, n uint64) error {
	size := int(n) * t.pageSize
	t.buf = slices.Grow(t.buf[:0], size)[:size]
	_, err := t.file.ReadAt(t.buf, int64(id)*int64(t.pageSize))
	return err
}

func flagsOf(page []byte) uint16 { return native.Uint16(page[8:]) }

// elements returns the heads of the elements of a page, or of what a bucket
// has in place of one.
func elements(page []byte) ([]byte, error) {
	n := int(native.Uint16(page[10:])) * elementSize
	if n > len(page)-pageHead {
		return nil, corrupt("a page holds more than it can")
	}
	return page[pageHead:][:n], nil
}

// freelist reads the list of free pages, whose first element is its length if
// that is more than the head can hold.
func (t *tree) freelist(id uint64) error {
	page, err := t.page(id)
	if err != nil {
		return err
	}
	count, ids := uint64(native.Uint16(page[10:])), page[pageHead:]
	if count == 0xFFFF {
		count, ids = native.Uint64(ids), ids[8:]
	}
	if flagsOf(page) != flagFreelist || count > uint64(len(ids)/8) {
		return corrupt("its list of free pages does not hold")
	}
	for i := range count {
		if err := t.lead(native.Uint64(ids[8*i:])); err != nil {
			return err
		}
	}
	return nil
}

// walk goes down a tree, level by level, to its leaf pages, and gives them to
// leaf; without such a function it reads only the first.
func (t *tree) walk(root uint64, leaf func(page []byte) error) error {
	level := []uint64{root}
	for range maxDepth {
		page, err := t.page(level[0])
		if err != nil {
			return err
		}
		if flagsOf(page) == flagLeaf {
			return t.leaves(page, level[1:], leaf)
		}
		children, err := t.children(page, nil)
		for _, id := range level[1:] {
			if err != nil {
				break
			}
			if page, err = t.page(id); err == nil {
				children, err = t.children(page, children)
			}
		}
		if err != nil {
			return err
		}
		level = children
	}
	return corrupt("a tree has more than %d levels", maxDepth)
}

// leaves gives the last level of a tree, of which the first page is read, to
// leaf.
func (t *tree) leaves(first []byte, others []uint64, leaf func(page []byte) error) error {
	if leaf != nil {
		if err := leaf(first); err != nil {
			return err
		}
	}
	for _, id := range others {
		if leaf == nil {
			if err := t.lead(id); err != nil {
				return err
			}
			continue
		}
		page, err := t.page(id)
		if err == nil {
			err = leaf(page)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// children appends where a branch page leads.
func (t *tree) children(page []byte, to []uint64) ([]uint64, error) {
	heads, err := elements(page)
	if err == nil && (flagsOf(page) != flagBranch || len(heads) == 0) {
		err = corrupt("page %d is no branch", native.Uint64(page))
	}
	for ; len(heads) > 0; heads = heads[elementSize:] {
		to = append(to, native.Uint64(heads[8:]))
	}
	return to, err
}

// buckets walks the trees that a leaf page of the first tree names.
func (t *tree) buckets(page []byte) error {
	return eachValue(bytes.Clone(page), func(flags uint32, value []byte) error {
		if flags&flagBucket == 0 {
			return nil
		}
		if len(value) < bucketHead {
			return corrupt("a bucket is too short")
		}
		if root := native.Uint64(value); root != 0 {
			return t.walk(root, nil)
		}
		inline := value[bucketHead:]
		if len(inline) < pageHead {
			return corrupt("a bucket is too short")
		}
		return eachValue(inline, func(uint32, []byte) error { return nil })
	})
}

// eachValue calls f for each element of a leaf page.
func eachValue(page []byte, f func(flags uint32, value []byte) error) error {
	heads, err := elements(page)
	if err != nil {
		return err
	}
	if flagsOf(page) != flagLeaf {
		return corrupt("a page is no leaf")
	}
	for at := 0; at < len(heads); at += elementSize {
		e := heads[at:]
		key := uint64(pageHead+at) + uint64(native.Uint32(e[4:]))
		value := key + uint64(native.Uint32(e[8:]))
		end := value + uint64(native.Uint32(e[12:]))
		if end > uint64(len(page)) {
			return corrupt("a value goes on beyond its page")
		}
		if err := f(native.Uint32(e), page[value:end]); err != nil {
			return err
		}
	}
	return nil
}

// stored returns what stands under a key, until the end of the transaction; nil
// without one. A length that cannot be is found before it is allocated.
func stored(tx *bolt.Tx, bucket, key []byte) ([]byte, error) {
	value := tx.Bucket(bucket).Get(key)
	if err := bounded(value, tx.Size()); err != nil {
		return nil, err
	}
	return value, nil
}

func bounded(value []byte, most int64) error {
	if int64(len(value)) > most {
		return corrupt("a value of %d bytes", len(value))
	}
	return nil
}
