//go:build unix

package secretsfile

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// placeNew renames a file to a name that nobody has: fs.ErrExist where one has.
func placeNew(from, to string) error {
	err := os.Link(from, to)
	if err == nil {
		return os.Remove(from)
	}
	if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// A file system without hard links.
	if _, statErr := os.Lstat(to); !errors.Is(statErr, fs.ErrNotExist) {
		return fs.ErrExist
	}
	return os.Rename(from, to)
}

// keepGroup gives a new file the group of the one whose place it takes, where
// this user may.
func keepGroup(f *os.File, was fs.FileInfo) {
	if stat, ok := was.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(-1, int(stat.Gid))
	}
}
