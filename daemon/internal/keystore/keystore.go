// Package keystore owns the keys of key slots: 32 bytes each, made here, kept
// in the OS keyring, derived from a passphrase, written to a key file or handed over
// by systemd, and found again by a header that the vault stores beside the slot. It knows
// neither the vault nor what a slot key seals, and it is the only importer of
// go-keyring.
package keystore

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/o2fa/o2fa/internal/secret"
)

// KeySize is the length of a slot key in bytes.
const KeySize = 32

// Type says where the key of a slot is.
type Type string

// The types of key slots.
const (
	TypeKeyring    Type = "keyring"    // the keyring of the desktop or the system
	TypePassphrase Type = "passphrase" // derived with Argon2id
	TypeKeyfile    Type = "keyfile"    // in clear in a file: who reads the file has the key
	TypeCredential Type = "credential" // handed over by systemd when it starts the daemon
	TypeRecovery   Type = "recovery"   // derived from a random code that a person keeps on paper
	TypeMemory     Type = "memory"     // gone with the process: tests
)

// Store makes and finds slot keys of one type.
//
// Every method returns soon after ctx ends, or earlier by its own deadlines; an
// error wraps one of the package's sentinels or the context's error, says what
// to do where a person can do something, and holds no secret.
type Store interface {
	// Create makes the key of a new slot of vault, stores it, reads it back and
	// returns it with the header that finds it again. It never overwrites a
	// key: where the place is taken the error is ErrExists.
	Create(ctx context.Context, vault [16]byte) (Header, secret.Bytes, error)
	// Open returns the key of the slot that has this header. A passphrase is
	// not checked here: a wrong one yields a key that the vault refuses.
	Open(ctx context.Context, header Header) (secret.Bytes, error)
	// Remove deletes the key, for good. It is ErrMissing when there was none;
	// for a passphrase there is nothing to delete, and a credential stays systemd's.
	Remove(ctx context.Context, header Header) error
}

// The sentinels, which say what went wrong; the text around them says with what.
var (
	// ErrUnavailable means that there is no keyring here: no bus, no service
	// that could be started, no collection, no credentials in this logon. The
	// text says which. A keyring that is there gives one of the next three.
	ErrUnavailable = errors.New("keyring is not available")
	// ErrKeyringLocked means that the keyring is there, but locked, and that
	// nobody unlocked it: its dialog was dismissed, not answered, or could not
	// be shown.
	ErrKeyringLocked = errors.New("keyring is locked")
	// ErrBusy means that the keyring is there, and that an earlier request has
	// not ended yet or that it did not answer this one in time.
	ErrBusy = errors.New("keyring is busy")
	// ErrFailed means that the keyring is there and refused with an error of its
	// own, which the text holds.
	ErrFailed = errors.New("keyring failed")
	// ErrMissing means that the keystore works but does not hold the key.
	ErrMissing = errors.New("key is missing")
	// ErrDamaged means that what is stored is not a key of o2fa.
	ErrDamaged = errors.New("stored key is damaged")
	// ErrExists means that Create would have to overwrite a key.
	ErrExists = errors.New("a key is already there")
	// ErrUnsafe means that a key file may be read or replaced by others, or is
	// no regular file.
	ErrUnsafe = errors.New("key file is not private")
	// ErrEmptyPassphrase means that a passphrase has no characters.
	ErrEmptyPassphrase = errors.New("passphrase is empty")
	// ErrHeader means that a slot header is malformed, out of bounds, or of
	// another store's type.
	ErrHeader = errors.New("slot header is not valid")
)

// valuePrefix marks, and versions, a stored key.
const valuePrefix = "o2fa1:"

// maxValue is the length of a stored key: the prefix and base64url of KeySize.
const maxValue = len(valuePrefix) + (KeySize*8+5)/6

// formatValue returns key as it is stored.
func formatValue(key []byte) []byte {
	return base64.RawURLEncoding.AppendEncode([]byte(valuePrefix), key)
}

// parseValue returns the key in value, or ErrDamaged. It takes exactly what
// formatValue makes: the decoder would skip newlines and lose stray bits.
func parseValue(value []byte) (secret.Bytes, error) {
	text, ok := strings.CutPrefix(string(value), valuePrefix)
	if !ok {
		return secret.Bytes{}, fmt.Errorf("%w: it does not begin with %q", ErrDamaged, valuePrefix)
	}
	if len(value) != maxValue {
		return secret.Bytes{}, fmt.Errorf("%w: it has %d characters, not %d", ErrDamaged, len(value), maxValue)
	}
	key, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(key) != KeySize {
		// The decoder's error is left out: its offsets speak of the key.
		return secret.Bytes{}, fmt.Errorf("%w: it is not base64url", ErrDamaged)
	}
	return secret.New(key), nil
}

// newKey returns a random slot key.
func newKey() secret.Bytes {
	key := make([]byte, KeySize)
	rand.Read(key) // never fails: crypto/rand ends the process instead
	return secret.New(key)
}

// newHeader returns the header of a new slot of vault.
func newHeader(t Type, vault [16]byte) Header {
	h := Header{Type: t, Vault: vault}
	rand.Read(h.ID[:])
	return h
}

// checkType returns ErrHeader unless h is of type t.
func checkType(h Header, t Type) error {
	if h.Type != t {
		return fmt.Errorf("%w: it is of type %q, not %q", ErrHeader, h.Type, t)
	}
	return nil
}
