package keystore

import (
	"fmt"
	"os"

	"golang.org/x/sys/windows"

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

// newKeyfile makes the file at path, which must not exist, for this user alone,
// whatever its directory would pass on.
func newKeyfile(path string) (*os.File, error) {
	private, err := acl.Private()
	if err != nil {
		return nil, err
	}
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	h, err := windows.CreateFile(name, windows.GENERIC_WRITE, windows.FILE_SHARE_READ, private,
		windows.CREATE_NEW, windows.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

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
