package keystore

import (
	"errors"
	"io/fs"
	"os/exec"
)

// Exit codes of macOS's security tool, through which go-keyring works: the low
// byte of the status that the Keychain gave (SecBase.h).
const (
	exitInteractionNotAllowed = 36  // -25308: it would have to ask, and has no screen
	exitNoDefaultKeychain     = 37  // -25307
	exitNoSuchKeychain        = 50  // -25294
	exitAuthFailed            = 51  // -25293: the wrong password, or access denied
	exitNotAvailable          = 53  // -25291: no Keychain in this session
	exitUserCanceled          = 128 // -128: the dialog was dismissed
)

// meaning returns the sentinel for an error of go-keyring.
func meaning(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return ErrUnavailable // the tool is not there, or may not be run
	}
	exit := (*exec.ExitError)(nil)
	if !errors.As(err, &exit) {
		return ErrFailed
	}
	switch exit.ExitCode() {
	case exitInteractionNotAllowed, exitAuthFailed, exitUserCanceled:
		return ErrKeyringLocked
	case exitNoDefaultKeychain, exitNoSuchKeychain, exitNotAvailable:
		return ErrUnavailable
	}
	return ErrFailed
}
