package vault

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Who can write the file moves sealed values about: each is an error where it
// does not belong, never the secret of another entry.
func TestMovedRecord(t *testing.T) {
	a, b := entry("aaa"), entry("bbb")
	data, ids := vaultFile(t, a, b)
	move := func(bucket []byte, from, to []byte) func(tx *bolt.Tx) error {
		return func(tx *bolt.Tx) error {
			return tx.Bucket(bucket).Put(to, bytes.Clone(tx.Bucket(bucket).Get(from)))
		}
	}
	for what, f := range map[string]func(tx *bolt.Tx) error{
		"record under another id":  move(bucketEntry, ids[1][:], ids[0][:]),
		"summary under another id": move(bucketSummary, ids[1][:], ids[0][:]),
		"summary as record": func(tx *bolt.Tx) error {
			return tx.Bucket(bucketEntry).Put(ids[0][:], bytes.Clone(tx.Bucket(bucketSummary).Get(ids[0][:])))
		},
		"record as summary": func(tx *bolt.Tx) error {
			return tx.Bucket(bucketSummary).Put(ids[0][:], bytes.Clone(tx.Bucket(bucketEntry).Get(ids[0][:])))
		},
		"name index leads elsewhere": func(tx *bolt.Tx) error {
			c := tx.Bucket(bucketName).Cursor()
			for key, _ := c.First(); key != nil; key, _ = c.Next() {
				if bytes.HasSuffix(key, ids[0][:]) {
					mac := bytes.Clone(key[:16])
					return errors.Join(c.Delete(), tx.Bucket(bucketName).Put(append(mac, ids[1][:]...), nil))
				}
			}
			return errors.New("no row")
		},
		"record of another vault": func(tx *bolt.Tx) error {
			other, _ := vaultFile(t, Entry{ID: ids[0], Type: "totp", Name: "aaa", Algorithm: "SHA1", Digits: 6, Period: 30, Secret: b.Secret})
			path := write(t, other)
			var value []byte
			alter(t, path, func(tx *bolt.Tx) error { value = bytes.Clone(tx.Bucket(bucketEntry).Get(ids[0][:])); return nil })
			return tx.Bucket(bucketEntry).Put(ids[0][:], value)
		},
	} {
		path := write(t, data)
		alter(t, path, f)
		v := openVault(t, path, Options{})
		s, err := v.Resolve("aaa")
		if err == nil {
			err = v.OpenSecret(s.ID, func(e *Entry) error {
				t.Errorf("%s: opened %s with the secret of b: %t", what, e.Name, e.Secret.Equal(b.Secret))
				return nil
			})
		}
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", what, err)
		}
		// The rest still works.
		s, err = v.Resolve("bbb")
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		err = v.OpenSecret(s.ID, func(e *Entry) error {
			if !e.Secret.Equal(b.Secret) {
				t.Errorf("%s: b has another secret", what)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A secret index that leads elsewhere would delete the wrong entry.
func TestForgedSecretIndex(t *testing.T) {
	a, b := entry("a"), entry("b")
	data, ids := vaultFile(t, a, b)
	path := write(t, data)
	alter(t, path, func(tx *bolt.Tx) error {
		for _, bucket := range [][]byte{bucketSecret, bucketSame} {
			var keys [][]byte
			if err := tx.Bucket(bucket).ForEach(func(k, _ []byte) error { keys = append(keys, bytes.Clone(k)); return nil }); err != nil {
				return err
			}
			for _, k := range keys {
				id := ids[0]
				if bytes.HasSuffix(k, ids[0][:]) {
					id = ids[1]
				}
				if err := errors.Join(tx.Bucket(bucket).Delete(k), tx.Bucket(bucket).Put(append(k[:16:16], id[:]...), nil)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	v := openVault(t, path, Options{})
	if _, err := v.FindSecret(a.Secret.Reveal()); !errors.Is(err, ErrCorrupt) {
		t.Errorf("FindSecret: %v", err)
	}
	// A forged duplicate does not keep an entry from being added.
	update(t, v, "add", func(tx *Tx) error {
		if _, existed, err := tx.Add(a); existed || err != nil {
			t.Errorf("Add: %t, %v", existed, err)
		}
		return nil
	})
}

// TestRandomDamage flips bits, overwrites and zeroes pages of a copy, and cuts
// it, and then does everything: each call answers with an error or with what
// was stored, and nothing panics.
func TestRandomDamage(t *testing.T) {
	rounds := 500
	if testing.Short() || raceEnabled {
		rounds = 100
	}
	secrets := map[string]Entry{}
	var entries []Entry
	for i := range 60 {
		e := entry(fmt.Sprint("entry", i))
		secrets[e.Name] = e
		entries = append(entries, e)
	}
	data, trashed := damageFile(t, entries)
	delete(secrets, trashed)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, %d bytes", seed, len(data))
	outcomes := map[string]int{}
	path := write(t, data)
	if got := useDamaged(t, path, secrets); got != "intact" {
		t.Fatalf("without any damage: %s", got)
	}
	for round := range rounds {
		r := rand.New(rand.NewPCG(seed, uint64(round)))
		bad := damageBytes(r, data)
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		outcomes[useDamaged(t, path, secrets)]++
		if t.Failed() {
			t.Fatalf("round %d of seed %d", round, seed)
		}
	}
	t.Log(outcomes)
	if outcomes["intact"] == rounds || outcomes["intact"] == 0 {
		t.Error("the damage is too small or too large to show anything")
	}
}

// damageFile is a vault with something in every bucket.
func damageFile(t *testing.T, entries []Entry) (data []byte, trashed string) {
	v := newVault(t)
	update(t, v, "add", func(tx *Tx) error {
		for _, e := range entries {
			if _, _, err := tx.Add(e); err != nil {
				return err
			}
		}
		return tx.PutMeta("m", bytes.Repeat([]byte("x"), 5000))
	})
	list, err := v.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list[:5] {
		update(t, v, "edit", func(tx *Tx) error { return tx.Edit(s.ID, func(e *Entry) error { e.Note = "n"; return nil }) })
	}
	update(t, v, "delete", func(tx *Tx) error { return tx.Trash(list[5].ID) })
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if data, err = os.ReadFile(v.path); err != nil {
		t.Fatal(err)
	}
	return data, list[5].Name
}

func damageBytes(r *rand.Rand, data []byte) []byte {
	bad := bytes.Clone(data)
	page := os.Getpagesize()
	pages := len(bad) / page
	at := func() []byte { n := r.IntN(pages); return bad[n*page:][:page] }
	switch r.IntN(6) {
	case 0:
		for range 1 + r.IntN(20) {
			bad[r.IntN(len(bad))] ^= 1 << r.IntN(8)
		}
	case 1: // in the head of a page, where its structure is
		for range 1 + r.IntN(4) {
			at()[r.IntN(200)] ^= 1 << r.IntN(8)
		}
	case 2:
		clear(at())
	case 3:
		for p := at(); len(p) > 0; p = p[1:] {
			p[0] = byte(r.Uint32())
		}
	case 4:
		copy(at(), at())
	default:
		bad = bad[:r.IntN(len(bad))]
	}
	return bad
}

// useDamaged does everything with a damaged vault, and says how far it came.
func useDamaged(t *testing.T, path string, secrets map[string]Entry) string {
	v, err := Open(path, Options{})
	if err != nil {
		return "not opened"
	}
	defer v.Close()
	if err := v.Unlock(testSlotID, testSlotKey()); err != nil {
		return "not unlocked"
	}
	outcome := "intact"
	check := func(what string, err error) bool {
		for _, clean := range []error{ErrCorrupt, ErrNotFound, ErrAmbiguous} {
			if errors.Is(err, clean) {
				outcome = "damage seen"
				return false
			}
		}
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		return err == nil
	}
	for name, want := range secrets {
		s, err := v.Resolve(name)
		if !check("Resolve", err) || s.Name != name {
			continue // the index lost the name, and another contains it
		}
		check("OpenSecret", v.OpenSecret(s.ID, func(e *Entry) error {
			if !e.Secret.Equal(want.Secret) || e.Name != name {
				t.Errorf("%s has another secret", name)
			}
			return nil
		}))
	}
	list, err := v.List()
	check("List", err)
	for _, s := range list {
		_, err := v.History(s.ID)
		check("History", err)
	}
	_, err = v.Trash()
	check("Trash", err)
	_, err = v.Meta("m")
	check("Meta", err)
	check("Update", v.Update("add", func(tx *Tx) error { _, _, err := tx.Add(entry("new")); return err }))
	if _, err = v.Undo(); !errors.Is(err, ErrNothing) {
		check("Undo", err)
	}
	_, err = v.PurgeTrash(0)
	check("PurgeTrash", err)
	return outcome
}
