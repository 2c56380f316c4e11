package vault

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"github.com/o2fa/o2fa/daemon/internal/seal"
	"github.com/o2fa/o2fa/internal/atomicfile"
	"github.com/o2fa/o2fa/internal/secret"
)

// tempPattern names a vault that is being made, so that a leftover of a crash
// is known for what it is.
const tempPattern = ".o2fa-*.tmp"

// NewSlot is a key slot to be made.
type NewSlot struct {
	ID     [16]byte
	Header []byte       // kept verbatim, and bound to the slot; the keystore's own words
	Key    secret.Bytes // 32 bytes; stays the caller's
}

// ErrCreated says that the vault was made, and not opened: the file is at its
// place, perhaps not for good if its directory could not be synced. Whoever
// would now remove the slot's key could never open it again.
var ErrCreated = errors.New("vault was made, but not opened")

// Create makes the vault id at path, with a new vault key, and returns it
// unlocked. The file is made beside its place, synced, opened with every slot,
// and renamed. ErrExists if there is anything at path: it is never replaced.
// After any other error there is no vault, unless it is ErrCreated.
func Create(path string, id [16]byte, slots []NewSlot, opt Options) (*Vault, error) {
	v, err := create(path, id, slots, opt)
	if err != nil {
		return nil, fmt.Errorf("creating vault: %w", classify(err))
	}
	return v, nil
}

func create(path string, id [16]byte, slots []NewSlot, opt Options) (*Vault, error) {
	if len(slots) == 0 {
		return nil, errors.New("no key slot")
	}
	if err := mustNotExist(path); err != nil {
		return nil, err
	}
	tmp, err := createTemp(path, id, slots)
	if err != nil {
		return nil, err
	}
	// Removes nothing once the file is in its place.
	defer os.Remove(tmp)
	for _, s := range slots {
		v, err := openUnlocked(tmp, s, opt)
		if err != nil {
			return nil, fmt.Errorf("reading it back: %w", err)
		}
		if err := v.Close(); err != nil {
			return nil, err
		}
	}
	return place(tmp, path, slots[0], opt)
}

// place renames a vault that is whole to where it belongs and opens it there.
func place(tmp, path string, s NewSlot, opt Options) (*Vault, error) {
	if err := mustNotExist(path); err != nil {
		return nil, err
	}
	err := atomicfile.Replace(tmp, path)
	if err != nil && mustNotExist(path) == nil {
		return nil, err // before the rename, or in it
	}
	var v *Vault
	if err == nil {
		v, err = openUnlocked(path, s, opt)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCreated, classify(err))
	}
	return v, nil
}

func openUnlocked(path string, s NewSlot, opt Options) (*Vault, error) {
	v, err := Open(path, opt)
	if err != nil {
		return nil, err
	}
	if err := v.Unlock(s.ID, s.Key); err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

// mustNotExist is told apart from the rename that follows it by the daemon's
// lock on the profile: nobody else makes a vault there.
func mustNotExist(path string) error {
	switch _, err := os.Lstat(path); {
	case err == nil:
		return ErrExists
	case errors.Is(err, fs.ErrNotExist):
		return nil
	default:
		return err
	}
}

// createTemp writes and syncs an empty vault beside path.
func createTemp(path string, id [16]byte, slots []NewSlot) (tmp string, err error) {
	if tmp, err = tempFile(path); err != nil {
		return "", err
	}
	err = guard(func() error {
		db, err := bolt.Open(tmp, 0o600, &bolt.Options{Timeout: busyWait, FreelistType: bolt.FreelistMapType})
		if err != nil {
			return err
		}
		err = db.Update(func(tx *bolt.Tx) error { return populate(tx, id, slots) })
		return errors.Join(err, db.Close())
	})
	if err != nil {
		return "", errors.Join(err, os.Remove(tmp))
	}
	return tmp, nil
}

// tempFile makes an empty file beside path.
func tempFile(path string) (tmp string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), tempPattern) // 0600
	if err != nil {
		return "", err
	}
	if err := f.Close(); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// populate writes the header, the slots and what the vault says of itself.
func populate(tx *bolt.Tx, id [16]byte, slots []NewSlot) error {
	if err := populateHeader(tx, id); err != nil {
		return err
	}
	raw := make([]byte, seal.KeySize)
	defer clear(raw)
	rand.Read(raw) // does not fail: it ends the process instead
	key, err := seal.NewKey(raw)
	if err != nil {
		return err
	}
	defer key.Wipe()
	var device [deviceLen / 2]byte
	rand.Read(device[:])
	meta := func(name string, value []byte) error {
		return tx.Bucket(bucketMeta).Put([]byte(name), key.Seal(seal.VaultMeta, seal.Context(bucketMeta, []byte(name)), value))
	}
	return errors.Join(meta(metaCount, appendCount(0, 0)), meta(metaDevice, []byte(hex.EncodeToString(device[:]))),
		putSlots(tx, id, slots, raw, key))
}

// populateHeader makes the buckets and writes what is in clear.
func populateHeader(tx *bolt.Tx, id [16]byte) error {
	for _, name := range buckets {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	header := tx.Bucket(bucketHeader)
	return errors.Join(header.Put(headerMagic, magic), header.Put(headerFormat, binary.BigEndian.AppendUint32(nil, Format)),
		header.Put(headerID, id[:]))
}

// putSlots writes the slots of the vault key raw, which sealer was made from.
func putSlots(tx *bolt.Tx, id [16]byte, slots []NewSlot, raw []byte, sealer *seal.Key) error {
	for _, s := range slots {
		records, err := slotRecords(id, s, raw, sealer)
		if err != nil {
			return err
		}
		for _, r := range records {
			if err := tx.Bucket(r.bucket).Put(s.ID[:], r.value); err != nil {
				return err
			}
		}
	}
	return nil
}
