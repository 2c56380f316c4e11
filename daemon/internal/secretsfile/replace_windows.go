package secretsfile

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// swap is not to be had.
func swap(string, string) error { return errUnsupported }

// writing is false: what is open to write cannot be moved, unless its writer
// allows that.
func writing(*os.File) bool { return false }

// placeNew renames a file to a name that nobody has: fs.ErrExist where one has.
func placeNew(from, to string) error {
	a, err := windows.UTF16PtrFromString(from)
	if err != nil {
		return err
	}
	b, err := windows.UTF16PtrFromString(to)
	if err != nil {
		return err
	}
	if err := windows.MoveFileEx(a, b, windows.MOVEFILE_WRITE_THROUGH); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// keepGroup does nothing: the directory's access list decides.
func keepGroup(*os.File, fs.FileInfo) {}
