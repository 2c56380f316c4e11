package secretsfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/o2fa/o2fa/internal/atomicfile"
)

// ErrChanged says that the file is not what it was read as, or that another
// program is about to write it: nothing was replaced, and it is time to look again.
var ErrChanged = errors.New("another program is writing the file")

// errUnsupported says that the system, or the file system, has no such operation.
var errUnsupported = errors.New("not supported here")

// Names beside the file, which exist for moments only. What bears the first is
// whole and was the file, or is about to be: see Aside. What bears the second is
// nobody's yet.
const (
	asideSuffix = ".o2fa"
	newSuffix   = ".o2fa.tmp"
)

// Replace puts data in the place of what the file at path holds, if that is was
// still; a nil was is a file that is missing. Links are followed as by Read, and
// stay: what they lead to is replaced. A mode of 0 is the one that the file has,
// and its group stays with it. When Replace returns nil, all of it is on the disk.
//
// No write of another program is lost, whenever it comes. The new file and the old
// one change places in one step (where the system can do that; else the old one is
// moved away first), and only then the old one is looked at, which by then nobody
// else can reach: if it is not what was, they change places again, and the answer
// is ErrChanged. A program that was to go on writing into the old file counts, too.
// What a crash leaves between the steps is what Aside returns.
func Replace(path string, was, data []byte, mode fs.FileMode) error {
	err := replace(path, was, data, mode)
	if errors.Is(err, fs.ErrExist) || was != nil && errors.Is(err, fs.ErrNotExist) {
		err = ErrChanged
	}
	if err != nil {
		return fmt.Errorf("writing secrets file: %w", err)
	}
	return nil
}

func replace(path string, was, data []byte, mode fs.FileMode) error {
	real, err := target(path)
	if err != nil {
		return err
	}
	if was != nil {
		if err := mayReplace(real, was); err != nil {
			return err
		}
	}
	if err := writeNew(real, data, mode); err != nil {
		return errors.Join(err, remove(real+newSuffix))
	}
	if was == nil {
		err = placeNew(real+newSuffix, real)
	} else if err = exchange(real, was, data); errors.Is(err, errUnsupported) {
		err = takeAway(real, was)
	}
	return errors.Join(err, remove(real+newSuffix), atomicfile.SyncDir(filepath.Dir(real)))
}

// mayReplace looks before anything is written: most of the time that is enough.
func mayReplace(real string, was []byte) error {
	if _, err := os.Lstat(real + asideSuffix); err == nil {
		return fmt.Errorf("%s is in the way: %w", real+asideSuffix, ErrChanged)
	}
	same, err := holds(real, was)
	if err == nil && !same {
		err = ErrChanged
	}
	return err
}

// writeNew makes the new file, complete and on the disk.
func writeNew(real string, data []byte, mode fs.FileMode) (err error) {
	if err := remove(real + newSuffix); err != nil {
		return err
	}
	f, err := os.OpenFile(real+newSuffix, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if info, err := os.Lstat(real); err == nil {
		keepGroup(f, info)
		if mode == 0 {
			mode = info.Mode().Perm()
		}
	}
	if mode == 0 {
		mode = 0o600
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

// exchange replaces by one step that cannot come between a write of others and
// its end.
func exchange(real string, was, data []byte) error {
	aside := real + asideSuffix
	// From here on it has the name of what Aside finds: it is whole, and after
	// the next step something else bears it.
	if err := os.Rename(real+newSuffix, aside); err != nil {
		return err
	}
	if err := swap(aside, real); err != nil {
		return errors.Join(err, os.Rename(aside, real+newSuffix))
	}
	if same, err := holds(aside, was); err == nil && same {
		return remove(aside)
	}
	// Not what was read: it goes back.
	if err := swap(aside, real); err != nil {
		return fmt.Errorf("%w; what it wrote is in %s: %w", ErrChanged, aside, err)
	}
	if same, err := holds(aside, data); err == nil && same {
		return errors.Join(ErrChanged, remove(aside))
	}
	return ErrChanged // and what came last is what Aside finds
}

// takeAway replaces in two steps, between which there is no file.
func takeAway(real string, was []byte) error {
	aside := real + asideSuffix
	if err := os.Rename(real, aside); err != nil {
		return err
	}
	same, err := holds(aside, was)
	if err != nil || !same {
		return errors.Join(ErrChanged, ignoreExist(placeNew(aside, real)))
	}
	if err := placeNew(real+newSuffix, real); err != nil {
		if errors.Is(err, fs.ErrExist) { // somebody made one: what was is known
			return errors.Join(ErrChanged, remove(aside))
		}
		return errors.Join(err, ignoreExist(placeNew(aside, real)))
	}
	return remove(aside)
}

// Remove is Replace by nothing: the file goes, if it holds was still.
func Remove(path string, was []byte) error {
	real, err := target(path)
	if err == nil {
		err = mayReplace(real, was)
	}
	if err != nil {
		return fmt.Errorf("removing %s: %w", path, err)
	}
	aside := real + asideSuffix
	if err := os.Rename(real, aside); err != nil {
		return fmt.Errorf("removing: %w", err)
	}
	if same, err := holds(aside, was); err != nil || !same {
		return fmt.Errorf("removing %s: %w", path, errors.Join(ErrChanged, ignoreExist(placeNew(aside, real))))
	}
	return errors.Join(remove(aside), atomicfile.SyncDir(filepath.Dir(real)))
}

// Aside returns what a Replace or Remove that was interrupted has left beside the
// file at path: content that was the file's, of which nobody knows whether it is
// anywhere else. nil is nothing. Where the file itself is missing it is put back
// in its place instead. The caller wipes what comes back, and calls DropAside when
// it is stored.
func Aside(path string) ([]byte, error) {
	real, err := target(path)
	if err != nil {
		return nil, nil // what is wrong with the file, Read tells
	}
	if err := remove(real + newSuffix); err != nil { // in clear, and nobody's
		return nil, err
	}
	aside := real + asideSuffix
	info, err := os.Lstat(aside)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && !info.Mode().IsRegular() {
		err = ErrForeign
	}
	if err == nil {
		if err = placeNew(aside, real); err == nil {
			return nil, atomicfile.SyncDir(filepath.Dir(real))
		}
	}
	if !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("putting back %s: %w", aside, err)
	}
	return Read(aside)
}

// AsideName is the name of what Aside returns.
func AsideName(path string) string {
	if real, err := target(path); err == nil {
		path = real
	}
	return path + asideSuffix
}

// DropAside removes what Aside returned, unless it was written to since.
func DropAside(path string, was []byte) error {
	real, err := target(path)
	if err != nil {
		return err
	}
	if same, err := holds(real+asideSuffix, was); err != nil || !same {
		return errors.Join(ErrChanged, err)
	}
	return errors.Join(remove(real+asideSuffix), atomicfile.SyncDir(filepath.Dir(real)))
}

// target returns where the file itself is, or would be: path without its links.
func target(path string) (string, error) {
	all := steps(path)
	for _, step := range all[:len(all)-1] {
		if info, err := os.Lstat(step); err != nil || !ownFile(info) {
			return "", errors.Join(fmt.Errorf("link %s: %w", step, ErrForeign), err)
		}
	}
	real := all[len(all)-1]
	dir, err := filepath.EvalSymlinks(filepath.Dir(real))
	if err != nil {
		return "", err
	}
	info, err := os.Lstat(filepath.Join(dir, filepath.Base(real)))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return "", err
	case !info.Mode().IsRegular() || !ownFile(info): // or a link still: too many
		return "", ErrForeign
	}
	return filepath.Join(dir, filepath.Base(real)), nil
}

// holds says whether a file holds exactly want, and nobody has it open to write.
func holds(path string, want []byte) (bool, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if writing(f) {
		return false, ErrChanged
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() != int64(len(want)) {
		return false, err
	}
	got := make([]byte, len(want)+1)
	defer clear(got)
	n, err := io.ReadFull(f, got)
	if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return false, err
	}
	return bytes.Equal(got[:n], want), nil
}

// remove is os.Remove of what need not be there.
func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func ignoreExist(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}
