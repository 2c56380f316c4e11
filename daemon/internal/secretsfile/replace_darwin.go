package secretsfile

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// swap lets two files change places.
func swap(a, b string) error {
	err := unix.RenamexNp(a, b, unix.RENAME_SWAP)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		return errUnsupported
	}
	if err != nil {
		return fmt.Errorf("exchanging %s and %s: %w", a, b, err)
	}
	return nil
}

// writing is false: the system tells nobody who has a file open.
func writing(*os.File) bool { return false }
