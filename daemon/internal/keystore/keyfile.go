package keystore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/o2fa/o2fa/internal/atomicfile"
	"github.com/o2fa/o2fa/internal/secret"
)

type keyfile struct{ path string }

// NewKeyfile returns a store that keeps one key, in clear, in the file at path,
// which must be absolute; its directory must exist. The file is regular, our own
// and of mode 0600, or has on Windows an access list that says the same, and is
// refused when it is anything else.
//
// Open reads the store's path, or SpareKeyfile beside it where the header says so:
// a profile that was moved still finds its key file. A store of the empty path reads
// where the header says and cannot create.
func NewKeyfile(path string) Store { return keyfile{path} }

func (k keyfile) Create(ctx context.Context, vault [16]byte) (Header, secret.Bytes, error) {
	if err := ctx.Err(); err != nil {
		return Header{}, secret.Bytes{}, err
	}
	if err := checkAbs(k.path); err != nil {
		return Header{}, secret.Bytes{}, err
	}
	h, key := newHeader(TypeKeyfile, vault), newKey()
	h.Path = k.path
	if err := createKeyfile(k.path, key); err != nil {
		key.Wipe()
		return Header{}, secret.Bytes{}, fmt.Errorf("creating key file: %w", err)
	}
	return h, key, nil
}

func (k keyfile) Open(ctx context.Context, h Header) (secret.Bytes, error) {
	path, err := k.locate(ctx, h)
	if err != nil {
		return secret.Bytes{}, err
	}
	key, err := readKeyfile(path)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("reading key file: %w", err)
	}
	return key, nil
}

func (k keyfile) Remove(ctx context.Context, h Header) error {
	path, err := k.locate(ctx, h)
	if err != nil {
		return err
	}
	// Only what is a key of ours is deleted, whatever the header says.
	key, err := readKeyfile(path)
	if err != nil {
		return fmt.Errorf("removing key file: %w", err)
	}
	key.Wipe()
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("removing key file: %w", err)
	}
	if err := atomicfile.SyncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("removing key file: %w", err)
	}
	return nil
}

// locate returns the path of h's file.
func (k keyfile) locate(ctx context.Context, h Header) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if err := checkType(h, TypeKeyfile); err != nil {
		return "", err
	}
	if k.path != "" {
		return KeyfileAt(k.path, h), nil
	}
	return h.Path, checkAbs(h.Path)
}

// SpareKeyfile returns the place of a key file that takes the turn of the one at
// path: a key that is changed needs two of them for a moment.
func SpareKeyfile(path string) string { return path + ".2" }

// KeyfileAt returns where the key file of h's slot is, for a store of path: there,
// or in the spare place.
func KeyfileAt(path string, h Header) string {
	// The header may have been made under another system.
	base := func(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }
	if base(h.Path) == base(SpareKeyfile(path)) {
		return SpareKeyfile(path)
	}
	return path
}

// checkAbs returns ErrHeader for a path that depends on the working directory
// or that a header cannot hold. Parsing allows the first: a path that is
// absolute on one system is not on another.
func checkAbs(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("%w: path %q is not absolute", ErrHeader, path)
	}
	return checkPath(path)
}

// createKeyfile writes key to a new file at path and reads it back. When it
// fails after the file was made, the file is removed again: it is ours, and no
// slot uses it.
func createKeyfile(path string, key secret.Bytes) (err error) {
	f, err := secret.CreateFile(path)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: %w (move it away if no vault needs it)", path, ErrExists)
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(path)
		}
	}()
	if err := writeKeyfile(f, key); err != nil {
		return err
	}
	if err := atomicfile.SyncDir(filepath.Dir(path)); err != nil {
		return err
	}
	back, err := readKeyfile(path)
	if err != nil {
		return fmt.Errorf("reading it back: %w", err)
	}
	defer back.Wipe()
	if !back.Equal(key) {
		return fmt.Errorf("reading it back: %w", ErrDamaged)
	}
	return nil
}

// writeKeyfile writes key to f, syncs and closes it.
func writeKeyfile(f *os.File, key secret.Bytes) error {
	value := formatValue(key.Reveal())
	defer clear(value)
	_, err := f.Write(value)
	if err == nil {
		err = f.Chmod(0o600) // an odd umask may have taken our own bits
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// readKeyfile returns the key in the file at path, after checking on the open
// file that it is one that only we can read.
func readKeyfile(path string) (secret.Bytes, error) {
	f, err := openKeyfile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return secret.Bytes{}, fmt.Errorf("%s: %w", path, ErrMissing)
	}
	if err != nil {
		return secret.Bytes{}, err
	}
	defer f.Close()
	if err := checkPrivate(f); err != nil {
		return secret.Bytes{}, fmt.Errorf("%s: %w", path, err)
	}
	value, err := io.ReadAll(io.LimitReader(f, int64(maxValue)+2))
	defer clear(value)
	if err != nil {
		return secret.Bytes{}, err
	}
	// An editor, or a person with echo, ends a file with a newline.
	key, err := parseValue(bytes.TrimSuffix(value, []byte("\n")))
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}
