package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"syscall"

	bolterrors "go.etcd.io/bbolt/errors"
)

// What a vault answers with. Every error of this package that is not the
// caller's own has one of these in its chain.
var (
	ErrLocked      = errors.New("vault is locked")
	ErrWrongKey    = errors.New("key does not open the vault") // or the slot, or its header, was changed
	ErrNotFound    = errors.New("no such entry")
	ErrAmbiguous   = errors.New("several entries match") // the error is an *AmbiguousError
	ErrNothing     = errors.New("nothing to undo")
	ErrNewerFormat = errors.New("vault of a newer format")
	ErrCorrupt     = errors.New("vault is damaged")
	ErrNotVault    = errors.New("not a vault")
	ErrExists      = errors.New("exists already")
	ErrReadOnly    = errors.New("vault can only be read")
	ErrReplaced    = errors.New("vault was removed or replaced while it was open")
	ErrDiskFull    = errors.New("disk is full")
	ErrInvalid     = errors.New("invalid entry") // beyond a bound; the text says which
	ErrBusy        = errors.New("vault is in use by another process")
	ErrStorage     = errors.New("storage failed") // any other answer of the operating system
	ErrClosed      = errors.New("vault is closed")
	ErrLastSlot    = errors.New("the last key slot cannot be removed")
)

// AmbiguousError is Resolve's answer to a name that several entries match. It
// unwraps to ErrAmbiguous.
type AmbiguousError struct {
	Candidates []Summary // sorted by folded name, then id
}

// Error tells how many match.
func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%d entries match", len(e.Candidates))
}

// Unwrap returns ErrAmbiguous.
func (e *AmbiguousError) Unwrap() error { return ErrAmbiguous }

// NotFoundError is Resolve's answer to a name that no entry matches. It unwraps
// to ErrNotFound.
type NotFoundError struct {
	Near []Summary // names that differ by a typing error or two, at most five
}

// Error tells that nothing matches. It does not repeat the name, which may be
// a secret in the wrong place.
func (e *NotFoundError) Error() string { return ErrNotFound.Error() }

// Unwrap returns ErrNotFound.
func (e *NotFoundError) Unwrap() error { return ErrNotFound }

// corrupt returns ErrCorrupt with what was found.
func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// known are the sentinels that classify leaves alone.
var known = []error{ErrLocked, ErrWrongKey, ErrNotFound, ErrAmbiguous, ErrNothing, ErrNewerFormat, ErrCorrupt,
	ErrNotVault, ErrExists, ErrReadOnly, ErrReplaced, ErrDiskFull, ErrInvalid, ErrBusy, ErrStorage, ErrClosed, ErrLastSlot}

// Classify puts one of this package's sentinels on an error of the operating
// system, so that one that came from beside the vault is named as its own are.
func Classify(err error) error { return classify(err) }

// classify puts one of our sentinels on an error of bbolt or of the operating
// system.
func classify(err error) error {
	if err == nil {
		return nil
	}
	for _, k := range known {
		if errors.Is(err, k) {
			return err
		}
	}
	sentinel := ErrStorage
	switch {
	case errors.Is(err, fs.ErrExist):
		sentinel = ErrExists
	case diskFull(err):
		sentinel = ErrDiskFull
	case readOnly(err):
		sentinel = ErrReadOnly
	case errors.Is(err, bolterrors.ErrTimeout):
		sentinel = ErrBusy
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		sentinel = ErrClosed
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum),
		errors.Is(err, bolterrors.ErrVersionMismatch), errors.Is(err, bolterrors.ErrInvalidMapping):
		sentinel = ErrCorrupt
	}
	return fmt.Errorf("%w: %w", sentinel, err)
}

// Codes of Windows that package syscall does not name.
const (
	errorWriteProtect = syscall.Errno(19)
	errorHandleFull   = syscall.Errno(39)
	errorDiskFull     = syscall.Errno(112)
)

func diskFull(err error) bool {
	if runtime.GOOS == "windows" {
		return errors.Is(err, errorDiskFull) || errors.Is(err, errorHandleFull)
	}
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// readOnly tells whether a write was refused; a file that its mode protects
// counts as one on a read-only file system, as a user meets both alike.
func readOnly(err error) bool {
	if runtime.GOOS == "windows" && errors.Is(err, errorWriteProtect) {
		return true
	}
	return errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission) ||
		errors.Is(err, bolterrors.ErrDatabaseReadOnly)
}
