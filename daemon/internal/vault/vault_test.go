package vault

import (
	"bytes"
	"crypto/rand"
	"errors"
	"path/filepath"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/o2fa/o2fa/internal/secret"
)

var (
	testVaultID = [16]byte{0xaa, 1, 2, 3}
	testSlotID  = [16]byte{0xbb, 1, 2, 3}
	testHeader  = []byte(`{"type":"memory"}`)
)

func testSlotKey() secret.Bytes { return secret.New(bytes.Repeat([]byte{7}, 32)) }

func testSlots() []NewSlot {
	return []NewSlot{{ID: testSlotID, Header: testHeader, Key: testSlotKey()}}
}

// clock is a time that tests move.
type clock struct{ t time.Time }

func newClock() *clock               { return &clock{time.UnixMilli(1_700_000_000_000)} }
func (c *clock) now() time.Time      { return c.t }
func (c *clock) add(d time.Duration) { c.t = c.t.Add(d) }

// newVault makes an empty, unlocked vault in a directory of its own.
func newVault(t testing.TB) *Vault {
	t.Helper()
	v, err := Create(filepath.Join(t.TempDir(), "vault.db"), testVaultID, testSlots(), Options{Now: newClock().now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

// reopen closes v and opens its file again, unlocked.
func reopen(t testing.TB, v *Vault) *Vault {
	t.Helper()
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	return openVault(t, v.path, Options{Now: v.now})
}

func openVault(t testing.TB, path string, opt Options) *Vault {
	t.Helper()
	v, err := Open(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	if err := v.Unlock(testSlotID, testSlotKey()); err != nil {
		t.Fatal(err)
	}
	return v
}

// entry returns an entry with a secret of its own.
func entry(name string) Entry {
	raw := make([]byte, 20)
	rand.Read(raw)
	return Entry{Type: "totp", Name: name, Algorithm: "SHA1", Digits: 6, Period: 30, Secret: secret.New(raw), Source: "added"}
}

func add(t testing.TB, v *Vault, e Entry) ID {
	t.Helper()
	var id ID
	err := v.Update("add", func(tx *Tx) error {
		var existed bool
		var err error
		id, existed, err = tx.Add(e)
		if existed {
			t.Errorf("%q existed", e.Name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func update(t testing.TB, v *Vault, op string, f func(tx *Tx) error) {
	t.Helper()
	if err := v.Update(op, f); err != nil {
		t.Fatal(err)
	}
}

func names(list []Summary) string {
	s := ""
	for _, e := range list {
		s += e.Name + " "
	}
	return s
}

func TestAddAndRead(t *testing.T) {
	v := newVault(t)
	e := entry("GitHub:Alice")
	e.Issuer, e.Account, e.Tags, e.Note, e.Pinned = "GitHub", "Alice", []string{"work", "ü"}, "a \"note\"\n\x01", true
	id := add(t, v, e)
	for range 2 {
		got, err := v.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Secret.Equal(e.Secret) || got.Name != e.Name || got.Note != e.Note || got.Tags[1] != "ü" || !got.Pinned {
			t.Errorf("got %+v", got)
		}
		if got.Created != 1_700_000_000_000 || got.Updated != got.Created || len(got.Device) != 16 {
			t.Errorf("got times %d %d, device %q", got.Created, got.Updated, got.Device)
		}
		for _, name := range []string{"GitHub:Alice", "github:alice", "GITHUB:ALICE"} {
			found, err := v.Lookup(name)
			if err != nil || len(found) != 1 || found[0].ID != id {
				t.Errorf("Lookup(%q) = %v, %v", name, found, err)
			}
		}
		found, err := v.FindSecret(e.Secret.Reveal())
		if err != nil || len(found) != 1 || found[0].Mask != mask(e.Secret.Reveal()) {
			t.Errorf("FindSecret = %v, %v", found, err)
		}
		if live, trashed := v.Count(); live != 1 || trashed != 0 {
			t.Errorf("Count = %d, %d", live, trashed)
		}
		v = reopen(t, v)
	}
}

func TestLocked(t *testing.T) {
	v := newVault(t)
	id := add(t, v, entry("a"))
	v.Lock()
	if v.Unlocked() {
		t.Error("unlocked after Lock")
	}
	calls := map[string]func() error{
		"List":        func() error { _, err := v.List(); return err },
		"Lookup":      func() error { _, err := v.Lookup("a"); return err },
		"Resolve":     func() error { _, err := v.Resolve("a"); return err },
		"Get":         func() error { _, err := v.Get(id); return err },
		"Summary":     func() error { _, err := v.Summary(id); return err },
		"Trash":       func() error { _, err := v.Trash(); return err },
		"History":     func() error { _, err := v.History(id); return err },
		"FindSecret":  func() error { _, err := v.FindSecret([]byte("x")); return err },
		"Meta":        func() error { _, err := v.Meta("x"); return err },
		"Undo":        func() error { _, err := v.Undo(); return err },
		"PurgeTrash":  func() error { _, err := v.PurgeTrash(0); return err },
		"OpenSecret":  func() error { return v.OpenSecret(id, func(*Entry) error { return nil }) },
		"Step":        func() error { return v.Step(id, func(*Entry, uint64) error { return nil }) },
		"Update":      func() error { return v.Update("x", func(*Tx) error { return nil }) },
		"Fingerprint": func() error { return map[bool]error{true: ErrLocked}[v.Fingerprint("x", nil) == [16]byte{}] },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, ErrLocked) {
			t.Errorf("%s while locked: %v", name, err)
		}
	}
	if slots, err := v.Slots(); err != nil || len(slots) != 1 || !bytes.Equal(slots[0].Header, testHeader) || slots[0].ID != testSlotID {
		t.Errorf("Slots while locked: %v, %v", slots, err)
	}
	if live, trashed := v.Count(); live != 0 || trashed != 0 {
		t.Error("Count while locked tells something")
	}
	if err := v.Unlock(testSlotID, secret.New(make([]byte, 32))); !errors.Is(err, ErrWrongKey) {
		t.Errorf("Unlock with a wrong key: %v", err)
	}
	if err := v.Unlock(testSlotID, secret.New(make([]byte, 31))); !errors.Is(err, ErrWrongKey) {
		t.Errorf("Unlock with a short key: %v", err)
	}
	if err := v.Unlock([16]byte{1}, testSlotKey()); !errors.Is(err, ErrNotFound) {
		t.Errorf("Unlock of no slot: %v", err)
	}
	if v.Unlocked() {
		t.Error("unlocked by a wrong key")
	}
	if err := v.Unlock(testSlotID, testSlotKey()); err != nil {
		t.Fatal(err)
	}
	if live, _ := v.Count(); live != 1 {
		t.Errorf("Count after Unlock = %d", live)
	}
}

func TestDuplicate(t *testing.T) {
	v := newVault(t)
	e := entry("a")
	e.Issuer = "I"
	id := add(t, v, e)
	again := func(change func(e *Entry)) (got ID, existed bool) {
		t.Helper()
		d := e.clone()
		change(&d)
		update(t, v, "add", func(tx *Tx) (err error) { got, existed, err = tx.Add(d); return err })
		return got, existed
	}
	if got, existed := again(func(e *Entry) { e.Account, e.Note = "other", "note" }); !existed || got != id {
		t.Error("a duplicate was added")
	}
	for i, change := range []func(e *Entry){
		func(e *Entry) { e.Name = "A" }, func(e *Entry) { e.Issuer = "" }, func(e *Entry) { e.Digits = 8 },
		func(e *Entry) { e.Period = 60 }, func(e *Entry) { e.Algorithm = "SHA256" },
		func(e *Entry) { e.Type, e.Period = "hotp", 0 }, func(e *Entry) { e.Secret = secret.New([]byte("other")) },
	} {
		if _, existed := again(change); existed {
			t.Errorf("change %d makes no difference", i)
		}
	}
	// One change may hold the same entry twice, and one in the trash is none.
	update(t, v, "delete", func(tx *Tx) error { return tx.Trash(id) })
	update(t, v, "add", func(tx *Tx) error {
		first, existed, err := tx.Add(e)
		second, twice, err2 := tx.Add(e)
		if existed || !twice || first != second || first == id {
			t.Errorf("Add twice in one change: %v %t, %v %t", first, existed, second, twice)
		}
		return errors.Join(err, err2)
	})
}

func TestUpdateIsAllOrNothing(t *testing.T) {
	v := newVault(t)
	id := add(t, v, entry("a"))
	list, err := v.List()
	if err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	err = v.Update("x", func(tx *Tx) error {
		if _, _, err := tx.Add(entry("b")); err != nil {
			t.Error(err)
		}
		if err := tx.Trash(id); err != nil {
			t.Error(err)
		}
		if err := tx.PutMeta("m", []byte("x")); err != nil {
			t.Error(err)
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Errorf("Update = %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = v.Update("x", func(tx *Tx) error { _, _, _ = tx.Add(entry("c")); panic("bug of the caller") })
		t.Error("a panic of the caller was swallowed")
	}()
	again, _ := v.List()
	if names(again) != names(list) || names(again) != "a " {
		t.Errorf("List = %s", names(again))
	}
	if m, err := v.Meta("m"); m != nil || err != nil {
		t.Errorf("Meta = %q, %v", m, err)
	}
	add(t, v, entry("d")) // and the vault can still be written
}

func TestMeta(t *testing.T) {
	v := newVault(t)
	update(t, v, "", func(tx *Tx) error {
		if err := tx.PutMeta("rows", []byte("1")); err != nil {
			return err
		}
		got, err := tx.Meta("rows")
		if string(got) != "1" {
			t.Errorf("Meta within the change = %q, %v", got, err)
		}
		return tx.PutMeta("empty", []byte{})
	})
	v = reopen(t, v)
	if got, err := v.Meta("rows"); string(got) != "1" || err != nil {
		t.Errorf("Meta = %q, %v", got, err)
	}
	if got, err := v.Meta("empty"); got == nil && err == nil || len(got) != 0 {
		t.Logf("an empty value reads as %v, %v", got, err)
	}
	if got, err := v.Meta("none"); got != nil || err != nil {
		t.Errorf("Meta of nothing = %q, %v", got, err)
	}
	update(t, v, "", func(tx *Tx) error { return tx.PutMeta("rows", nil) })
	if got, err := v.Meta("rows"); got != nil || err != nil {
		t.Errorf("Meta after removal = %q, %v", got, err)
	}
	if _, err := v.Undo(); !errors.Is(err, ErrNothing) {
		t.Errorf("Undo of a meta change: %v", err)
	}
	err := v.Update("", func(tx *Tx) error { return tx.PutMeta("", []byte("x")) })
	if !errors.Is(err, ErrInvalid) {
		t.Errorf("PutMeta without a name: %v", err)
	}
}

func TestFingerprint(t *testing.T) {
	v := newVault(t)
	a := v.Fingerprint("kind", []byte("data"))
	if a != v.Fingerprint("kind", []byte("data")) || a == v.Fingerprint("kin", []byte("ddata")) || a == v.Fingerprint("kind", []byte("dat")) {
		t.Error("Fingerprint is not a function of its input")
	}
	if v = reopen(t, v); a != v.Fingerprint("kind", []byte("data")) {
		t.Error("Fingerprint differs after a restart")
	}
	if a == newVault(t).Fingerprint("kind", []byte("data")) {
		t.Error("Fingerprint is the same in another vault")
	}
}

// Lock wipes the keys, but not under the hands of a change: what it seals must
// open again.
func TestLockWipes(t *testing.T) {
	v := newVault(t)
	wiped := func(k *keys) bool { return k.page.Bytes() == nil }
	k := v.keys
	var id ID
	update(t, v, "add", func(tx *Tx) (err error) {
		v.Lock()
		if wiped(k) {
			t.Error("wiped while in use")
		}
		id, _, err = tx.Add(entry("a"))
		return err
	})
	if !wiped(k) {
		t.Error("not wiped after the last use")
	}
	for range 2 { // the second replaces the keys of the first
		k = v.keys
		if err := v.Unlock(testSlotID, testSlotKey()); err != nil {
			t.Fatal(err)
		}
		if k != nil && !wiped(k) {
			t.Error("not wiped when unlocked again")
		}
	}
	if err := v.OpenSecret(id, func(*Entry) error { return nil }); err != nil {
		t.Error(err)
	}
	k = v.keys
	for range 2 {
		v.Lock()
	}
	if !wiped(k) {
		t.Error("not wiped by Lock")
	}
}

// A process that was killed in its last sync leaves a change that is seen and
// perhaps not stored. Whoever is told that it is there is told so after a sync.
func TestFirstChangeIsStored(t *testing.T) {
	v := newVault(t)
	e := entry("a")
	add(t, v, e)
	v = reopen(t, v)
	number := func() (n int) {
		if err := v.view(func(tx *bolt.Tx) error { n = tx.ID(); return nil }); err != nil {
			t.Error(err)
		}
		return n
	}
	was := number()
	for _, want := range []int{was + 1, was + 1} { // the second finds all stored
		update(t, v, "add", func(tx *Tx) error { _, _, err := tx.Add(e); return err })
		if n := number(); n != want {
			t.Errorf("last change is %d, want %d", n, want)
		}
	}
}
