package keystore_test

import (
	"errors"
	"testing"

	"golang.org/x/sys/windows"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
)

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
