package secret

import (
	"fmt"
	"io/fs"
	"os"

	"github.com/o2fa/o2fa/internal/acl"
)

// checkPrivate refuses a file that other users may read: its passphrase is theirs too.
func checkPrivate(f *os.File, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return nil
	}
	why, err := acl.CheckFile(f, acl.Use)
	if err != nil {
		return fmt.Errorf("reading passphrase file %s: %w", f.Name(), err)
	}
	if why != "" {
		return fmt.Errorf("reading passphrase file %s: other users may read it: %s (%s)", f.Name(), why, acl.Remedy(f.Name()))
	}
	return nil
}
