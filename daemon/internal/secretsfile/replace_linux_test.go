package secretsfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// TestReplaceBesideAWriterInPlace: a program that has the file open writes into
// what it has opened, wherever that is by then.
func TestReplaceBesideAWriterInPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.json")
	must(t, os.WriteFile(path, []byte("was"), 0o600))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	if err := Replace(path, []byte("was"), []byte("new"), 0); !errors.Is(err, ErrChanged) {
		t.Errorf("while it is open to write: %v", err)
	}
	must(t, writeNew(path, []byte("new"), 0))
	if err := exchange(path, []byte("was"), []byte("new")); !errors.Is(err, ErrChanged) {
		t.Errorf("opened after the first look: %v", err)
	}
	_, err = f.WriteString("theirs")
	must(t, err, f.Close())
	wantFile(t, path, "theirs")
	wantDir(t, filepath.Dir(path), "secrets.json")
	reader, err := os.Open(path)
	must(t, err)
	defer reader.Close()
	must(t, Replace(path, []byte("theirs"), []byte("new"), 0))
	wantFile(t, path, "new")
}

// TestReplaceLosesNothing lets another program put one content after the other in
// place, as fast as it can, while we replace what is there. Each content of theirs
// must come out somewhere: read by us before we replace it, seen by them when they
// replace it, left aside, or at the end in its place.
func TestReplaceLosesNothing(t *testing.T) {
	for name, way := range map[string]func(path string, was, data []byte) error{
		"exchange": func(path string, was, data []byte) error { return Replace(path, was, data, 0) },
		"take away": func(path string, was, data []byte) error {
			if err := writeNew(path, data, 0); err != nil {
				return err
			}
			return errors.Join(takeAway(path, was), remove(path+newSuffix))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "secrets.json")
			must(t, os.WriteFile(path, []byte("start"), 0o600))
			w := &witness{path: path, seen: map[string]bool{}}
			const contents = 1000
			done := make(chan error, 1)
			go func() { done <- w.write(contents) }()
			replaced := 0
			for n := 0; ; n++ {
				if was := w.read(t); was != nil {
					if err := way(path, was, fmt.Appendf(nil, "ours %d", n)); err == nil {
						replaced++
					}
				}
				select {
				case err := <-done:
					must(t, err)
					w.end(t, contents, replaced)
					return
				default:
				}
			}
		})
	}
}

// witness knows which contents were seen by somebody.
type witness struct {
	path string
	mu   sync.Mutex
	seen map[string]bool
}

func (w *witness) note(content []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[string(content)] = true
}

// write puts many contents in place, and notes what each has replaced.
func (w *witness) write(contents int) error {
	mine := w.path + ".theirs"
	for n := range contents {
		if err := os.WriteFile(mine, fmt.Appendf(nil, "theirs %d", n), 0o600); err != nil {
			return err
		}
		err := swap(mine, w.path)
		if errors.Is(err, os.ErrNotExist) { // moved away: nothing is replaced
			err = placeNew(mine, w.path)
			if errors.Is(err, os.ErrExist) {
				err = swap(mine, w.path)
			}
		}
		if err != nil {
			return err
		}
		if out, err := os.ReadFile(mine); err == nil {
			w.note(out)
		}
	}
	return nil
}

// read is a look, which takes what was left aside first.
func (w *witness) read(t *testing.T) []byte {
	t.Helper()
	left, err := Aside(w.path)
	if left != nil && err == nil {
		w.note(left)
		err = DropAside(w.path, left)
	}
	if err != nil && !errors.Is(err, ErrChanged) {
		t.Errorf("what was left aside: %v", err)
	}
	data, err := os.ReadFile(w.path)
	if err != nil {
		return nil
	}
	w.note(data)
	return data
}

func (w *witness) end(t *testing.T, contents, replaced int) {
	t.Helper()
	w.read(t)
	w.read(t)
	lost := 0
	for n := range contents {
		if !w.seen[fmt.Sprintf("theirs %d", n)] {
			lost++
		}
	}
	t.Logf("%d contents of theirs, %d of ours in place", contents, replaced)
	if lost > 0 || replaced == 0 {
		t.Errorf("%d of %d contents were lost, %d replaced", lost, contents, replaced)
	}
}
