package keystore

import (
	"errors"

	"golang.org/x/sys/windows"
)

// meaning returns the sentinel for an error of go-keyring.
func meaning(err error) error {
	switch {
	case errors.Is(err, windows.ERROR_NO_SUCH_LOGON_SESSION), // a logon over the network has no credentials
		errors.Is(err, windows.ERROR_NOT_SUPPORTED),
		errors.Is(err, windows.ERROR_SERVICE_DISABLED),
		errors.Is(err, windows.RPC_S_SERVER_UNAVAILABLE):
		return ErrUnavailable
	case errors.Is(err, windows.ERROR_CANCELLED):
		return ErrKeyringLocked
	}
	return ErrFailed
}
