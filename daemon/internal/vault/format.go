package vault

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync/atomic"

	bolt "go.etcd.io/bbolt"

	"github.com/o2fa/o2fa/daemon/internal/keypage"
	"github.com/o2fa/o2fa/daemon/internal/seal"
)

// Format is the number of the format that this release writes. It reads no
// higher one.
const Format = 1

// The buckets. The header is the same in every format, so that any release can
// tell what it has before it.
var (
	bucketHeader  = []byte("header")  // in clear: magic, format, id
	bucketSlot    = []byte("slot")    // slot id → header, verbatim
	bucketWrap    = []byte("wrap")    // slot id → the vault key, sealed by the slot's key
	bucketSlotKey = []byte("slotkey") // slot id → the slot's key, sealed by the vault key
	bucketMeta    = []byte("meta")    // name → sealed value: of the vault itself and of the daemon
	bucketEntry   = []byte("entry")   // id → sealed entry
	bucketSummary = []byte("summary") // id of a live entry → sealed summary
	bucketTrash   = []byte("trash")   // id of a trashed entry → sealed summary
	bucketHistory = []byte("history") // id ‖ number (u64) → sealed earlier version
	bucketJournal = []byte("journal") // number (u64) → sealed list of what one change did
	bucketName    = []byte("name")    // MAC of the folded name ‖ id → nothing; live entries
	bucketSecret  = []byte("secret")  // MAC of the secret ‖ id → nothing; live entries
	bucketSame    = []byte("same")    // MAC of all that makes a duplicate ‖ id → nothing; live entries
	bucketLog     = []byte("log")     // number (u64) of the first → sealed rows of the log
)

// buckets are all that every vault of this format has. The one of the log comes
// with its first row.
var buckets = [][]byte{
	bucketHeader, bucketSlot, bucketWrap, bucketSlotKey, bucketMeta, bucketEntry, bucketSummary,
	bucketTrash, bucketHistory, bucketJournal, bucketName, bucketSecret, bucketSame,
}

// Keys of the header bucket, and what stands under the first.
var (
	headerMagic  = []byte("magic")
	headerFormat = []byte("format") // u32
	headerID     = []byte("id")     // 16 bytes
	magic        = []byte("o2fa vault")
)

// Keys of the meta bucket that are the vault's own. Those of the daemon have
// the prefix "x/".
const (
	metaCount  = "count"  // live and trashed entries, u64 each
	metaDevice = "device" // the id that this vault signs its edits with
	metaTimes  = "times"  // when it was last changed, and since when without a jump; Unix ms, u64 each
	metaPrefix = "x/"
	// metaFingerprint is the key of Fingerprint in a vault that was rekeyed: that
	// of the first vault key.
	metaFingerprint = "fingerprint"
	// metaState names the state of entries and key slots: 16 random bytes, drawn
	// anew by each change of them. Two files of one vault with the same name hold
	// the same, so that nothing is backed up twice.
	metaState = "state"
)

// deviceLen is the number of hex digits of metaDevice.
const deviceLen = 16

// What HKDF-SHA256 of the vault key, salted with the vault id, gives.
const (
	infoIndex       = "o2fa/vault/index"       // the three indexes
	infoFingerprint = "o2fa/vault/fingerprint" // Fingerprint
)

// keys are what an unlocked vault holds. The bytes of all of them lie in one page,
// and nowhere else but for the moment of each use.
//
// Locking must not wait for a call that is still using them, nor wipe them
// under its hands, which would seal a record that nothing opens. So they are
// counted, and whoever lets go of them last wipes them.
type keys struct {
	page        *keypage.Page
	raw         []byte // the vault key; in page, as what index and fingerprint hold
	seal        *seal.Key
	index       mac
	fingerprint mac
	device      string
	recent      recent
	users       atomic.Int32 // calls under way, and one for the vault while it is unlocked
}

// release ends a use of the keys.
func (k *keys) release() {
	if k.users.Add(-1) > 0 {
		return
	}
	k.seal.Wipe()
	k.page.Free()
}

// newKeys derives the keys from the raw vault key, which stays the caller's. The
// caller is their first user.
func newKeys(raw []byte, vault [16]byte) (*keys, error) {
	if len(raw) != seal.KeySize {
		return nil, seal.ErrKeySize
	}
	k := &keys{page: keypage.New()}
	mem := k.page.Bytes()
	for i, part := range []*[]byte{&k.raw, &k.index.key, &k.fingerprint.key} {
		*part = mem[i*seal.KeySize:][:seal.KeySize:seal.KeySize]
	}
	copy(k.raw, raw)
	k.users.Store(1)
	var err error
	if k.seal, err = seal.NewKey(k.raw); err == nil {
		err = errors.Join(k.index.derive(raw, vault, infoIndex), k.fingerprint.derive(raw, vault, infoFingerprint))
	}
	if err != nil {
		k.page.Free()
		return nil, err
	}
	return k, nil
}

// mac is HMAC-SHA256 under one key, made ready for each use.
type mac struct{ key []byte }

// derive sets the key.
func (m mac) derive(raw []byte, vault [16]byte, info string) error {
	derived, err := hkdf.Key(sha256.New, raw, vault[:], info, len(m.key))
	copy(m.key, derived)
	clear(derived)
	return err
}

// of returns the first 16 bytes of the MAC over kind and parts, each with its
// length, so that no two inputs run into each other.
func (m mac) of(kind string, parts ...[]byte) (out [16]byte) {
	h := hmac.New(sha256.New, m.key)
	var n [4]byte
	write := func(b []byte) {
		binary.BigEndian.PutUint32(n[:], uint32(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	write([]byte(kind))
	for _, p := range parts {
		write(p)
	}
	var sum [sha256.Size]byte
	copy(out[:], h.Sum(sum[:0]))
	return out
}

// slotContext binds a wrapped vault key to its vault and to the slot's header.
func slotContext(vault, slot [16]byte, header []byte) []byte {
	sum := sha256.Sum256(header)
	c := make([]byte, 0, len(vault)+len(slot)+len(sum))
	c = append(c, vault[:]...)
	c = append(c, slot[:]...)
	return append(c, sum[:]...)
}

// readHeader checks that the file is a vault that this release can read.
func readHeader(tx *bolt.Tx) (format int, id [16]byte, err error) {
	b := tx.Bucket(bucketHeader)
	if b == nil || string(b.Get(headerMagic)) != string(magic) {
		return 0, id, ErrNotVault
	}
	f := b.Get(headerFormat)
	if len(f) != 4 {
		return 0, id, corrupt("it has no format number")
	}
	format = int(binary.BigEndian.Uint32(f))
	if format > Format {
		return format, id, ErrNewerFormat
	}
	if format < 1 || copy(id[:], b.Get(headerID)) != len(id) {
		return format, id, corrupt("its header is not whole")
	}
	for _, name := range buckets {
		if tx.Bucket(name) == nil {
			return format, id, corrupt("it has no bucket %s", name)
		}
	}
	return format, id, nil
}
