package keystore

import (
	"fmt"
	"os"

	"github.com/o2fa/o2fa/internal/acl"
)

// openKeyfile opens path. Links are refused by name: Windows needs a privilege
// to make one, so nobody can swap it in between.
func openKeyfile(path string) (*os.File, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w: it is not a regular file", path, ErrUnsafe)
	}
	return os.Open(path)
}

// checkHandedOver is for systems that have systemd.
func checkHandedOver(f *os.File) error { return checkPrivate(f) }

// checkPrivate returns ErrUnsafe unless f is a regular file of our own that
// nobody else may read or write.
func checkPrivate(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: it is not a regular file", ErrUnsafe)
	}
	why, err := acl.CheckFile(f, acl.Use)
	if err != nil {
		return err
	}
	if why != "" {
		return fmt.Errorf("%w: %s; if nobody else has read it, %s", ErrUnsafe, why, acl.Remedy(f.Name()))
	}
	return nil
}
