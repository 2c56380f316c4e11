package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// RemoveLeftovers removes the temporary files that killed processes left in
// dir: regular files named .o2fa-*.tmp. The caller knows that nobody writes
// there at the moment, since a file that is being written looks the same.
func RemoveLeftovers(dir string) error {
	// Not filepath.Glob: a profile may be called "[work]".
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if !IsLeftover(e.Name()) || !e.Type().IsRegular() {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// IsLeftover says whether name is that of such a file.
func IsLeftover(name string) bool {
	matched, _ := filepath.Match(tempPattern, name)
	return matched
}
