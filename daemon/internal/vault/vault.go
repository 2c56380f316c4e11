// Package vault owns vault.db: the entries, their trash and history, the name
// index, the journal of changes that can be undone, and the key slots, each
// record sealed on disk as in memory. It is the only importer of bbolt. It
// knows no keystore, no socket and no user: it is given slot keys and answers
// with entries, or with one of its sentinels.
//
// The format is docs/vault-format.md, an entry's JSON docs/entry.md.
package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Options of Create and Open; the zero value works.
type Options struct {
	Now     func() time.Time // the clock; nil means time.Now
	Waiting Waiting          // rows for the log that go with the next change; nil: there are never any
	// Changed, if set, is called after each change of entries or key slots, or
	// that Renew made count, that was stored. It must neither wait nor use the Vault.
	Changed func()
}

func (o Options) clock() func() time.Time {
	if o.Now == nil {
		return time.Now
	}
	return o.Now
}

// Vault is one open vault.db. Its methods may be called at the same time; a
// reader never waits for a writer's disk. The function given to Update works on
// its Tx alone: calling the Vault from there blocks for ever.
type Vault struct {
	path     string
	opt      Options
	now      func() time.Time
	waiting  Waiting
	db       *bolt.DB
	file     *os.File // of db; closing it gives the file lock back even if db cannot be closed
	id       [16]byte
	format   int
	readOnly bool
	torn     bool     // see Torn
	trailer  *trailer // of a backup; nil in a vault

	// A panic inside bbolt may leave its locks held, and whoever asks for them
	// again would wait for ever: unwritable is set after one in a write
	// transaction, unreadable after one where no transaction had begun.
	unwritable, unreadable atomic.Bool

	writing sync.Mutex // held by Update from its first look to its last note in memory, and by Unlock
	checked bool       // by checkPages; guarded by writing
	// unsettled is set while the last change is in the file, but may not be on
	// the disk: its last sync failed, or a process of before was killed in it.
	// Who asks for it again would hear that it is there already, and believe it
	// stored: so even a change that changes nothing is stored then.
	unsettled bool // guarded by writing

	mu            sync.RWMutex    // guards what follows; never held during disk access
	keys          *keys           // nil while locked
	list          []Summary       // of the live entries, sorted, as the last List left it; nil until the first
	since         map[ID]*Summary // what has changed since; a nil summary is no longer live
	changes       uint64          // committed since Unlock: a list read before one of them is not kept
	live, trashed int
}

// ID returns the vault's id.
func (v *Vault) ID() [16]byte { return v.id }

// Format returns the format number of the file.
func (v *Vault) Format() int { return v.format }

// ReadOnly reports whether the file can only be read. Codes are served all the
// same, changes answer with ErrReadOnly.
func (v *Vault) ReadOnly() bool { return v.readOnly }

// Replaced reports whether the path no longer leads to the open file: somebody
// removed it, or put another in its place. What would be written now would be
// lost, so changes answer with ErrReplaced; reads go on.
func (v *Vault) Replaced() bool {
	open, err := v.file.Stat()
	if err != nil {
		return false // closed; what follows says so
	}
	there, err := os.Stat(v.path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(open, there)
}

// Torn reports that the vault was opened as it was before its last change,
// perhaps: of the two pages that name the last state one did not hold.
func (v *Vault) Torn() bool { return v.torn }

// Count returns the number of entries and of those in the trash; 0 and 0 while
// locked.
func (v *Vault) Count() (live, trashed int) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.live, v.trashed
}

// Unlocked reports whether the vault key is in memory.
func (v *Vault) Unlocked() bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.keys != nil
}

// Exposed returns why the vault key could be written to swap or to a core dump;
// nil if the system keeps it out of both, or the vault is locked.
func (v *Vault) Exposed() error {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.keys == nil {
		return nil
	}
	return v.keys.page.Exposed()
}

// Lock forgets the vault key and all that was read with it, and wipes what of
// it can be reached; of the AES and HMAC keys Go keeps its own copies, for which
// the daemon replaces its process image. A call under way ends as if it had come
// first, and the wipe waits for it.
func (v *Vault) Lock() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.setKeys(nil)
}

// setKeys puts other keys, or none, in the place of those that there are, and
// forgets what was read with them. The caller holds mu.
func (v *Vault) setKeys(k *keys) {
	if v.keys != nil {
		v.keys.release()
	}
	v.keys, v.list, v.since, v.live, v.trashed = k, nil, nil, 0, 0
}

// Close locks the vault, waits for calls under way and closes the file.
func (v *Vault) Close() error {
	v.Lock()
	if v.unwritable.Load() || v.unreadable.Load() {
		// bbolt's own Close would ask for the locks. The mapping is left to
		// the end of the process.
		return classify(release(v.file))
	}
	if err := guard(v.db.Close); err != nil {
		return fmt.Errorf("closing vault: %w", err)
	}
	return nil
}

// unlocked returns the keys, which the caller releases after use, or ErrLocked.
func (v *Vault) unlocked() (*keys, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.keys == nil {
		return nil, ErrLocked
	}
	v.keys.users.Add(1)
	return v.keys, nil
}

// damage is a panic, or a fault of the mapped file, that was caught inside
// bbolt. It unwraps to ErrCorrupt.
type damage struct{ found any }

func (d *damage) Error() string { return fmt.Sprintf("%v: %v", ErrCorrupt, d.found) }

func (d *damage) Unwrap() error { return ErrCorrupt }

// guard runs f, which reads or writes pages. A page that is not what bbolt
// expects makes it panic, and one that is no longer in the file is a fault of
// the mapping, which would end the process.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if found := recover(); found != nil {
			err = &damage{found}
		}
	}()
	return classify(f())
}

// view runs f in a read transaction. f keeps nothing of the pages: they are
// gone with the transaction.
func (v *Vault) view(f func(tx *bolt.Tx) error) error {
	if v.unreadable.Load() {
		return corrupt("its first pages do not hold")
	}
	began := false
	err := guard(func() error {
		return v.db.View(func(tx *bolt.Tx) error {
			began = true
			return f(tx)
		})
	})
	if panicked := new(damage); errors.As(err, &panicked) && !began {
		v.unreadable.Store(true)
	}
	return err
}
