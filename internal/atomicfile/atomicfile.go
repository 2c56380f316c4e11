// Package atomicfile owns how a file is replaced: a reader, and a machine that
// lost power, finds the old content whole or the new content whole. It knows
// nothing of what it writes. What a killed process leaves is named .o2fa-*.tmp
// and lies beside its target until RemoveLeftovers is called.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrNotRegular says that a target exists and is not a regular file: a symbolic
// link, a directory, a named pipe, a socket or a device. It is never replaced,
// since somebody put it there with a purpose that a plain file would end.
var ErrNotRegular = errors.New("not a regular file")

// tempPattern is short on purpose: a target's own name may already be as long
// as the file system allows.
const tempPattern = ".o2fa-*.tmp"

// WriteFile makes data the content of path and perm its mode, whatever the
// umask. An existing target loses its own mode and owner. When WriteFile
// returns nil, content and name are on the disk. When it fails, path is as it
// was and no temporary file remains; only if the very last step fails, the sync
// of the directory, the new content is in place and may not outlive a power cut.
//
// On Windows perm only decides whether the file is read-only; who may read it
// follows from its directory.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	if err := writeFile(path, data, perm); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

func writeFile(path string, data []byte, perm fs.FileMode) error {
	if err := checkTarget(path); err != nil {
		return err
	}
	tmp, err := writeTemp(filepath.Dir(path), data, perm)
	if err != nil {
		return err
	}
	if err := rename(tmp, path); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return SyncDir(filepath.Dir(path))
}

// writeTemp returns the name of a new, synced file in dir that holds data.
func writeTemp(dir string, data []byte, perm fs.FileMode) (_ string, err error) {
	// CreateTemp opens with O_EXCL and 0600: nobody else can have made the file,
	// and nobody else can open it before it has its final mode.
	f, err := os.CreateTemp(dir, tempPattern)
	if err != nil {
		return "", err
	}
	open := true
	defer func() {
		if err == nil {
			return
		}
		if open {
			_ = f.Close() // the first failure is the one that matters
		}
		err = errors.Join(err, os.Remove(f.Name()))
	}()
	if err := f.Chmod(perm); err != nil {
		return "", err
	}
	if _, err := f.Write(data); err != nil {
		return "", err
	}
	if err := f.Sync(); err != nil {
		return "", err
	}
	open = false
	return f.Name(), f.Close()
}

// Replace renames the file tmp over path and syncs the directory. The caller
// has synced and closed tmp, which lies in path's directory. When Replace
// fails before the rename, both files are as they were and tmp stays the
// caller's to remove.
func Replace(tmp, path string) error {
	if err := replace(tmp, path); err != nil {
		return fmt.Errorf("replacing %s: %w", path, err)
	}
	return nil
}

func replace(tmp, path string) error {
	if info, err := os.Lstat(tmp); err != nil {
		return err
	} else if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is a %s: %w", tmp, kind(info.Mode()), ErrNotRegular)
	}
	if err := checkTarget(path); err != nil {
		return err
	}
	if err := rename(tmp, path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// checkTarget refuses what is there and is not a regular file. Something that
// appears between this look and the rename does no harm: rename never follows
// a link in the last element and never replaces a directory by a file.
func checkTarget(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("target is a %s: %w", kind(info.Mode()), ErrNotRegular)
	}
	return nil
}

// kind names what a mode that is not regular says the file is.
func kind(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeSymlink != 0:
		return "symbolic link"
	case mode.IsDir():
		return "directory"
	case mode&fs.ModeNamedPipe != 0:
		return "named pipe"
	case mode&fs.ModeSocket != 0:
		return "socket"
	case mode&fs.ModeDevice != 0:
		return "device"
	}
	return "special file"
}
