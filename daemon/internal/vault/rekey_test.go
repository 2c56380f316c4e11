package vault

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/o2fa/o2fa/internal/secret"
)

func slot(n byte) NewSlot {
	return NewSlot{ID: [16]byte{0xcc, n}, Header: []byte(fmt.Sprintf(`{"type":"memory","n":%d}`, n)), Key: secret.New(bytes.Repeat([]byte{n}, 32))}
}

// rekeyed closes the vault for its successor.
func rekeyed(t testing.TB, v *Vault, drop [][16]byte, add []NewSlot) *Vault {
	t.Helper()
	next, err := v.Rekey(drop, add)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { next.Close() })
	return next
}

// opens says whether a file opens by a slot.
func opens(t *testing.T, path string, s NewSlot) error {
	t.Helper()
	v, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if err := v.Unlock(s.ID, s.Key); err != nil {
		return err
	}
	_, err = v.List()
	return err
}

func TestAddSlot(t *testing.T) {
	v := newVault(t)
	id := add(t, v, entry("github"))
	if err := v.AddSlot(slot(1)); err != nil {
		t.Fatal(err)
	}
	if err := v.AddSlot(slot(1)); !errors.Is(err, ErrExists) {
		t.Errorf("the same slot again: %v", err)
	}
	if slots, err := v.Slots(); err != nil || len(slots) != 2 {
		t.Errorf("%v, %v", slots, err)
	}
	key, err := v.SlotKey(slot(1).ID)
	if err != nil || !key.Equal(slot(1).Key) {
		t.Errorf("%v", err)
	}
	if _, err := v.SlotKey([16]byte{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("the key of no slot: %v", err)
	}
	v.Lock()
	if err := v.AddSlot(slot(2)); !errors.Is(err, ErrLocked) {
		t.Errorf("while locked: %v", err)
	}
	if err := v.Unlock(slot(1).ID, slot(1).Key); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Get(id); err != nil {
		t.Error(err)
	}
}

func TestRekeyDropsAndAddsSlots(t *testing.T) {
	v := newVault(t)
	path := v.path
	first := testSlots()[0]
	id := add(t, v, entry("github"))
	if err := v.AddSlot(slot(1)); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(copied, data, 0o600); err != nil {
		t.Fatal(err)
	}
	v = rekeyed(t, v, [][16]byte{first.ID}, []NewSlot{slot(2)})
	if _, err := v.Get(id); err != nil || v.ID() != testVaultID {
		t.Error(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path string
		slot NewSlot
		want error
	}{
		"kept": {path, slot(1), nil}, "added": {path, slot(2), nil}, "dropped": {path, first, ErrNotFound},
		"an old copy by the old slot": {copied, first, nil}, "an old copy by the new slot": {copied, slot(2), ErrNotFound},
	} {
		if err := opens(t, c.path, c.slot); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	leftovers, err := filepath.Glob(filepath.Join(filepath.Dir(path), tempPattern))
	if err != nil || len(leftovers) != 0 {
		t.Errorf("left behind: %v, %v", leftovers, err)
	}
}

// TestOldKeyOpensNothing puts the old slot's records into the new file: its key
// leads to the old vault key, and that to nothing.
func TestOldKeyOpensNothing(t *testing.T) {
	v := newVault(t)
	add(t, v, entry("github"))
	if err := v.AddSlot(slot(1)); err != nil {
		t.Fatal(err)
	}
	path, first := v.path, testSlots()[0]
	records := map[string][]byte{}
	if err := v.view(func(tx *bolt.Tx) error {
		for _, bucket := range [][]byte{bucketSlot, bucketWrap, bucketSlotKey} {
			records[string(bucket)] = bytes.Clone(tx.Bucket(bucket).Get(first.ID[:]))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	v = rekeyed(t, v, [][16]byte{first.ID}, nil)
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	alter(t, path, func(tx *bolt.Tx) (err error) {
		for bucket, value := range records {
			err = errors.Join(err, tx.Bucket([]byte(bucket)).Put(first.ID[:], value))
		}
		return err
	})
	if err := opens(t, path, first); !errors.Is(err, ErrCorrupt) {
		t.Errorf("with the old slot put back: %v", err)
	}
}

// TestRekeyKeepsEverything compares what the model test does not: fingerprints,
// undo after it, and records of the daemon.
func TestRekeyKeepsEverything(t *testing.T) {
	v := newVault(t)
	id := add(t, v, entry("github"))
	gone := add(t, v, entry("gone"))
	update(t, v, "delete", func(tx *Tx) error { return tx.Trash(gone) })
	update(t, v, "edit", func(tx *Tx) error {
		return errors.Join(tx.PutMeta("daemon", []byte("value")), tx.Edit(id, func(e *Entry) error { e.Note = "a note"; return nil }))
	})
	before := v.Fingerprint("kind", []byte("data"))
	for range 3 { // the second and third find the key of fingerprints stored
		v = rekeyed(t, v, nil, nil)
		if v.Fingerprint("kind", []byte("data")) != before {
			t.Fatal("fingerprints changed: every row of a secrets file would look new")
		}
	}
	v = reopen(t, v)
	if v.Fingerprint("kind", []byte("data")) != before {
		t.Error("fingerprints changed at the next start")
	}
	if value, err := v.Meta("daemon"); err != nil || string(value) != "value" {
		t.Errorf("%q, %v", value, err)
	}
	if live, trashed := v.Count(); live != 1 || trashed != 1 {
		t.Errorf("%d and %d entries", live, trashed)
	}
	if n, err := v.Versions(id); err != nil || n != 1 {
		t.Errorf("%d versions, %v", n, err)
	}
	for _, want := range []string{"edit", "delete"} {
		if u, err := v.Undo(); err != nil || u.Op != want {
			t.Errorf("%+v, %v", u, err)
		}
	}
	e, err := v.Get(id)
	if err != nil || e.Note != "" {
		t.Errorf("%q, %v", e.Note, err)
	}
	if found, err := v.Lookup("gone"); err != nil || len(found) != 1 {
		t.Errorf("%v, %v", found, err)
	}
	if found, err := v.FindSecret(e.Secret.Reveal()); err != nil || len(found) != 1 {
		t.Errorf("%v, %v", found, err)
	}
	update(t, v, "add", func(tx *Tx) error {
		again, existed, err := tx.Add(e)
		if !existed || again != id {
			t.Error("a duplicate is not known any more")
		}
		return err
	})
}

func TestRekeyRefuses(t *testing.T) {
	v := newVault(t)
	id := add(t, v, entry("github"))
	data, err := os.ReadFile(v.path)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		drop [][16]byte
		add  []NewSlot
		want error
	}{
		"the last slot": {[][16]byte{testSlotID}, nil, ErrLastSlot}, "no such slot": {[][16]byte{{1}}, nil, ErrNotFound},
		"a key of another size": {nil, []NewSlot{{ID: [16]byte{9}, Key: secret.New([]byte("short"))}}, nil},
	} {
		if _, err := v.Rekey(c.drop, c.add); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if now, err := os.ReadFile(v.path); err != nil || !bytes.Equal(now, data) {
		t.Error("a refused change of the slots changed the file")
	}
	v.Lock()
	if _, err := v.Rekey(nil, nil); !errors.Is(err, ErrLocked) {
		t.Errorf("while locked: %v", err)
	}
	if err := v.Unlock(testSlotID, testSlotKey()); err != nil {
		t.Fatal(err)
	}
	// Damage in one record: nothing is left out in silence.
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	alter(t, v.path, func(tx *bolt.Tx) error { return tx.Bucket(bucketEntry).Put(id[:], []byte("damaged")) })
	v = openVault(t, v.path, Options{})
	if _, err := v.Rekey(nil, nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("with a damaged record: %v", err)
	}
	leftovers, err := filepath.Glob(filepath.Join(filepath.Dir(v.path), tempPattern))
	if err != nil || len(leftovers) != 0 {
		t.Errorf("left behind: %v, %v", leftovers, err)
	}
}

// TestReadersGoOnDuringRekey reads the old vault while and after the new one is
// made, and finds that changes to it are refused then.
func TestReadersGoOnDuringRekey(t *testing.T) {
	v := newVault(t)
	for i := range 50 {
		add(t, v, entry(fmt.Sprint("entry ", i)))
	}
	done, read := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		defer func() { read <- n }()
		for {
			if s, err := v.Resolve("entry 7"); err != nil || v.OpenSecret(s.ID, func(*Entry) error { return nil }) != nil {
				t.Errorf("reading: %v", err)
			}
			n++
			select {
			case <-done:
				return
			default:
			}
		}
	}()
	next, err := v.Rekey(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	close(done)
	if n := <-read; n == 0 {
		t.Error("nothing was read")
	}
	if err := v.Update("add", func(tx *Tx) error { _, _, err := tx.Add(entry("lost")); return err }); !errors.Is(err, ErrReplaced) {
		t.Errorf("a change of the old file: %v", err)
	}
	if list, err := next.List(); err != nil || len(list) != 50 {
		t.Errorf("%d entries, %v", len(list), err)
	}
}
