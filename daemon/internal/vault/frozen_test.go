package vault

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/o2fa/o2fa/internal/secret"
)

// The frozen vault of format 1 and what is in it. The file has the byte
// order of a PC, which bbolt wants on the machine too.
const (
	frozenFile  = "testdata/format1.db"
	frozenWords = "../../../docs/vectors/vault-format1.json"
)

var freeze = flag.Bool("freeze", false, "make the frozen vault of this format, which is done once")

// frozen says how to open the file and what every later release must read in it.
type frozen struct {
	About   string            `json:"about"`
	Vault   string            `json:"vault"` // id, hex
	Slot    string            `json:"slot"`  // id, hex
	Header  string            `json:"header"`
	SlotKey string            `json:"slot_key"` // hex
	Entries []json.RawMessage `json:"entries"`  // as docs/entry.md, live and trashed
	History []json.RawMessage `json:"history"`  // of the first entry, newest first
	Meta    map[string]string `json:"meta"`     // name → text
	Undo    []string          `json:"undo"`     // what can be undone, the last first
}

func TestFrozenVault(t *testing.T) {
	if *freeze {
		freezeVault(t)
	}
	words, err := os.ReadFile(frozenWords)
	if err != nil {
		t.Fatal(err)
	}
	var want frozen
	if err := json.Unmarshal(words, &want); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(frozenFile)
	if err != nil {
		t.Fatal(err)
	}
	v, err := Open(write(t, data), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	slots, err := v.Slots()
	if err != nil || len(slots) != 1 || string(slots[0].Header) != want.Header || hex.EncodeToString(slots[0].ID[:]) != want.Slot {
		t.Fatalf("slots %q, %v", slots, err)
	}
	if id := v.ID(); v.Format() != 1 || hex.EncodeToString(id[:]) != want.Vault {
		t.Errorf("format %d, id %x", v.Format(), id)
	}
	key, err := hex.DecodeString(want.SlotKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Unlock(slots[0].ID, secret.New(key)); err != nil {
		t.Fatal(err)
	}
	checkFrozen(t, v, &want)
}

func checkFrozen(t *testing.T, v *Vault, want *frozen) {
	live := 0
	var first ID
	for i, raw := range want.Entries {
		e, err := ParseEntry(raw)
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.Get(e.ID)
		if err != nil || !sameJSON(t, got.AppendJSON(nil), raw) {
			t.Errorf("%s reads as %s, %v", raw, got.AppendJSON(nil), err)
		}
		if i == 0 {
			first = e.ID
		}
		if e.Trashed != 0 {
			continue
		}
		live++
		if s, err := v.Resolve(e.Name); err != nil || s.ID != e.ID {
			t.Errorf("Resolve(%q) = %v, %v", e.Name, s.ID, err)
		}
		if s, err := v.FindSecret(e.Secret.Reveal()); err != nil || len(s) != 1 || s[0].ID != e.ID {
			t.Errorf("FindSecret of %q = %v, %v", e.Name, s, err)
		}
	}
	if l, tr := v.Count(); l != live || tr != len(want.Entries)-live {
		t.Errorf("Count = %d, %d", l, tr)
	}
	if list, err := v.List(); err != nil || len(list) != live {
		t.Errorf("List of %d, %v", len(list), err)
	}
	h, err := v.History(first)
	if err != nil || len(h) != len(want.History) {
		t.Fatalf("history of %d, %v", len(h), err)
	}
	for i := range h {
		if !sameJSON(t, h[i].AppendJSON(nil), want.History[i]) {
			t.Errorf("version %d reads as %s", i, h[i].AppendJSON(nil))
		}
	}
	for name, text := range want.Meta {
		if got, err := v.Meta(name); string(got) != text || err != nil {
			t.Errorf("Meta(%s) = %q, %v", name, got, err)
		}
	}
	for _, op := range want.Undo {
		if u, err := v.Undo(); err != nil || u.Op != op {
			t.Errorf("Undo = %v, %v, want %s", u, err, op)
		}
	}
	if _, err := v.Undo(); !errors.Is(err, ErrNothing) {
		t.Errorf("Undo at the end: %v", err)
	}
}

// sameJSON compares up to blanks; the order of members is part of the format.
func sameJSON(t *testing.T, got, want []byte) bool {
	t.Helper()
	var tight bytes.Buffer
	if err := json.Compact(&tight, want); err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(got, tight.Bytes())
}

func freezeVault(t *testing.T) {
	c := newClock()
	path := filepath.Join(t.TempDir(), "vault.db")
	v, err := Create(path, testVaultID, testSlots(), Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	one := Entry{Type: "totp", Name: "GitHub:alice@example.com", Issuer: "GitHub", Account: "alice@example.com",
		Algorithm: "SHA1", Digits: 6, Period: 30, Secret: secret.New([]byte("12345678901234567890")), Source: "secrets.json"}
	two := Entry{Type: "hotp", Name: "Zähler", Algorithm: "SHA512", Digits: 8, Counter: 7, Tags: []string{"arbeit", "größer"},
		Secret: secret.New([]byte("abcdefghijklmnopqrstuvwxyz")), Note: "two\nlines", Pinned: true, Source: "added"}
	three := Entry{Type: "motp", Name: "gone", Algorithm: "SHA1", Digits: 6, Period: 10, Secret: secret.New([]byte{0, 1, 2, 255}),
		PIN: secret.New([]byte("1234")), Source: "added", unknown: map[string]json.RawMessage{"x_future": json.RawMessage(`{"a":[1,"]"]}`)}}
	ids := []ID{add(t, v, one), add(t, v, two), add(t, v, three)}
	c.add(time.Minute)
	update(t, v, "edit", func(tx *Tx) error { return tx.Edit(ids[0], func(e *Entry) error { e.Note = "work"; return nil }) })
	if err := v.Step(ids[1], func(*Entry, uint64) error { return nil }); err != nil {
		t.Fatal(err)
	}
	update(t, v, "delete", func(tx *Tx) error { return errors.Join(tx.Trash(ids[2]), tx.PutMeta("rows", []byte("seen"))) })
	words := frozen{
		About: "What daemon/internal/vault/testdata/format1.db holds, a vault of format 1 (docs/vault-format.md), frozen.",
		Vault: hex.EncodeToString(testVaultID[:]), Slot: hex.EncodeToString(testSlotID[:]), Header: string(testHeader),
		SlotKey: hex.EncodeToString(testSlotKey().Reveal()), Meta: map[string]string{"rows": "seen"},
		Undo: []string{"delete", "edit", "add", "add", "add"},
	}
	for _, id := range ids {
		e, err := v.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		words.Entries = append(words.Entries, e.AppendJSON(nil))
	}
	h, err := v.History(ids[0])
	if err != nil {
		t.Fatal(err)
	}
	for i := range h {
		words.History = append(words.History, h[i].AppendJSON(nil))
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(words, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(frozenFile, data, 0o644), os.WriteFile(frozenWords, append(text, '\n'), 0o644)); err != nil {
		t.Fatal(err)
	}
}
