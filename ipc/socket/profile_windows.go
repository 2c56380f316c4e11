package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"
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
	sid, err := ownSID()
	if err != nil {
		return "", err
	}
	name := pipePrefix + "o2fa-" + sid.String()
	if !usual {
		name += "-" + p.ID
	}
	return name, nil
}

// MakeDir creates the profile directory where it is missing. Its access list is
// inherited; below a user's profile that names the user, SYSTEM and
// Administrators. An existing one must belong to this user, or it is ErrForeign.
func (p Profile) MakeDir() error {
	err := os.MkdirAll(p.Dir, 0o700)
	if err == nil {
		err = checkPathOwner(p.Dir)
	}
	if err != nil {
		return fmt.Errorf("preparing the profile directory: %w", err)
	}
	return nil
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
	sd, err := windows.GetSecurityInfo(windows.Handle(f.Fd()), windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return fmt.Errorf("asking for the owner of %s: %w", f.Name(), err)
	}
	return checkDescriptor(f.Name(), sd)
}

func checkPathOwner(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() || info.Mode()&(fs.ModeSymlink|fs.ModeIrregular) != 0 {
		return fmt.Errorf("%s is not a directory: %w", path, ErrForeign)
	}
	sd, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return fmt.Errorf("asking for the owner of %s: %w", path, err)
	}
	return checkDescriptor(path, sd)
}

// checkDescriptor accepts our own SID as owner and the group Administrators:
// that is who owns what this user made in an elevated window.
func checkDescriptor(name string, sd *windows.SECURITY_DESCRIPTOR) error {
	owner, _, err := sd.Owner()
	if err == nil && owner == nil {
		err = errors.New("it has none")
	}
	if err != nil {
		return fmt.Errorf("asking for the owner of %s: %w", name, err)
	}
	own, err := ownSID()
	if err != nil {
		return err
	}
	if !owner.Equals(own) && !owner.IsWellKnown(windows.WinBuiltinAdministratorsSid) {
		return fmt.Errorf("%s belongs to %s, not %s: %w", name, owner, own, ErrForeign)
	}
	return nil
}

// ownSID returns the user of this process.
func ownSID() (*windows.SID, error) {
	// A pseudo handle: it needs no close.
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, fmt.Errorf("asking who we are: %w", err)
	}
	return user.User.Sid, nil
}
