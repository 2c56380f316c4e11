package keystore_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/daemon/internal/keystore/keystoretest"
	"github.com/o2fa/o2fa/internal/secret"
)

// subject is a kind of store under the conformance suite.
type subject struct {
	kind     keystore.Type
	open     func(t *testing.T) keystore.Store // a fresh, empty store
	forgets  bool                              // Remove makes the key go away
	mayBeOne bool                              // two calls at once may give ErrBusy
	handed   bool                              // Create takes the key that somebody else made
}

// conform runs the promises of keystore.Store against a subject.
func conform(t *testing.T, s subject) {
	cases := map[string]func(*testing.T, subject){
		"RoundTrip":   conformRoundTrip,
		"SecondMake":  conformSecondMake,
		"KeysDiffer":  conformKeysDiffer,
		"ForeignType": conformForeignType,
		"Cancelled":   conformCancelled,
		"Remove":      conformRemove,
		"Parallel":    conformParallel,
	}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) { run(t, s) })
	}
}

func conformRoundTrip(t *testing.T, s subject) {
	store, vault := s.open(t), newVault()
	h, key := create(t, store, vault)
	if key.Len() != keystore.KeySize {
		t.Fatalf("key of %d bytes", key.Len())
	}
	if h.Type != s.kind || h.Vault != vault || h.ID == [16]byte{} {
		t.Errorf("header %+v", h)
	}
	parsed, err := keystore.ParseHeader(h.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(parsed, h) {
		t.Errorf("header came back as %+v, was %+v", parsed, h)
	}
	for _, form := range forms(key) {
		if strings.Contains(string(h.Encode()), form) {
			t.Error("the header holds the key")
		}
	}
	first, second := open(t, store, parsed), open(t, store, parsed)
	if !first.Equal(key) || !second.Equal(key) {
		t.Fatal("another key came back")
	}
	first.Wipe() // what a caller wipes is its own
	if third := open(t, store, parsed); !third.Equal(key) || !second.Equal(key) {
		t.Error("wiping one key wiped another")
	}
}

func conformSecondMake(t *testing.T, s subject) {
	store, vault := s.open(t), newVault()
	h, key := create(t, store, vault)
	again, other, err := store.Create(t.Context(), vault)
	switch {
	case err == nil && (again.ID == h.ID || other.Equal(key) != s.handed):
		t.Error("the second slot is the first")
	case err != nil && !errors.Is(err, keystore.ErrExists):
		t.Errorf("second Create: %v, want ErrExists", err)
	}
	if err != nil && (again.ID != [16]byte{} || other.Len() != 0) {
		t.Error("a failed Create returned something")
	}
	if !open(t, store, h).Equal(key) {
		t.Fatal("the second Create overwrote the first key")
	}
}

func conformKeysDiffer(t *testing.T, s subject) {
	one, a := create(t, s.open(t), newVault())
	two, b := create(t, s.open(t), newVault())
	if a.Equal(b) || one.ID == two.ID {
		t.Error("two vaults got one key or one slot id")
	}
	if bytes.Equal(a.Reveal(), make([]byte, keystore.KeySize)) {
		t.Error("the key is zero")
	}
}

func conformForeignType(t *testing.T, s subject) {
	store := s.open(t)
	h, _ := create(t, store, newVault())
	h.Type = "other"
	if _, err := store.Open(t.Context(), h); !errors.Is(err, keystore.ErrHeader) {
		t.Errorf("Open: %v, want ErrHeader", err)
	}
	if err := store.Remove(t.Context(), h); !errors.Is(err, keystore.ErrHeader) {
		t.Errorf("Remove: %v, want ErrHeader", err)
	}
}

func conformCancelled(t *testing.T, s subject) {
	store := s.open(t)
	h, key := create(t, store, newVault())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := store.Create(ctx, newVault()); !errors.Is(err, context.Canceled) {
		t.Errorf("Create: %v, want canceled", err)
	}
	if _, err := store.Open(ctx, h); !errors.Is(err, context.Canceled) {
		t.Errorf("Open: %v, want canceled", err)
	}
	if err := store.Remove(ctx, h); s.forgets && !errors.Is(err, context.Canceled) {
		t.Errorf("Remove: %v, want canceled", err)
	}
	if !open(t, store, h).Equal(key) {
		t.Error("a cancelled call changed the key")
	}
}

func conformRemove(t *testing.T, s subject) {
	store, vault := s.open(t), newVault()
	h, key := create(t, store, vault)
	if err := store.Remove(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if !s.forgets {
		if !open(t, store, h).Equal(key) {
			t.Error("another key after Remove")
		}
		return
	}
	_, err := store.Open(t.Context(), h)
	if !errors.Is(err, keystore.ErrMissing) {
		t.Errorf("Open after Remove: %v, want ErrMissing", err)
	}
	noSecret(t, err, key)
	if err := store.Remove(t.Context(), h); !errors.Is(err, keystore.ErrMissing) {
		t.Errorf("second Remove: %v, want ErrMissing", err)
	}
	if next, other := create(t, store, vault); next.ID == h.ID || other.Equal(key) {
		t.Error("the next slot is the removed one")
	}
}

func conformParallel(t *testing.T, s subject) {
	store := s.open(t)
	h, key := create(t, store, newVault())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			got, err := store.Open(t.Context(), h)
			switch {
			case s.mayBeOne && errors.Is(err, keystore.ErrBusy):
			case err != nil:
				t.Error(err)
			case !got.Equal(key):
				t.Error("another key came back")
			}
		})
	}
	all.Wait()
}

func TestConformMemory(t *testing.T) {
	conform(t, subject{
		kind:    keystore.TypeMemory,
		open:    func(*testing.T) keystore.Store { return keystore.NewMemory() },
		forgets: true,
	})
}

func TestConformKeyfile(t *testing.T) {
	conform(t, subject{
		kind:    keystore.TypeKeyfile,
		open:    func(t *testing.T) keystore.Store { return keystore.NewKeyfile(keyfilePath(t)) },
		forgets: true,
	})
}

func TestConformPassphrase(t *testing.T) {
	conform(t, subject{
		kind: keystore.TypePassphrase,
		open: func(t *testing.T) keystore.Store {
			return keystore.NewPassphrase(secret.Copy([]byte("correct horse")), keystoretest.CheapCost(t))
		},
	})
}

func TestConformRecovery(t *testing.T) {
	conform(t, subject{
		kind: keystore.TypeRecovery,
		open: func(*testing.T) keystore.Store { return keystore.NewRecovery(keystore.NewRecoveryCode()) },
	})
}

func TestConformCredential(t *testing.T) {
	conform(t, subject{
		kind:   keystore.TypeCredential,
		open:   func(t *testing.T) keystore.Store { return keystore.NewCredential(handOver(t, "o2fa.key"), "o2fa.key") },
		handed: true,
	})
}

func newVault() (vault [16]byte) {
	rand.Read(vault[:])
	return vault
}

func keyfilePath(t *testing.T) string { return filepath.Join(t.TempDir(), "vault.key") }

func create(t *testing.T, s keystore.Store, vault [16]byte) (keystore.Header, secret.Bytes) {
	t.Helper()
	h, key, err := s.Create(t.Context(), vault)
	if err != nil {
		t.Fatal(err)
	}
	return h, key
}

func open(t *testing.T, s keystore.Store, h keystore.Header) secret.Bytes {
	t.Helper()
	key, err := s.Open(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// forms are the spellings in which a key could leak.
func forms(key secret.Bytes) []string {
	b := key.Reveal()
	return []string{
		string(b), hex.EncodeToString(b),
		base64.RawURLEncoding.EncodeToString(b), base64.RawStdEncoding.EncodeToString(b),
	}
}

// noSecret fails if the text of err holds key.
func noSecret(t *testing.T, err error, key secret.Bytes) {
	t.Helper()
	for _, form := range forms(key) {
		if strings.Contains(err.Error(), form) {
			t.Errorf("the error holds the key: %v", err)
		}
	}
}
