package vault

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"

	bolt "go.etcd.io/bbolt"

	"github.com/o2fa/o2fa/daemon/internal/seal"
)

// Report counts what Verify has opened.
type Report struct {
	Entries, Trashed int // records that were opened
	Versions         int // earlier versions of entries
	Slots            int // key slots whose key opens the vault
}

// Verify proves that an unlocked backup, or vault, would serve: its manifest
// opens and covers every byte of the copy; each record opens, reads and stands
// where it belongs, in the number that the sealed count says; each key slot
// holds the vault key. each is given every entry, live or in the trash, and
// keeps nothing of it; what it returns ends the work. It is ErrCorrupt for what
// was altered, cut or mixed, and ErrNoSeal, at the end, for a mere copy in which
// all else is right. The memory it takes does not grow with the vault.
func (v *Vault) Verify(ctx context.Context, each func(*Entry) error) (Report, error) {
	k, err := v.unlocked()
	if err != nil {
		return Report{}, err
	}
	defer k.release()
	_, sealErr := v.Manifest()
	if sealErr == nil {
		sealErr = v.checkSum(ctx)
	}
	if sealErr != nil && !errors.Is(sealErr, ErrNoSeal) {
		return Report{}, sealErr
	}
	c := &checker{v: v, k: k, ctx: ctx, each: each}
	defer func() { clear(c.plain[:cap(c.plain)]) }()
	if err := v.view(c.records); err != nil {
		return c.Report, err
	}
	if err := c.counts(); err != nil {
		return c.Report, err
	}
	if err := c.slots(); err != nil {
		return c.Report, err
	}
	return c.Report, sealErr
}

// sumStep is after how many bytes a sum that nobody waits for any more ends.
const sumStep = 1 << 20

// checkSum compares the copy with the sum in the manifest.
func (v *Vault) checkSum(ctx context.Context) error {
	m, err := v.Manifest()
	if err != nil {
		return err
	}
	sum := sha256.New()
	for at := int64(0); at < m.Size; at += sumStep {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := io.Copy(sum, io.NewSectionReader(v.file, at, min(sumStep, m.Size-at))); err != nil {
			return classify(err)
		}
	}
	if hex.EncodeToString(sum.Sum(nil)) != m.Sum {
		return corrupt("the copy is not the one that was sealed")
	}
	return nil
}

// checker opens one record after the other.
type checker struct {
	Report
	v     *Vault
	k     *keys
	ctx   context.Context
	each  func(*Entry) error
	plain []byte // one buffer for all plaintexts
	rows  [3]int // of the indexes, as the live entries want them
	homes [2]int // summaries of live entries, of those in the trash
}

// records opens all that the buckets hold.
func (c *checker) records(tx *bolt.Tx) error {
	for _, b := range []struct {
		bucket []byte
		open   func(tx *bolt.Tx, key, sealed []byte) error
	}{
		{bucketEntry, c.entry}, {bucketHistory, c.version}, {bucketJournal, c.journal}, {bucketMeta, c.meta},
		{bucketSummary, func(_ *bolt.Tx, key, sealed []byte) error { return c.summary(bucketSummary, &c.homes[0], key, sealed) }},
		{bucketTrash, func(_ *bolt.Tx, key, sealed []byte) error { return c.summary(bucketTrash, &c.homes[1], key, sealed) }},
	} {
		err := tx.Bucket(b.bucket).ForEach(func(key, sealed []byte) error {
			if err := c.ctx.Err(); err != nil {
				return err
			}
			if err := bounded(sealed, tx.Size()); err != nil {
				return err
			}
			return b.open(tx, key, sealed)
		})
		if err != nil {
			return err
		}
	}
	for i, bucket := range [][]byte{bucketName, bucketSecret, bucketSame} {
		n := 0
		if err := tx.Bucket(bucket).ForEach(func(_, _ []byte) error { n++; return nil }); err != nil {
			return err
		}
		if n != c.rows[i] {
			return corrupt("an index has %d rows, not %d", n, c.rows[i])
		}
	}
	return nil
}

// entry opens an entry and looks for what leads to it.
func (c *checker) entry(tx *bolt.Tx, key, sealed []byte) (err error) {
	if len(key) != len(ID{}) {
		return corrupt("an entry has no id")
	}
	var e Entry
	if e, c.plain, err = c.k.openEntry(seal.VaultEntry, ID(key), sealed, c.plain); err != nil {
		return err
	}
	defer e.Wipe()
	if e.Trashed == 0 {
		c.Entries++
	} else {
		c.Trashed++
	}
	if err := c.led(tx, &e); err != nil {
		return err
	}
	return c.each(&e)
}

// led looks for an entry's summary and for its rows in the indexes.
func (c *checker) led(tx *bolt.Tx, e *Entry) error {
	home := bucketSummary
	if e.Trashed != 0 {
		home = bucketTrash
	}
	if tx.Bucket(home).Get(e.ID[:]) == nil {
		return corrupt("entry %s is there and not listed", e.ID)
	}
	r := c.k.rowsOf(e)
	for i, x := range []struct {
		bucket []byte
		m      [16]byte
		has    bool
	}{{bucketName, r.name, r.named}, {bucketSecret, r.secret, r.live}, {bucketSame, r.same, r.live}} {
		if !x.has {
			continue
		}
		c.rows[i]++
		if tx.Bucket(x.bucket).Get(row(x.m, e.ID)) == nil {
			return corrupt("entry %s is missing in an index", e.ID)
		}
	}
	return nil
}

func (c *checker) version(_ *bolt.Tx, key, sealed []byte) error {
	if len(key) != len(ID{})+8 {
		return corrupt("an earlier version has no id")
	}
	e, plain, err := c.k.openEntry(seal.VaultHistory, ID(key[:len(ID{})]), sealed, c.plain)
	c.plain = plain
	e.Wipe()
	c.Versions++
	return err
}

func (c *checker) summary(bucket []byte, n *int, key, sealed []byte) error {
	if len(key) != len(ID{}) {
		return corrupt("a summary has no id")
	}
	s, plain, err := c.k.openSummary(bucket, ID(key), sealed, c.plain)
	c.plain = plain
	if err == nil && (s.Trashed != 0) != (n == &c.homes[1]) {
		err = corrupt("entry %s is listed in the wrong place", s.ID)
	}
	*n++
	return err
}

func (c *checker) journal(_ *bolt.Tx, key, sealed []byte) error {
	data, err := c.k.seal.AppendOpen(c.plain[:0], seal.VaultLog, seal.Context(bucketJournal, key), sealed)
	if err != nil || !json.Valid(data) {
		return corrupt("the journal does not read")
	}
	c.plain = data
	return nil
}

func (c *checker) meta(_ *bolt.Tx, key, sealed []byte) error {
	data, err := openMeta(c.k, string(key), sealed)
	clear(data)
	return err
}

// counts compares what was found with the sealed counts.
func (c *checker) counts() error {
	count, err := c.v.readMeta(c.k, metaCount)
	if err != nil {
		return err
	}
	live, trashed, err := parseCount(count)
	if err != nil {
		return err
	}
	if live != c.Entries || trashed != c.Trashed || c.homes != [2]int{live, trashed} {
		return corrupt("it holds %d and %d entries, not %d and %d", c.Entries, c.Trashed, live, trashed)
	}
	return nil
}

// slots opens each key slot with the key that is kept for it.
func (c *checker) slots() error {
	list, err := c.v.Slots()
	if err != nil {
		return err
	}
	for _, s := range list {
		key, err := c.v.SlotKey(s.ID)
		if err != nil {
			return slotDamage(err)
		}
		raw, err := c.v.openSlot(s.ID, key)
		key.Wipe()
		if err != nil {
			return slotDamage(err)
		}
		same := c.isVaultKey(raw)
		clear(raw)
		if !same {
			return corrupt("a key slot holds another key")
		}
		c.Slots++
	}
	return nil
}

// isVaultKey says whether a raw key is the one that the vault was opened with.
func (c *checker) isVaultKey(raw []byte) bool {
	key, err := seal.NewKey(raw)
	if err != nil {
		return false
	}
	defer key.Wipe()
	probe := c.k.seal.Seal(seal.Backup, c.v.id[:], nil)
	_, err = key.Open(seal.Backup, c.v.id[:], probe)
	return err == nil
}

// slotDamage turns a key that does not open its own slot into what that is.
func slotDamage(err error) error {
	if errors.Is(err, ErrWrongKey) || errors.Is(err, ErrNotFound) {
		return corrupt("a key slot does not open with the key that is kept for it")
	}
	return err
}

// UnlockFrom unlocks a backup by a slot that the unlocked vault current still
// has, since that knows the keys of its slots: no keystore and nobody is asked.
// ErrWrongKey if they have none in common.
func (v *Vault) UnlockFrom(current *Vault) error {
	slots, err := v.Slots()
	if err != nil {
		return err
	}
	for _, s := range slots {
		key, err := current.SlotKey(s.ID)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		err = v.Unlock(s.ID, key)
		key.Wipe()
		if !errors.Is(err, ErrWrongKey) {
			return err
		}
	}
	return ErrWrongKey
}
