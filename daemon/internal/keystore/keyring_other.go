//go:build !unix || darwin

package keystore

import (
	"context"
	"errors"
	"os/exec"
)

// prepare has nothing to check: Keychain and Credential Manager belong to the
// system and show their own dialogs.
func (keyringStore) prepare(context.Context) (bus string, err error) { return "", nil }

// attach has no connection to open, and what hangs cannot be cut off.
func attach(string) (detach func(), err error) { return func() {}, nil }

// interactionNotAllowed is the status with which macOS's security tool ends
// when it would have to show a dialog and has no screen for it.
const interactionNotAllowed = 36

// isLocked reports whether err says that the Keychain is locked.
func isLocked(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == interactionNotAllowed
}
