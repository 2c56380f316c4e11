package secretsfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fsnotify/fsnotify"
)

// notifier is what targets needs of an fsnotify.Watcher.
type notifier interface {
	Add(dir string) error
	Remove(dir string) error
}

// targets is the set of directories under watch and of the names in them that
// decide what the secrets file is.
type targets struct {
	path   string
	notify notifier
	dirs   map[string]fs.FileInfo // under watch, as they were when that began
	names  map[string]bool        // folded full paths
}

func newTargets(path string, notify notifier) *targets {
	return &targets{path: path, notify: notify, dirs: map[string]fs.FileInfo{}}
}

// weight is what an event means for the file.
type weight int

const (
	nothing weight = iota // another file of the directory: the daemon's own, mostly
	hint                  // perhaps the directory is being removed
	change                // look again
)

// weigh judges an event.
func (t *targets) weigh(event fsnotify.Event) weight {
	name := filepath.Clean(event.Name)
	gone := event.Has(fsnotify.Remove) || event.Has(fsnotify.Rename)
	if _, ok := t.dirs[name]; ok && gone {
		delete(t.dirs, name) // fsnotify dropped the watch by itself
		return change
	}
	if t.names[fold(name)] {
		return change
	}
	// A directory whose files somebody still holds open, as the daemon does,
	// is removed without an event of its own. Removals in it are the sign.
	if gone {
		return hint
	}
	return nothing
}

// maxRounds is how often update follows directories that change under its hands.
const maxRounds = 10

// update brings the watch in line with the file system. moved says that a
// directory came under watch or left it, so events may have been missed; stable
// that nothing changed any more while it worked.
func (t *targets) update() (moved, stable bool, err error) {
	for range maxRounds {
		dirs, names := survey(t.path)
		t.names = names
		dropped := t.drop(dirs)
		added, err := t.add(dirs)
		if err != nil {
			return moved, false, err
		}
		if !dropped && !added {
			return moved, true, nil
		}
		moved = true // and look once more, now that the watch sees what changes
	}
	return moved, false, nil
}

// drop ends the watch of directories that are not wanted or not the same any more.
func (t *targets) drop(wanted map[string]bool) (dropped bool) {
	for dir, before := range t.dirs {
		now, err := os.Stat(dir)
		if wanted[dir] && err == nil && os.SameFile(before, now) {
			continue
		}
		_ = t.notify.Remove(dir) // a directory that went took its watch along
		delete(t.dirs, dir)
		dropped = true
	}
	return dropped
}

// add begins the watch of directories that are wanted and not watched yet.
func (t *targets) add(wanted map[string]bool) (added bool, err error) {
	for dir := range wanted {
		if _, ok := t.dirs[dir]; ok {
			continue
		}
		added = true
		// Before the watch: if another directory takes the name in between, the
		// next round sees that they differ.
		info, err := os.Stat(dir)
		if err == nil {
			err = t.notify.Add(dir)
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue // it went just now; the next round sees it
		}
		if err != nil {
			return added, fmt.Errorf("watching directory %s: %w", dir, err)
		}
		t.dirs[dir] = info
	}
	return added, nil
}

// survey returns the directories to watch for the file at path and the names
// that matter in them: path itself, what it links to, and for what is missing
// its first missing directory.
func survey(path string) (dirs, names map[string]bool) {
	dirs, names = map[string]bool{}, map[string]bool{}
	for _, step := range steps(path) {
		dir := filepath.Dir(step)
		for !isDir(dir) && dir != filepath.Dir(dir) {
			step, dir = dir, filepath.Dir(dir)
		}
		// One spelling for each directory: the kernel gives two spellings one
		// watch, and its events only the first.
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			dir = real
		}
		dirs[dir] = true
		names[fold(filepath.Join(dir, filepath.Base(step)))] = true
	}
	return dirs, names
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// fold makes names comparable on file systems that ignore case. Elsewhere it
// costs at most a look too many.
func fold(path string) string { return strings.ToLower(path) }
