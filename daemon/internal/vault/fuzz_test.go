package vault

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/o2fa/o2fa/internal/secret"
)

// FuzzOpenFile opens the frozen vault with bytes of it replaced and its end cut
// off, and uses what opens. Nothing panics out of the package, and what it reads
// is what was written or an error.
func FuzzOpenFile(f *testing.F) {
	words, err := os.ReadFile(frozenWords)
	if err != nil {
		f.Fatal(err)
	}
	var want frozen
	if err := json.Unmarshal(words, &want); err != nil {
		f.Fatal(err)
	}
	key, err := hex.DecodeString(want.SlotKey)
	if err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(frozenFile)
	if err != nil {
		f.Fatal(err)
	}
	secrets := map[string]bool{}
	for _, raw := range want.Entries {
		var e struct {
			Secret string `json:"secret"`
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			f.Fatal(err)
		}
		secrets[e.Secret] = true
	}
	f.Add(uint32(0), []byte{}, uint32(0))
	f.Add(uint32(16), []byte{0xff, 0xff, 0xff, 0xff}, uint32(0))
	f.Add(uint32(4096+64), []byte{0}, uint32(4096))
	f.Add(uint32(2*4096+8), []byte{2, 0, 0xff, 0xff}, uint32(1))
	for page := range uint32(len(data) / 4096) { // how many rows it has, and where the first one is
		f.Add(page*4096+10, []byte{0xff, 0xff}, uint32(0))
		f.Add(page*4096+16, []byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f}, uint32(0))
	}
	f.Fuzz(func(t *testing.T, at uint32, patch []byte, cut uint32) {
		bad := append([]byte(nil), data[:len(data)-int(cut)%len(data)]...)
		if len(bad) > 0 {
			copy(bad[int(at)%len(bad):], patch)
		}
		v, err := Open(write(t, bad), Options{})
		if err != nil {
			if v != nil {
				t.Error("an error, and a vault")
			}
			return
		}
		defer v.Close()
		slots, err := v.Slots()
		if err != nil || len(slots) == 0 {
			return
		}
		if err := v.Unlock(slots[0].ID, secret.New(append([]byte(nil), key...))); err != nil {
			return
		}
		useFuzzed(t, v, secrets)
	})
}

// useFuzzed reads and changes a vault that may be damaged anywhere.
func useFuzzed(t *testing.T, v *Vault, secrets map[string]bool) {
	t.Helper()
	list, err := v.List()
	for _, s := range list {
		err := v.OpenSecret(s.ID, func(e *Entry) error {
			var read struct {
				Secret string `json:"secret"`
			}
			if err := json.Unmarshal(e.AppendJSON(nil), &read); err != nil || !secrets[read.Secret] {
				t.Errorf("a secret that nobody wrote: %v", err)
			}
			return nil
		})
		if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrStorage) {
			t.Errorf("opening: %v", err)
		}
	}
	if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrStorage) {
		t.Errorf("listing: %v", err)
	}
	err = v.Update("add", func(tx *Tx) error {
		_, _, err := tx.Add(entry("new"))
		return err
	})
	if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrStorage) {
		t.Errorf("adding: %v", err)
	}
}
