package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"

	"github.com/o2fa/o2fa/internal/acl"
)

const homeVariable = "USERPROFILE"

const pipePrefix = `\\.\pipe\`

// identity returns the spelling of dir that its id is made from: Windows finds
// a directory under any case.
func identity(dir string) string { return strings.ToLower(dir) }

// absolute is filepath.Abs: Windows too takes link\.. out of a path first.
func absolute(path string) (string, error) { return filepath.Abs(path) }

// checkAddress wants the name of a local pipe.
func checkAddress(name string) (string, error) {
	if len(name) <= len(pipePrefix) || !strings.EqualFold(name[:len(pipePrefix)], pipePrefix) {
		return "", fmt.Errorf("%s is not the name of a pipe, %so2fa", envSocket, pipePrefix)
	}
	return name, nil
}

// address returns the name of the pipe at which the daemon of p listens.
func address(p Profile, usual bool) (string, error) {
	sid, err := acl.Self()
	if err != nil {
		return "", err
	}
	name := pipePrefix + "o2fa-" + sid.String()
	if !usual {
		name += "-" + p.ID
	}
	return name, nil
}

// MakeDir creates the profile directory where it is missing, for this user, the
// system and its administrators alone, whatever its place would pass on. An
// existing one must be ours and changed by nobody else, or it is ErrForeign. It
// is refused, not mended, as on other systems.
func (p Profile) MakeDir() error {
	if err := makeDir(p.Dir); err != nil {
		return fmt.Errorf("preparing the profile directory: %w", err)
	}
	return nil
}

func makeDir(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	private, err := acl.Private()
	if err != nil {
		return err
	}
	name, err := windows.UTF16PtrFromString(dir)
	if err == nil {
		err = windows.CreateDirectory(name, private)
	}
	switch {
	case errors.Is(err, windows.ERROR_ALREADY_EXISTS):
		return checkDir(dir)
	case err != nil:
		return &os.PathError{Op: "mkdir", Path: dir, Err: err}
	}
	return nil
}

func checkDir(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() || info.Mode()&(fs.ModeSymlink|fs.ModeIrregular) != 0 {
		return fmt.Errorf("%s is not a directory: %w", dir, ErrForeign)
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return checkAccess(f)
}

// checkOwner reports whether an opened file of the profile is ours.
func checkOwner(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file: %w", f.Name(), ErrForeign)
	}
	return checkAccess(f)
}

func checkAccess(f *os.File) error {
	why, err := acl.CheckFile(f, acl.Change)
	if err != nil {
		return fmt.Errorf("checking %s: %w", f.Name(), err)
	}
	if why != "" {
		return fmt.Errorf("%s: %s: %w", f.Name(), why, ErrForeign)
	}
	return nil
}
