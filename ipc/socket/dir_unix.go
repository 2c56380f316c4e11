//go:build unix

package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

const (
	othersAny   fs.FileMode = 0o077
	othersWrite fs.FileMode = 0o022
)

// MakeDir creates the profile directory with mode 0700 where it is missing.
//
// An existing one must be ours and writable by nobody else, or it is ErrForeign.
// It is refused, not mended: a directory that we did not make may be shared on
// purpose (/tmp, for root), and a new mode would say nothing about what others
// have put into it already.
func (p Profile) MakeDir() error {
	if err := p.makeDir(); err != nil {
		return fmt.Errorf("preparing the profile directory: %w", err)
	}
	return nil
}

func (p Profile) makeDir() error {
	if _, err := os.Lstat(p.Dir); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(p.Dir), 0o700); err != nil {
			return err
		}
	}
	err := makePrivate(p.Dir, othersWrite)
	if info, statErr := os.Lstat(p.Dir); errors.Is(err, errOpen) && statErr == nil && info.Mode()&fs.ModeSticky == 0 {
		// This directory is ours alone by its purpose. One with the sticky bit is
		// made for everybody, as /tmp is, and must stay so.
		return fmt.Errorf("%w; chmod 700 makes it right", err)
	}
	return err
}

// errOpen is the ErrForeign of a directory that is ours, with a mode that gives
// others too much.
var errOpen = fmt.Errorf("a directory of your own with mode 0700 is wanted: %w", ErrForeign)

// makePrivate creates dir with mode 0700, or checks that the one that is there
// is ours and gives others none of the forbidden bits.
func makePrivate(dir string, forbidden fs.FileMode) error {
	err := os.Mkdir(dir, 0o700)
	switch {
	case err == nil:
		// Only a umask can have changed the mode, and only towards less.
		return os.Chmod(dir, 0o700)
	case errors.Is(err, fs.ErrExist):
		return checkPrivate(dir, forbidden)
	}
	// A read-only file system may say so before it says that dir exists.
	if check := checkPrivate(dir, forbidden); !errors.Is(check, fs.ErrNotExist) {
		return check
	}
	return err
}

// checkPrivate reports whether dir is a directory of ours, no link, that gives
// others none of the forbidden bits.
func checkPrivate(dir string, forbidden fs.FileMode) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	switch mode := info.Mode(); {
	case mode&fs.ModeSymlink != 0:
		return fmt.Errorf("%s is a symbolic link: %w", dir, ErrForeign)
	case !mode.IsDir():
		return fmt.Errorf("%s is not a directory: %w", dir, ErrForeign)
	case owner(info) != os.Geteuid():
		return fmt.Errorf("%s belongs to user %d, not %d: %w", dir, owner(info), os.Geteuid(), ErrForeign)
	case mode&forbidden != 0:
		// No chmod is advised: this may be /tmp, for root.
		return fmt.Errorf("%s has mode %04o: %w", dir, mode.Perm(), errOpen)
	}
	return nil
}

// checkOwner reports whether f, opened in the profile, is ours and what it
// should be: a directory or a regular file.
func checkOwner(f *os.File, wantDir bool) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case wantDir != info.IsDir(), !wantDir && !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file: %w", f.Name(), ErrForeign)
	case owner(info) != os.Geteuid():
		return fmt.Errorf("%s belongs to user %d, not %d: %w", f.Name(), owner(info), os.Geteuid(), ErrForeign)
	}
	return nil
}

// owner returns the user id that owns the file.
func owner(info fs.FileInfo) int {
	return int(info.Sys().(*syscall.Stat_t).Uid)
}
