package vault

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/o2fa/o2fa/internal/secret"
)

// vaultFile returns the bytes of a small vault with those entries.
func vaultFile(t testing.TB, entries ...Entry) (data []byte, ids []ID) {
	t.Helper()
	v := newVault(t)
	for _, e := range entries {
		ids = append(ids, add(t, v, e))
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(v.path)
	if err != nil {
		t.Fatal(err)
	}
	return data, ids
}

func write(t testing.TB, data []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "vault.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// refused opens a file that is no good and checks that it was left alone.
func refused(t *testing.T, what, path string, want error) {
	t.Helper()
	before, _ := os.ReadFile(path)
	v, err := Open(path, Options{})
	if err == nil {
		v.Close()
	}
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Errorf("%s: the file was changed", what)
	}
}

func TestOpenRefuses(t *testing.T) {
	good, _ := vaultFile(t, entry("a"))
	missing := filepath.Join(t.TempDir(), "vault.db")
	refused(t, "no file", missing, fs.ErrNotExist)
	if _, err := os.Stat(missing); err == nil {
		t.Error("Open made a file")
	}
	refused(t, "a directory", t.TempDir(), ErrNotVault)
	refused(t, "an empty file", write(t, nil), ErrCorrupt)
	refused(t, "a text", write(t, []byte("hello")), ErrNotVault)
	refused(t, "a long text", write(t, bytes.Repeat([]byte("hello"), 10_000)), ErrNotVault)
	refused(t, "zeros", write(t, make([]byte, len(good))), ErrNotVault)
	for _, n := range []int{1000, 4096, 5000, 8192, 12288, len(good) / 2} {
		refused(t, fmt.Sprint("cut to ", n), write(t, good[:n]), ErrCorrupt)
	}
	noMeta := bytes.Clone(good)
	for _, page := range []int{0, os.Getpagesize()} {
		noMeta[page+40] ^= 1
	}
	refused(t, "both meta pages damaged", write(t, noMeta), ErrCorrupt)

	other := filepath.Join(t.TempDir(), "other.db")
	db, err := bolt.Open(other, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	refused(t, "another program's bbolt file", other, ErrNotVault)
}

// alter changes a vault file as somebody with a tool for bbolt would.
func alter(t testing.TB, path string, f func(tx *bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(f); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestNewerFormat(t *testing.T) {
	good, _ := vaultFile(t)
	for _, c := range []struct {
		format uint32
		want   error
	}{{2, ErrNewerFormat}, {1 << 31, ErrNewerFormat}, {0, ErrCorrupt}} {
		path := write(t, good)
		alter(t, path, func(tx *bolt.Tx) error {
			return tx.Bucket(bucketHeader).Put(headerFormat, binary.BigEndian.AppendUint32(nil, c.format))
		})
		refused(t, fmt.Sprint("format ", c.format), path, c.want)
	}
	// A newer format may have other buckets; it is still told for what it is.
	path := write(t, good)
	alter(t, path, func(tx *bolt.Tx) error {
		return errors.Join(tx.DeleteBucket(bucketEntry), tx.DeleteBucket(bucketSlot),
			tx.Bucket(bucketHeader).Put(headerFormat, []byte{0, 0, 0, 9}))
	})
	refused(t, "a newer format without our buckets", path, ErrNewerFormat)
	path = write(t, good)
	alter(t, path, func(tx *bolt.Tx) error { return tx.DeleteBucket(bucketEntry) })
	refused(t, "without a bucket", path, ErrCorrupt)
}

func TestCreateRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "vault.db")
	for _, make := range []func() error{
		func() error { return os.WriteFile(path, nil, 0o600) },
		func() error { return os.Mkdir(path, 0o700) },
		func() error { return os.Symlink("nowhere", path) },
	} {
		if err := make(); err != nil {
			if runtime.GOOS == "windows" {
				continue // links need a privilege there
			}
			t.Fatal(err)
		}
		if _, err := Create(path, testVaultID, testSlots(), Options{}); !errors.Is(err, ErrExists) {
			t.Errorf("Create over something: %v", err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Create(path, testVaultID, nil, Options{}); err == nil {
		t.Error("Create without a slot")
	}
	bad := testSlots()
	bad[0].Key.Wipe()
	bad[0].Key = testSlotKey()
	bad = append(bad, NewSlot{ID: [16]byte{1}, Header: []byte("h")})
	if _, err := Create(path, testVaultID, bad, Options{}); err == nil {
		t.Error("Create with a slot without a key")
	}
	if _, err := Create(filepath.Join(dir, "no", "vault.db"), testVaultID, testSlots(), Options{}); err == nil {
		t.Error("Create in no directory")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	v, err := Create(path, testVaultID, testSlots(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	if v.ID() != testVaultID || v.Format() != Format || v.ReadOnly() || !v.Unlocked() {
		t.Error("the new vault is not what was asked for")
	}
}

// Once the file is at its place, an error says so: its key must be kept.
func TestCreatedButNotOpened(t *testing.T) {
	data, _ := vaultFile(t)
	tmp := write(t, data)
	path := filepath.Join(filepath.Dir(tmp), "placed.db")
	other := NewSlot{ID: testSlotID, Header: testHeader, Key: secret.New(make([]byte, 32))}
	if _, err := place(tmp, path, other, Options{}); !errors.Is(err, ErrCreated) || !errors.Is(err, ErrWrongKey) {
		t.Errorf("placing what then does not open: %v", err)
	}
	openVault(t, path, Options{})
	if _, err := place(write(t, data), path, testSlots()[0], Options{}); !errors.Is(err, ErrExists) || errors.Is(err, ErrCreated) {
		t.Errorf("placing over a file: %v", err)
	}
	gone := filepath.Join(t.TempDir(), "gone.db")
	if _, err := place(gone, gone+"2", other, Options{}); err == nil || errors.Is(err, ErrCreated) {
		t.Errorf("placing nothing: %v", err)
	}
}

func TestSlots(t *testing.T) {
	slots := testSlots()
	other := NewSlot{ID: [16]byte{1}, Header: []byte(`{"type":"other"}`), Key: testSlotKey()}
	other.Key.Reveal()[0] ^= 1
	slots = append(slots, other)
	path := filepath.Join(t.TempDir(), "vault.db")
	v, err := Create(path, testVaultID, slots, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { v.Close() }()
	id := add(t, v, entry("a"))
	v.Lock()
	if err := v.Unlock(other.ID, testSlotKey()); !errors.Is(err, ErrWrongKey) {
		t.Errorf("Unlock with the key of another slot: %v", err)
	}
	if err := v.Unlock(other.ID, other.Key); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Get(id); err != nil {
		t.Error(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	// Weaker Argon2 parameters in the header must not be taken.
	alter(t, path, func(tx *bolt.Tx) error { return tx.Bucket(bucketSlot).Put(other.ID[:], []byte(`{"type":"weak"}`)) })
	if v, err = Open(path, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := v.Unlock(other.ID, other.Key); !errors.Is(err, ErrWrongKey) {
		t.Errorf("Unlock of a slot with another header: %v", err)
	}
	if err := v.Unlock(testSlotID, testSlotKey()); err != nil {
		t.Errorf("the other slot: %v", err)
	}
}

func TestBusy(t *testing.T) {
	v := newVault(t)
	if _, err := Open(v.path, Options{}); !errors.Is(err, ErrBusy) {
		t.Errorf("Open of an open vault: %v", err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	openVault(t, v.path, Options{})
}

func TestClosed(t *testing.T) {
	v := newVault(t)
	id := add(t, v, entry("a"))
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Get(id); !errors.Is(err, ErrLocked) {
		t.Errorf("Get after Close: %v", err)
	}
	if _, err := v.Slots(); !errors.Is(err, ErrClosed) {
		t.Errorf("Slots after Close: %v", err)
	}
	if err := v.Close(); err != nil {
		t.Errorf("Close twice: %v", err)
	}
}

// Readers, a writer, lock and unlock at once: for the race detector.
func TestConcurrentUse(t *testing.T) {
	v := newVault(t)
	e := entry("a")
	e.Type, e.Period = "hotp", 0
	id := add(t, v, e)
	allowed := func(err error) {
		if err != nil && !errors.Is(err, ErrLocked) {
			t.Error(err)
		}
	}
	var work sync.WaitGroup
	for i, f := range []func(i int) error{
		func(int) error { _, err := v.Resolve("a"); return err },
		func(int) error { return v.OpenSecret(id, func(*Entry) error { return nil }) },
		func(int) error { _, err := v.List(); return err },
		func(int) error { return v.Step(id, func(*Entry, uint64) error { return nil }) },
		func(i int) error {
			return v.Update("add", func(tx *Tx) error { _, _, err := tx.Add(entry(fmt.Sprint("n", i))); return err })
		},
		func(i int) error {
			if i%10 == 0 {
				v.Lock()
			}
			return v.Unlock(testSlotID, testSlotKey())
		},
		func(int) error { v.Count(); _, err := v.FindSecret(e.Secret.Reveal()); return err },
	} {
		work.Add(1)
		go func() {
			defer work.Done()
			for n := range 40 {
				allowed(f(n + i*1000))
			}
		}()
	}
	work.Wait()
	if err := v.Unlock(testSlotID, testSlotKey()); err != nil {
		t.Fatal(err)
	}
	list, err := v.List()
	if live, _ := v.Count(); err != nil || live != len(list) {
		t.Errorf("%d counted, %d listed, %v", live, len(list), err)
	}
	fresh, err := v.readSummaries(v.keys, bucketSummary)
	if err != nil || len(fresh) != len(list) {
		t.Errorf("%d on disk, %d listed, %v", len(fresh), len(list), err)
	}
}
