package vault

import (
	"encoding/binary"
	"hash/fnv"
	"io"

	bolt "go.etcd.io/bbolt"
)

// What bbolt keeps in each of its first two pages, after the head that every
// page has: a record whose last field is the FNV-1a sum of what is before it.
const (
	pageHead  = 16
	metaSize  = 64
	metaSumAt = metaSize - 8
)

// torn reports whether one of the first two pages does not hold. They are
// written in turns, and bbolt goes on with the other one, which is right after
// a power cut in the middle of a change; but after damage it is the state
// before a change that was acknowledged.
func torn(file io.ReaderAt, pageSize int) bool {
	for i := range 2 {
		var meta [metaSize]byte
		if _, err := file.ReadAt(meta[:], int64(i*pageSize)+pageHead); err != nil {
			return true
		}
		sum := fnv.New64a()
		sum.Write(meta[:metaSumAt])
		if binary.NativeEndian.Uint32(meta[:]) != boltMagic || binary.NativeEndian.Uint64(meta[metaSumAt:]) != sum.Sum64() {
			return true
		}
	}
	return false
}

// checkPages looks at the head of every page before the first change. bbolt
// believes a page that says it runs on over billions of others, and would fill
// the memory with their numbers while it gives them free; what it reads, it
// reads with bounds. The look costs about a microsecond for each entry.
func checkPages(tx *bolt.Tx) error {
	for id := 0; ; id++ {
		page, err := tx.Page(id)
		if err != nil {
			return err
		}
		if page == nil {
			return nil // the last was before
		}
		switch page.Type {
		case "meta", "branch", "leaf", "freelist":
		default:
			continue // free, with what was there before
		}
		id += page.OverflowCount
		if last, err := tx.Page(id); err != nil || last == nil {
			return corrupt("page %d says that it goes on beyond the end", page.ID)
		}
	}
}
