package keystore_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/daemon/internal/keystore/keystoretest"
	"github.com/o2fa/o2fa/internal/secret"
)

func TestPassphraseWrong(t *testing.T) {
	cost := keystoretest.CheapCost(t)
	right := keystore.NewPassphrase(secret.Copy([]byte("right")), cost)
	h, key := create(t, right, newVault())
	got, err := keystore.NewPassphrase(secret.Copy([]byte("wrong")), cost).Open(t.Context(), h)
	if err != nil || got.Equal(key) {
		t.Errorf("a wrong passphrase gives %v, and the same key: %v", err, got.Equal(key))
	}
	again, other := create(t, right, h.Vault)
	if other.Equal(key) || string(again.Salt) == string(h.Salt) {
		t.Error("two slots of one passphrase share salt or key")
	}
}

func TestPassphraseEmpty(t *testing.T) {
	s := keystore.NewPassphrase(secret.Bytes{}, keystoretest.CheapCost(t))
	if _, _, err := s.Create(t.Context(), newVault()); !errors.Is(err, keystore.ErrEmptyPassphrase) {
		t.Errorf("Create: %v, want ErrEmptyPassphrase", err)
	}
	h, _ := create(t, keystore.NewPassphrase(secret.Copy([]byte("x")), keystoretest.CheapCost(t)), newVault())
	if _, err := s.Open(t.Context(), h); !errors.Is(err, keystore.ErrEmptyPassphrase) {
		t.Errorf("Open: %v, want ErrEmptyPassphrase", err)
	}
}

// TestPassphraseHeaderDecides: the cost of a known slot is its header's, and a
// header that was never parsed is bounded all the same.
func TestPassphraseHeaderDecides(t *testing.T) {
	pass := secret.Copy([]byte("right"))
	h, key := create(t, keystore.NewPassphrase(pass, keystoretest.CheapCost(t)), newVault())
	if !open(t, keystore.NewPassphrase(pass, keystore.DefaultCost()), h).Equal(key) {
		t.Error("the store's cost was used")
	}
	h.Argon2 = &keystore.Argon2{Time: 1, MemoryKiB: 1 << 30, Threads: 1}
	if _, err := keystore.NewPassphrase(pass, keystore.Cost{}).Open(t.Context(), h); !errors.Is(err, keystore.ErrHeader) {
		t.Errorf("a TiB of memory: %v, want ErrHeader", err)
	}
	h.Argon2 = nil
	if _, err := keystore.NewPassphrase(pass, keystore.Cost{}).Open(t.Context(), h); !errors.Is(err, keystore.ErrHeader) {
		t.Errorf("no parameters: %v, want ErrHeader", err)
	}
}

// TestPassphraseDefaultCost: what people get unless they choose.
func TestPassphraseDefaultCost(t *testing.T) {
	h, _ := create(t, keystore.NewPassphrase(secret.Copy([]byte("x")), keystore.Cost{}), newVault())
	if *h.Argon2 != (keystore.Argon2{Time: 3, MemoryKiB: 128 << 10, Threads: 4}) || len(h.Salt) != 16 {
		t.Errorf("%+v, salt of %d bytes", *h.Argon2, len(h.Salt))
	}
}

// TestPassphraseVectors: slots that were made once must open for ever.
func TestPassphraseVectors(t *testing.T) {
	data, err := os.ReadFile("../../../docs/vectors/keystore.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Passphrase []struct{ Header, Passphrase, Key string }
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Passphrase) < 3 {
		t.Errorf("%d vectors", len(file.Passphrase))
	}
	for _, v := range file.Passphrase {
		h, err := keystore.ParseHeader([]byte(v.Header))
		if err != nil {
			t.Fatal(err)
		}
		key := open(t, keystore.NewPassphrase(secret.Copy([]byte(v.Passphrase)), keystore.Cost{}), h)
		if got := hex.EncodeToString(key.Reveal()); got != v.Key {
			t.Errorf("%s gives %s, want %s", v.Header, got, v.Key)
		}
	}
}
