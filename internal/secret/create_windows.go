package secret

import (
	"os"

	"golang.org/x/sys/windows"

	"github.com/o2fa/o2fa/internal/acl"
)

// CreateFile makes the file at path for this user alone, whatever its directory
// would pass on, to be written. It must not exist: then the error is fs.ErrExist.
func CreateFile(path string) (*os.File, error) {
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
