package keystore_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/zalando/go-keyring"
	"golang.org/x/sys/windows"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/internal/secret"
)

// TestConformKeyring runs against the Credential Manager of this user.
func TestConformKeyring(t *testing.T) {
	conform(t, subject{
		kind:     keystore.TypeKeyring,
		open:     func(t *testing.T) keystore.Store { return swept{keystore.NewKeyring(keystore.KeyringConfig{}), t} },
		forgets:  true,
		mayBeOne: true,
	})
}

// swept removes what a test has made: the Credential Manager is the user's.
type swept struct {
	keystore.Store
	t *testing.T
}

// Create makes a slot that goes when the test ends.
func (s swept) Create(ctx context.Context, vault [16]byte) (keystore.Header, secret.Bytes, error) {
	h, key, err := s.Store.Create(ctx, vault)
	if err == nil {
		s.t.Cleanup(func() { _ = s.Remove(context.Background(), h) }) // the test may have removed it
	}
	return h, key, err
}

// TestCredentialManagersLimit is why it keeps one key and not the vault.
func TestCredentialManagersLimit(t *testing.T) {
	const service, user, limit = "o2fa-test", "limit", 2560
	t.Cleanup(func() { _ = keyring.Delete(service, user) })
	if err := keyring.Set(service, user, strings.Repeat("x", limit)); err != nil {
		t.Errorf("%d bytes: %v", limit, err)
	}
	if err := keyring.Set(service, user, strings.Repeat("x", limit+1)); !errors.Is(err, keyring.ErrSetDataTooBig) {
		t.Errorf("%d bytes: %v, want ErrSetDataTooBig", limit+1, err)
	}
	if got, err := keyring.Get(service, user); err != nil || len(got) != limit {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
}

// TestCredentialManagersErrors gives each error of the system its meaning.
func TestCredentialManagersErrors(t *testing.T) {
	for err, want := range map[error]error{
		windows.ERROR_NO_SUCH_LOGON_SESSION: keystore.ErrUnavailable,
		windows.RPC_S_SERVER_UNAVAILABLE:    keystore.ErrUnavailable,
		windows.ERROR_CANCELLED:             keystore.ErrKeyringLocked,
		windows.ERROR_INVALID_PARAMETER:     keystore.ErrFailed,
	} {
		if got := keystore.Sentinel(err); !errors.Is(got, want) {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
}
