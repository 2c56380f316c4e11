// Package backup owns the directory of backups: what the files in it are called,
// how one gets there whole, and which go when there are too many. It knows
// nothing of what is in a backup, who opens it, or when one is due; whoever calls
// it holds the lock of the profile.
package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/o2fa/o2fa/internal/atomicfile"
)

// Suffix ends the name of each backup.
const Suffix = ".backup"

// stamp is how a name begins: in UTC, so that names sort by time.
const stamp = "20060102T150405Z"

// vaultBytes is how many bytes of its id name a vault.
const vaultBytes = 4

// tempPattern names a backup that is being made; atomicfile removes leftovers.
const tempPattern = ".o2fa-*.tmp"

// Dir is a directory of backups. It need not exist.
type Dir string

// Info is one backup, as far as its name and size tell.
type Info struct {
	Name string
	Made time.Time // to a second
	Of   string    // the first 8 hex digits of the vault's id
	Size int64     // bytes
}

// Of returns what Info.Of is for a vault.
func Of(vault [16]byte) string { return fmt.Sprintf("%x", vault[:vaultBytes]) }

// name returns the name of a backup.
func name(of string, made time.Time) string {
	return made.UTC().Format(stamp) + "-" + of + Suffix
}

// Parse reads a name that Make has given. ok is false for any other.
func Parse(file string) (i Info, ok bool) {
	base, isOurs := strings.CutSuffix(file, Suffix)
	at, of, _ := strings.Cut(base, "-")
	made, err := time.Parse(stamp, at)
	if !isOurs || err != nil || len(of) != 2*vaultBytes || strings.Trim(of, "0123456789abcdef") != "" {
		return Info{}, false
	}
	return Info{Name: file, Made: made, Of: of}, name(of, made) == file
}

// Path returns where a backup lies.
func (d Dir) Path(name string) string { return filepath.Join(string(d), name) }

// List returns the backups, the newest first. What else lies there is passed
// over, and a directory that does not exist is empty.
func (d Dir) List() ([]Info, error) {
	entries, err := os.ReadDir(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing backups: %w", err)
	}
	var list []Info
	for _, e := range entries {
		i, ok := Parse(e.Name())
		if !ok || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // gone since
		}
		i.Size = info.Size()
		list = append(list, i)
	}
	slices.SortFunc(list, func(a, b Info) int { return strings.Compare(b.Name, a.Name) })
	return list, nil
}

// Prepare makes the directory, for this user alone, and removes what killed
// processes left in it.
func (d Dir) Prepare() error {
	if err := os.Mkdir(string(d), 0o700); err == nil {
		return atomicfile.SyncDir(filepath.Dir(string(d)))
	} else if !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making the directory of backups: %w", err)
	}
	return d.Clean()
}

// Clean removes what killed processes left.
func (d Dir) Clean() error {
	err := atomicfile.RemoveLeftovers(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Make stores a backup of a vault. write is given the file, and the name that it
// will have; check is given the path of the file when that is on the disk, and
// refuses one that is no good. Only what check has let pass gets its name; after
// an error all is as it was.
func (d Dir) Make(of string, now time.Time, write func(f *os.File, name string) error, check func(path string) error) (Info, error) {
	if err := d.Prepare(); err != nil {
		return Info{}, err
	}
	info, err := d.free(of, now)
	if err != nil {
		return Info{}, err
	}
	tmp, err := WriteTemp(string(d), func(f *os.File) error { return write(f, info.Name) })
	if err != nil {
		return Info{}, err
	}
	defer os.Remove(tmp) // nothing once it has its name
	if err := check(tmp); err != nil {
		return Info{}, fmt.Errorf("reading it back: %w", err)
	}
	stat, err := os.Stat(tmp)
	if err == nil {
		err = atomicfile.Replace(tmp, d.Path(info.Name))
	}
	if err != nil {
		return Info{}, err
	}
	info.Size = stat.Size()
	return info, nil
}

// free returns the first second from now on that no backup of the vault has.
func (d Dir) free(of string, now time.Time) (Info, error) {
	for at := now.UTC().Truncate(time.Second); ; at = at.Add(time.Second) {
		_, err := os.Lstat(d.Path(name(of, at)))
		if errors.Is(err, fs.ErrNotExist) {
			return Info{Name: name(of, at), Made: at, Of: of}, nil
		}
		if err != nil {
			return Info{}, err
		}
	}
}

// WriteTemp returns a new file in dir, synced, that f has written. It is the
// caller's to rename or remove; one that a killed process leaves is removed as
// leftovers of atomicfile are.
func WriteTemp(dir string, f func(*os.File) error) (path string, err error) {
	file, err := os.CreateTemp(dir, tempPattern) // 0600
	if err != nil {
		return "", err
	}
	err = f(file)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return file.Name(), nil
}

// Remove removes backups, and makes that durable. One that is gone already is no
// error.
func (d Dir) Remove(names ...string) error {
	var errs []error
	for _, name := range names {
		if err := os.Remove(d.Path(name)); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if len(names) > 0 {
		errs = append(errs, atomicfile.SyncDir(string(d)))
	}
	return errors.Join(errs...)
}
