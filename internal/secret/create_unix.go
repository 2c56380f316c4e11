//go:build !windows

package secret

import "os"

// CreateFile makes the file at path for this user alone, to be written. It must
// not exist, not even as a symbolic link: then the error is fs.ErrExist.
func CreateFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}
