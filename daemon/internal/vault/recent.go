package vault

import (
	"bytes"
	"sync"
)

// recentMost is how many names and records a recent holds: more than anybody
// uses in a day, and not more than half a megabyte.
const recentMost = 256

// recent holds what the last codes were made from: the summary that a name led
// to, and the record of an entry, sealed as it is in the file. The next code of
// the same entry does then without the file, which would be half of its cost.
//
// It belongs to the keys that the summaries were read with and ends with them.
// Every change empties it, and what was read from the file before that is not
// kept after it: hence the number that comes with what is not known, to be
// asked for before the file is read.
type recent struct {
	mu      sync.RWMutex // guards what follows
	changes uint64
	named   map[string]Summary
	records map[ID][]byte
}

// summary returns what name led to, or the number for keep.
func (r *recent) summary(name string) (s Summary, known bool, changes uint64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s, known = r.named[name]
	return s, known, r.changes
}

// record returns the sealed record of an entry, not to be written to, or nil and
// the number for keepRecord.
func (r *recent) record(id ID) (sealed []byte, changes uint64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.records[id], r.changes
}

// keep notes what name led to.
func (r *recent) keep(name string, s Summary, changes uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changes == changes {
		note(&r.named, name, s)
	}
}

// keepRecord notes a copy of the sealed record of an entry.
func (r *recent) keepRecord(id ID, sealed []byte, changes uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changes == changes {
		note(&r.records, id, bytes.Clone(sealed))
	}
}

// empty is called when a change may be in the file.
func (r *recent) empty() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes++
	r.named, r.records = nil, nil
}

// note adds to a map that begins anew when it is full.
func note[K comparable, V any](m *map[K]V, key K, value V) {
	if *m == nil || len(*m) >= recentMost {
		*m = make(map[K]V)
	}
	(*m)[key] = value
}
