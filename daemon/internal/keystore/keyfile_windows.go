package keystore

import (
	"fmt"
	"os"
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

// checkPrivate checks the kind of the file only: Windows has no modes, and who
// may read a file of the profile is said by the access list of its directory.
func checkPrivate(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: it is not a regular file", ErrUnsafe)
	}
	return nil
}
