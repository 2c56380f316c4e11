package keystore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/o2fa/o2fa/internal/secret"
)

// DefaultCredential is the name of a credential where nobody chose another.
const DefaultCredential = "o2fa.key"

// maxCredential bounds the name of a credential, in bytes, as systemd does.
const maxCredential = 255

// ErrNoCredential means that systemd did not give this process the credential.
var ErrNoCredential = errors.New("systemd credential is missing")

type credential struct{ dir, name string }

// NewCredential returns a store of keys that systemd hands over when it starts the
// process (systemd.exec(5), LoadCredentialEncrypted=). dir is the directory that
// $CREDENTIALS_DIRECTORY names, empty where systemd gave none; name is the
// credential of a new slot.
//
// Whoever sets the machine up makes the key, by NewValue, and systemd keeps it:
// Create takes what is there, and Remove leaves it.
func NewCredential(dir, name string) Store { return credential{dir, name} }

// NewValue returns a new random key as a credential holds it, in one line.
func NewValue() secret.Bytes {
	key := newKey()
	defer key.Wipe()
	return secret.New(append(formatValue(key.Reveal()), '\n'))
}

func (c credential) Create(ctx context.Context, vault [16]byte) (Header, secret.Bytes, error) {
	h := newHeader(TypeCredential, vault)
	h.Name = c.name
	key, err := c.Open(ctx, h)
	if err != nil {
		return Header{}, secret.Bytes{}, err
	}
	return h, key, nil
}

func (c credential) Open(ctx context.Context, h Header) (secret.Bytes, error) {
	if err := ctx.Err(); err != nil {
		return secret.Bytes{}, err
	}
	if err := checkType(h, TypeCredential); err != nil {
		return secret.Bytes{}, err
	}
	if err := checkCredential(h.Name); err != nil {
		return secret.Bytes{}, err
	}
	if !filepath.IsAbs(c.dir) {
		return secret.Bytes{}, fmt.Errorf("%w: %s: this o2fad was not started by a unit that loads it", ErrNoCredential, h.Name)
	}
	key, err := readCredential(filepath.Join(c.dir, h.Name))
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("reading systemd credential %s: %w", h.Name, err)
	}
	return key, nil
}

// readCredential returns the key in a file of systemd.
func readCredential(path string) (secret.Bytes, error) {
	f, err := openKeyfile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return secret.Bytes{}, fmt.Errorf("%w: the unit that started o2fad does not load it", ErrNoCredential)
	}
	if err != nil {
		return secret.Bytes{}, err
	}
	defer f.Close()
	if err := checkHandedOver(f); err != nil {
		return secret.Bytes{}, err
	}
	value, err := io.ReadAll(io.LimitReader(f, int64(maxValue)+2))
	defer clear(value)
	if err != nil {
		return secret.Bytes{}, err
	}
	return parseValue(bytes.TrimSuffix(value, []byte("\n")))
}

// Remove leaves the credential: it is systemd's, and opens nothing any more.
func (credential) Remove(_ context.Context, h Header) error { return checkType(h, TypeCredential) }

// IsCredential says whether a credential can have that name: one of a file, in
// ASCII, without a colon.
func IsCredential(name string) bool {
	odd := func(r rune) bool { return r < ' ' || r > '~' || r == '/' || r == '\\' || r == ':' }
	return name != "" && name != "." && name != ".." && len(name) <= maxCredential && !strings.ContainsFunc(name, odd)
}

// checkCredential returns ErrHeader for what is no name of a credential.
func checkCredential(name string) error {
	if !IsCredential(name) {
		return fmt.Errorf("%w: that is no name of a systemd credential", ErrHeader)
	}
	return nil
}
