package vault

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/o2fa/o2fa/daemon/internal/seal"
)

// Tx is one change of the vault: all of it is stored, or nothing. What it
// writes is kept, sealed, until the end and then put in the order of its keys,
// as a B+tree takes 100,000 sorted puts in two seconds and random ones in half
// a minute. Its methods see what it has done so far. It is used by the function
// given to Update, on its goroutine, and not afterwards.
type Tx struct {
	v    *Vault
	k    *keys
	bolt *bolt.Tx
	now  int64 // Unix milliseconds; one change has one time
	of   *change

	puts    map[string]map[string][]byte // bucket → key → value; a nil value deletes
	moved   map[string][]rowChange       // bucket ‖ MAC → what became of its rows
	changed map[ID]*Summary              // nil: no longer live
	did     []deed                       // for the journal
	logs    []LogRow                     // for the log, before those that wait
	history map[ID]uint64                // number of the next version
	live    int                          // changes of the counts
	trashed int
	renewed bool   // Renew was called
	plain   []byte // one buffer for all plaintexts, wiped at the end
}

type rowChange struct {
	id    ID
	added bool
}

// change is what Undo takes for one: an Update, or all the pieces of Pieces.
type change struct {
	op   string // as journal and undo name it; "" is not for undo
	log  bool   // stores the rows of the log that wait, though nothing else changes
	tail []byte // the journal row of the piece before, as it is stored
}

// Update runs f as one change. When it returns nil, all is on the disk; when it
// returns an error, which is f's own or the storage's, nothing has changed. Only
// if the very last sync failed it is not known: then the error is ErrStorage and
// says so, and all that reads the vault shows the change, which a power cut may
// still take back; the next Update that returns nil has stored it as well. op
// names the change to whoever undoes it; a change with op "" cannot be undone.
func (v *Vault) Update(op string, f func(tx *Tx) error) error {
	return v.update(&change{op: op}, f)
}

// Pieces is Update for a change that is too large to be held in memory as one:
// it calls f until that returns more == false, and each call is a change of its
// own. After an error, or a crash, the pieces before are stored, so each has to
// leave the vault as somebody may find it, with a record of what is done. Other
// changes may come in between. Undo undoes all pieces at once, or those before
// and after another change that came in between one after the other.
func (v *Vault) Pieces(op string, f func(tx *Tx) (more bool, err error)) error {
	whole := &change{op: op}
	for more := true; more; {
		err := v.update(whole, func(tx *Tx) (err error) {
			more, err = f(tx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (v *Vault) update(of *change, f func(tx *Tx) error) error {
	k, err := v.unlocked()
	if err != nil {
		return err
	}
	defer k.release()
	if v.readOnly {
		return ErrReadOnly
	}
	if v.unwritable.Load() {
		return corrupt("an earlier change met damage")
	}
	v.writing.Lock()
	defer v.writing.Unlock()
	if v.Replaced() { // perhaps by Rekey, which this change has waited for
		return ErrReplaced
	}
	tx := &Tx{v: v, k: k, of: of, now: max(1, v.now().UnixMilli()), puts: map[string]map[string][]byte{},
		moved: map[string][]rowChange{}, changed: map[ID]*Summary{}, history: map[ID]uint64{}}
	if err := v.write(func() (err error) { tx.bolt, err = v.db.Begin(true); return err }); err != nil {
		return fmt.Errorf("beginning change: %w", err)
	}
	defer func() {
		clear(tx.plain[:cap(tx.plain)])
		_ = guard(tx.bolt.Rollback) // nothing after a commit
	}()
	if err := v.checkOnce(tx.bolt); err != nil {
		return fmt.Errorf("beginning change: %w", err)
	}
	if err := f(tx); err != nil {
		return err
	}
	if len(tx.puts) == 0 && !of.log && !v.unsettled {
		return nil
	}
	logged, err := tx.takeLog()
	if err != nil {
		return fmt.Errorf("storing the log: %w", err)
	}
	if len(tx.puts) == 0 && !v.unsettled {
		return nil
	}
	number := tx.bolt.ID()
	err = tx.finish()
	k.recent.empty() // after a failure too: the change may be in the file
	if err != nil {
		if v.recall(k) >= number {
			v.unsettled = true
			logged()
			// The cause stays out of the chain: "disk is full" is known to change nothing.
			err = fmt.Errorf("%w: it is not known whether the last change was stored: %s", ErrStorage, err.Error())
		}
		return fmt.Errorf("storing change: %w", err)
	}
	v.unsettled = false
	logged()
	v.note(tx)
	if tx.renews() && v.opt.Changed != nil {
		v.opt.Changed() // who is told reads what is noted by now
	}
	return nil
}

// note brings what is in memory up to date with a change that is stored.
func (v *Vault) note(tx *Tx) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.changes++
	if v.keys == tx.k { // not locked meanwhile
		v.live, v.trashed = v.live+tx.live, v.trashed+tx.trashed
		if v.list != nil && v.since == nil {
			v.since = tx.changed
		} else if v.list != nil {
			maps.Copy(v.since, tx.changed)
		}
	}
}

// checkOnce runs checkPages before the first change since Open.
func (v *Vault) checkOnce(tx *bolt.Tx) error {
	if v.checked {
		return nil
	}
	if err := v.write(func() error { return checkPages(tx) }); err != nil {
		return err
	}
	v.checked = true
	return nil
}

// write guards an action of the write transaction. After a panic there bbolt
// cannot be asked to write again.
func (v *Vault) write(f func() error) error {
	if v.unwritable.Load() {
		return corrupt("an earlier change met damage")
	}
	err := guard(f)
	if panicked := new(damage); errors.As(err, &panicked) {
		v.unwritable.Store(true)
	}
	return err
}

// set puts a value, or deletes the key if it is nil.
func (tx *Tx) set(bucket, key, value []byte) {
	m := tx.puts[string(bucket)]
	if m == nil {
		m = map[string][]byte{}
		tx.puts[string(bucket)] = m
	}
	m[string(key)] = value
}

// get returns the value of a key as the change has left it, nil without one. It
// holds until the end of the change.
func (tx *Tx) get(bucket, key []byte) (value []byte, err error) {
	if value, written := tx.puts[string(bucket)][string(key)]; written {
		return value, nil
	}
	err = tx.v.write(func() error {
		value, err = stored(tx.bolt, bucket, key)
		value = bytes.Clone(value)
		return err
	})
	return value, err
}

// find returns the ids that an index has for a MAC, in no order.
func (tx *Tx) find(bucket []byte, m [16]byte) (ids []ID, err error) {
	err = tx.v.write(func() error {
		ids, err = findRows(tx.bolt, bucket, m)
		return err
	})
	for _, c := range tx.moved[string(bucket)+string(m[:])] {
		ids = slices.DeleteFunc(ids, func(id ID) bool { return id == c.id })
		if c.added {
			ids = append(ids, c.id)
		}
	}
	return ids, err
}

// setRow adds or removes one row of an index.
func (tx *Tx) setRow(bucket []byte, m [16]byte, id ID, added bool) {
	var value []byte
	if added {
		value = []byte{}
	}
	tx.set(bucket, row(m, id), value)
	at := string(bucket) + string(m[:])
	tx.moved[at] = append(tx.moved[at], rowChange{id, added})
}

// setRows brings the index rows of an entry from was to is.
func (tx *Tx) setRows(id ID, was, is rows) {
	for _, r := range []struct {
		bucket   []byte
		was, is  [16]byte
		had, has bool
	}{
		{bucketName, was.name, is.name, was.named, is.named},
		{bucketSecret, was.secret, is.secret, was.live, is.live},
		{bucketSame, was.same, is.same, was.live, is.live},
	} {
		if r.had == r.has && r.was == r.is {
			continue
		}
		if r.had {
			tx.setRow(r.bucket, r.was, id, false)
		}
		if r.has {
			tx.setRow(r.bucket, r.is, id, true)
		}
	}
}

// seal seals tx.plain, where the caller has just written, and wipes it.
func (tx *Tx) seal(p seal.Purpose, context []byte) []byte {
	sealed := tx.k.seal.Seal(p, context, tx.plain)
	clear(tx.plain)
	tx.plain = tx.plain[:0]
	return sealed
}

// put stores e in place of was, which is nil for a new entry, everywhere.
func (tx *Tx) put(was, e *Entry) error {
	id := e.ID[:]
	tx.plain = e.AppendJSON(tx.plain[:0])
	if len(tx.plain) > MaxRecord {
		return invalid("an entry has at most %d bytes of JSON", MaxRecord)
	}
	tx.set(bucketEntry, id, tx.seal(seal.VaultEntry, id))
	home, other := bucketSummary, bucketTrash
	if e.Trashed != 0 {
		home, other = other, home
	}
	tx.plain = e.appendSummaryJSON(tx.plain[:0])
	tx.set(home, id, tx.seal(seal.VaultMeta, seal.Context(home, id)))
	if was != nil && (was.Trashed == 0) != (e.Trashed == 0) {
		tx.set(other, id, nil)
	}
	tx.setRows(e.ID, tx.k.rowsOf(was), tx.k.rowsOf(e))
	tx.count(was, -1)
	tx.count(e, +1)
	tx.changed[e.ID] = nil
	if e.Trashed == 0 {
		s := e.Summary().folded()
		s.Tags = slices.Clone(s.Tags)
		tx.changed[e.ID] = &s
	}
	return nil
}

func (tx *Tx) count(e *Entry, n int) {
	switch {
	case e == nil:
	case e.Trashed == 0:
		tx.live += n
	default:
		tx.trashed += n
	}
}

// Get returns the entry, live or in the trash. The caller wipes its secrets.
func (tx *Tx) Get(id ID) (Entry, error) {
	sealed, err := tx.get(bucketEntry, id[:])
	if err != nil {
		return Entry{}, err
	}
	if sealed == nil {
		return Entry{}, ErrNotFound
	}
	return tx.open(seal.VaultEntry, id, sealed)
}

func (tx *Tx) open(p seal.Purpose, id ID, sealed []byte) (Entry, error) {
	e, plain, err := tx.k.openEntry(p, id, sealed, tx.plain)
	clear(plain)
	tx.plain = plain[:0]
	return e, err
}

// Meta returns the value that PutMeta stored under name, nil without one.
func (tx *Tx) Meta(name string) ([]byte, error) {
	sealed, err := tx.get(bucketMeta, []byte(metaPrefix+name))
	if err != nil {
		return nil, err
	}
	return openMeta(tx.k, metaPrefix+name, sealed)
}

// PutMeta stores a sealed value under name, or removes it if value is nil. It
// is part of the change, but Undo leaves it as it is.
func (tx *Tx) PutMeta(name string, value []byte) error {
	if name == "" || len(name) > MaxName || strings.ContainsRune(name, 0) {
		return invalid("a name of a record has 1 to %d bytes", MaxName)
	}
	tx.setMeta(metaPrefix+name, value)
	return nil
}

func (tx *Tx) setMeta(name string, value []byte) {
	if value == nil {
		tx.set(bucketMeta, []byte(name), nil)
		return
	}
	tx.set(bucketMeta, []byte(name), tx.k.seal.Seal(seal.VaultMeta, seal.Context(bucketMeta, []byte(name)), value))
}
