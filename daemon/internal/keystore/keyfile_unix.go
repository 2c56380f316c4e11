//go:build unix

package keystore

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// openKeyfile opens path without following a link at its end and without
// waiting at a pipe.
func openKeyfile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.EMLINK) { // FreeBSD says EMLINK
		return nil, fmt.Errorf("%s: %w: it is a symbolic link", path, ErrUnsafe)
	}
	if errors.Is(err, syscall.ENXIO) {
		return nil, fmt.Errorf("%s: %w: it is not a regular file", path, ErrUnsafe)
	}
	return f, err
}

// checkHandedOver returns ErrUnsafe unless f is a file as systemd makes them in a
// directory of credentials: regular, of root or of our own, which its owner alone
// may write, and others may not read. Bits of the group are those of an access list
// that lets this user in, where the service has another user than root.
func checkHandedOver(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: it is not a regular file", ErrUnsafe)
	case !ok || stat.Uid != 0 && int64(stat.Uid) != int64(os.Geteuid()):
		return fmt.Errorf("%w: it belongs to another user", ErrUnsafe)
	case info.Mode().Perm()&0o027 != 0:
		return fmt.Errorf("%w: its mode is %04o", ErrUnsafe, info.Mode().Perm())
	}
	return nil
}

// checkPrivate returns ErrUnsafe unless f is a regular file of our own that
// nobody else may read or write.
func checkPrivate(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: it is not a regular file", ErrUnsafe)
	case !ok || int64(stat.Uid) != int64(os.Geteuid()):
		return fmt.Errorf("%w: it belongs to another user", ErrUnsafe)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%w: its mode is %04o; type chmod 600 if nobody else has read it", ErrUnsafe, info.Mode().Perm())
	}
	return nil
}
