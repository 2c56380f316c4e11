package vault

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	bolt "go.etcd.io/bbolt"

	"github.com/o2fa/o2fa/daemon/internal/seal"
)

// A backup is a copy of the vault, as it was in one moment, with a trailer:
//
//	copy ‖ manifest, sealed ‖ its length (u32) ‖ "o2fa backup 1\n"
//
// bbolt does not look beyond its last page, so the file opens as the vault of
// then, by each of the slots of then.

// backupMark ends a backup.
const backupMark = "o2fa backup 1\n"

// trailerEnd is the length of what stands behind the sealed manifest.
const trailerEnd = 4 + len(backupMark)

// maxManifest bounds a sealed manifest, in bytes.
const maxManifest = 8 << 10

// ErrNoSeal says that a file is a vault without the trailer of a backup: a mere
// copy of vault.db, or a backup that was cut.
var ErrNoSeal = errors.New("it has no seal of a backup")

// Manifest says what a backup holds. It is sealed under the vault key and covers
// every byte of the copy.
type Manifest struct {
	Name    string // under which the backup was stored first
	Made    int64  // Unix milliseconds
	Release string // of the o2fa that made it
	// What follows is set by WriteBackup.
	Entries int    // live
	Trashed int    // in the trash
	State   string // see Vault.State
	Size    int64  // of the copy, in bytes
	Sum     string // SHA-256 of the copy, in hex
}

// wireManifest is Manifest as JSON.
type wireManifest struct {
	Name    string `json:"name"`
	Made    int64  `json:"made"`
	Release string `json:"release"`
	Entries int    `json:"entries"`
	Trashed int    `json:"trashed"`
	State   string `json:"state"`
	Size    int64  `json:"size"`
	Sum     string `json:"sha256"`
}

// trailer is that of a backup, not opened yet.
type trailer struct {
	size     int64 // of the copy before it
	envelope []byte
}

// WriteBackup writes a backup of the unlocked vault, as it is in this moment, to
// w, and returns its manifest. m has its name, time and release. Reads and
// changes go on meanwhile; a change that lets the file outgrow its mapping waits.
// An error of w is in the chain of the result. What was written is a backup only
// when it has been read back: damage of the vault is copied with it.
func (v *Vault) WriteBackup(w io.Writer, m Manifest) (Manifest, error) {
	k, err := v.unlocked()
	if err != nil {
		return m, err
	}
	defer k.release()
	out := &sink{w: w, sum: sha256.New()}
	err = v.view(func(tx *bolt.Tx) error {
		if err := m.describe(tx, k); err != nil {
			return err
		}
		size, err := tx.WriteTo(out)
		m.Size = size
		return errors.Join(out.err, err) // bbolt does not keep it whole
	})
	if err != nil {
		return m, fmt.Errorf("copying vault: %w", err)
	}
	m.Sum = hex.EncodeToString(out.sum.Sum(nil))
	data, err := json.Marshal(wireManifest(m))
	if err != nil {
		return m, fmt.Errorf("encoding manifest: %w", err)
	}
	end := k.seal.Seal(seal.Backup, v.id[:], data)
	end = binary.BigEndian.AppendUint32(end, uint32(len(end)))
	if _, err := w.Write(append(end, backupMark...)); err != nil {
		return m, fmt.Errorf("sealing copy: %w", classify(err))
	}
	return m, nil
}

// describe fills in what the snapshot says of itself.
func (m *Manifest) describe(tx *bolt.Tx, k *keys) error {
	count, err := readMeta(tx, k, metaCount)
	if err != nil {
		return err
	}
	if m.Entries, m.Trashed, err = parseCount(count); err != nil {
		return err
	}
	state, err := readMeta(tx, k, metaState)
	m.State = hex.EncodeToString(state)
	return err
}

// sink writes, sums, and remembers the first error.
type sink struct {
	w   io.Writer
	sum hash.Hash
	err error
}

// Write writes p to both.
func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.sum.Write(p[:n])
	if s.err == nil {
		s.err = err
	}
	return n, err
}

// OpenBackup opens a backup, or a mere copy of a vault, locked and for reading
// alone. Its errors are those of Open; ErrNotVault for a file that is neither.
func OpenBackup(path string, opt Options) (*Vault, error) {
	opt.Changed = nil
	v, err := open(path, opt, true)
	if err == nil {
		if v.trailer, err = readTrailer(v.file); err != nil {
			err = errors.Join(err, v.Close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("opening backup: %w", err)
	}
	return v, nil
}

// OpenOwn opens a backup of this very vault with the key that it has now.
// ErrWrongKey if the backup was made under another key, or is of another vault.
func (v *Vault) OpenOwn(path string) (*Vault, error) {
	b, err := OpenBackup(path, v.opt)
	if err != nil {
		return nil, err
	}
	if err := b.share(v); err != nil {
		return nil, errors.Join(fmt.Errorf("opening backup: %w", err), b.Close())
	}
	return b, nil
}

// ManifestOf returns the manifest of the backup at path if it is of this very
// vault, under the key that it has now. It reads the trailer and nothing else.
// ErrNoSeal and ErrWrongKey for other files.
func (v *Vault) ManifestOf(path string) (Manifest, error) {
	k, err := v.unlocked()
	if err != nil {
		return Manifest{}, err
	}
	defer k.release()
	f, err := os.Open(path)
	if err != nil {
		return Manifest{}, classify(err)
	}
	defer f.Close()
	b := &Vault{id: v.id}
	if b.trailer, err = readTrailer(f); err != nil {
		return Manifest{}, err
	}
	return b.manifest(k)
}

// share unlocks a backup with the keys of the vault that it is of. They are
// wiped when both have let go of them.
func (v *Vault) share(from *Vault) error {
	k, err := from.unlocked()
	if err != nil {
		return err
	}
	if v.id != from.id {
		k.release()
		return ErrWrongKey
	}
	if _, err := v.manifest(k); err != nil {
		k.release()
		return err
	}
	v.mu.Lock()
	v.setKeys(k)
	v.mu.Unlock()
	count, err := v.readMeta(k, metaCount)
	if err != nil {
		return err
	}
	live, trashed, err := parseCount(count)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.live, v.trashed = live, trashed
	return err
}

// Manifest returns the manifest of an unlocked backup. ErrNoSeal for a mere
// copy, ErrCorrupt if the trailer was changed.
func (v *Vault) Manifest() (Manifest, error) {
	k, err := v.unlocked()
	if err != nil {
		return Manifest{}, err
	}
	defer k.release()
	m, err := v.manifest(k)
	if errors.Is(err, ErrWrongKey) { // the slot has opened, so the key is right
		err = corrupt("its seal was changed")
	}
	return m, err
}

func (v *Vault) manifest(k *keys) (Manifest, error) {
	if v.trailer == nil {
		return Manifest{}, ErrNoSeal
	}
	data, err := k.seal.Open(seal.Backup, v.id[:], v.trailer.envelope)
	if err != nil {
		return Manifest{}, ErrWrongKey
	}
	var m wireManifest
	if json.Unmarshal(data, &m) != nil {
		return Manifest{}, corrupt("its manifest does not read")
	}
	if m.Size != v.trailer.size {
		return Manifest{}, corrupt("the copy has %d bytes, and its seal is over %d", v.trailer.size, m.Size)
	}
	return Manifest(m), nil
}

// readTrailer reads the end of a file; nil if no backup ends so.
func readTrailer(f *os.File) (*trailer, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, classify(err)
	}
	return parseTrailer(f, info.Size())
}

// parseTrailer is readTrailer for any file of that many bytes.
func parseTrailer(file io.ReaderAt, size int64) (*trailer, error) {
	end := make([]byte, trailerEnd)
	if size < int64(len(end)) {
		return nil, nil
	}
	if _, err := file.ReadAt(end, size-int64(len(end))); err != nil {
		return nil, classify(err)
	}
	if !bytes.Equal(end[4:], []byte(backupMark)) {
		return nil, nil
	}
	length := int64(binary.BigEndian.Uint32(end))
	t := &trailer{size: size - int64(len(end)) - length}
	if length > maxManifest || t.size < 0 {
		return nil, corrupt("its seal has %d bytes", length)
	}
	t.envelope = make([]byte, length)
	if _, err := file.ReadAt(t.envelope, t.size); err != nil {
		return nil, classify(err)
	}
	return t, nil
}
