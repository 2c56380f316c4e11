package secretsfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrForeign says that the file, or a symbolic link on the way to it, belongs
// to another user, or that it is no regular file: what it holds could be
// anybody's.
var ErrForeign = errors.New("not a regular file of this user")

// ErrTooLarge says that a file has more bytes than its reader takes, or grows
// under its hands.
var ErrTooLarge = errors.New("too large")

// maxLinks is how many symbolic links may lead to the file.
const maxLinks = 16

// Read returns what the file at path holds, for Parse; the caller wipes it. The
// file may be reached through symbolic links, as people keep it beside their
// other dotfiles, if those are their own. An absent file is fs.ErrNotExist, a
// file that is too large ErrInvalid.
func Read(path string) ([]byte, error) {
	data, err := ReadFile(path, MaxSize)
	if errors.Is(err, ErrTooLarge) {
		err = fmt.Errorf("larger than %d bytes: %w", MaxSize, ErrInvalid)
	}
	if err != nil {
		return nil, fmt.Errorf("reading secrets file: %w", err)
	}
	return data, nil
}

// ReadFile is Read for another file of the profile that people keep: the same
// rules, and at most max bytes, else ErrTooLarge.
func ReadFile(path string, max int64) ([]byte, error) {
	data, err := readAll(path, max)
	if err != nil {
		clear(data)
		return nil, err
	}
	return data, nil
}

func readAll(path string, max int64) ([]byte, error) {
	for _, step := range steps(path) {
		info, err := os.Lstat(step)
		if err != nil {
			return nil, err
		}
		if info.Mode()&fs.ModeSymlink != 0 && !ownFile(info) {
			return nil, fmt.Errorf("link %s: %w", step, ErrForeign)
		}
	}
	// Not blocking: a named pipe in the file's place must not hold the daemon.
	f, err := os.OpenFile(path, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || !ownFile(info) {
		return nil, ErrForeign
	}
	if info.Size() > max {
		return nil, fmt.Errorf("%w: the most is %d bytes", ErrTooLarge, max)
	}
	data := make([]byte, info.Size()+1) // one more, to meet the end without growing
	n, err := io.ReadFull(f, data)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return data[:n], nil
	case err == nil:
		return data, fmt.Errorf("%w: it grows while it is read", ErrTooLarge)
	}
	return data, err
}

// steps returns path and, while the last is a symbolic link, what it points to.
// The end of the chain need not exist.
func steps(path string) []string {
	all := []string{path}
	for range maxLinks {
		target, err := os.Readlink(path)
		if err != nil {
			break // no link, or not there
		}
		if !filepath.IsAbs(target) {
			// Resolved first: ".." after a linked directory leaves where that points.
			dir := filepath.Dir(path)
			if real, err := filepath.EvalSymlinks(dir); err == nil {
				dir = real
			}
			target = filepath.Join(dir, target)
		}
		path = target
		all = append(all, path)
	}
	return all
}
