package vault

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/internal/secret"
)

// forms are the spellings in which a leak of raw would show.
func forms(raw []byte) map[string]string {
	f := map[string]string{
		"raw": string(raw), "hex": hex.EncodeToString(raw), "HEX": strings.ToUpper(hex.EncodeToString(raw)),
		"base32": base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw),
	}
	// Base64 looks different at each of three offsets; the ends depend on the neighbours.
	for i := range 3 {
		text := base64.StdEncoding.EncodeToString(append(make([]byte, i), raw...))
		f["base64 at "+string(rune('0'+i))] = text[4 : len(text)-4]
	}
	return f
}

// TestNothingInClear writes canaries everywhere, through every kind of change,
// and looks for them in the file.
func TestNothingInClear(t *testing.T) {
	v := newVault(t)
	canaries := map[string]string{
		"secret": "CanarySecret-0123456789", "name": "CanaryName", "issuer": "CanaryIssuer", "account": "CanaryAccount",
		"tag": "CanaryTag", "note": "CanaryNote", "source": "CanarySource", "pin": "CanaryPIN12", "meta": "CanaryMeta", "op": "CanaryOperation",
	}
	e := Entry{Type: "motp", Name: canaries["name"], Issuer: canaries["issuer"], Account: canaries["account"], Algorithm: "SHA1",
		Digits: 6, Period: 30, Secret: secret.New([]byte(canaries["secret"])), PIN: secret.New([]byte(canaries["pin"])),
		Tags: []string{canaries["tag"]}, Note: canaries["note"], Source: canaries["source"]}
	var id ID
	update(t, v, canaries["op"], func(tx *Tx) (err error) {
		id, _, err = tx.Add(e)
		return err
	})
	edit(t, v, id, func(e *Entry) { e.Digits = 8 })
	edit(t, v, id, func(e *Entry) { e.Name += "2" })
	update(t, v, "delete", func(tx *Tx) error { return tx.Trash(id) })
	update(t, v, "restore", func(tx *Tx) error { return tx.Restore(id) })
	update(t, v, "m", func(tx *Tx) error { return tx.PutMeta("x", []byte(canaries["meta"])) })
	if _, err := v.Undo(); err != nil {
		t.Fatal(err)
	}
	k, err := v.openSlot(testSlotID, testSlotKey())
	if err != nil {
		t.Fatal(err)
	}
	canaries["vault key"], canaries["slot key"] = string(k), string(testSlotKey().Reveal())
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(v.path)
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.ToLower(data)
	for what, canary := range canaries {
		for form, text := range forms([]byte(canary)) {
			if bytes.Contains(data, bytes.ToLower([]byte(text))) {
				t.Errorf("the %s stands in the file (%s)", what, form)
			}
		}
	}
	if !bytes.Contains(data, testHeader) {
		t.Error("the slot's header is not found either: this test shows nothing")
	}
}
