//go:build !windows

package secret

import (
	"fmt"
	"io/fs"
	"os"
)

// checkPrivate refuses a file that other users may read: its passphrase is theirs too.
func checkPrivate(f *os.File, info fs.FileInfo) error {
	if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("reading passphrase file %s: other users may read it (chmod 600 it)", f.Name())
	}
	return nil
}
