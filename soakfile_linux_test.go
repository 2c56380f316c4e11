package o2fa_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// secretsRow is a row of secrets.json. Its secret follows from its stem, its
// name from both.
type secretsRow struct {
	stem    string
	version int
	item    int // number of the entry that it becomes if it is new
}

func (r secretsRow) name() string { return fmt.Sprintf("%s~%d", r.stem, r.version) }

// secretsRows are the good rows of the file, by stem.
type secretsRows map[string]secretsRow

// secretsState is what secrets.json holds, and has held.
type secretsState struct {
	pending []secretsRows // since the vault was last seen to have one: that, then what was written
	gone    []string      // stems of rows that left
	target  string        // where the file is a link to; empty if it is none
	bad     int           // rows that are no good
}

// now is what the file holds.
func (f *secretsState) now() secretsRows { return f.pending[len(f.pending)-1] }

func (f *secretsState) settled() bool { return len(f.pending) == 1 }

// busy returns the items that the rows which are not taken yet may touch.
func (f *secretsState) busy(w *world) map[int]bool {
	busy := map[int]bool{}
	if f.settled() {
		return busy
	}
	changed := func(stem string) bool { return f.now()[stem] != f.pending[0][stem] }
	for stem, row := range w.taken {
		if changed(stem) {
			busy[row.item] = true
		}
	}
	for n, it := range w.items {
		if changed(it.seed) {
			busy[n] = true
		}
	}
	return busy
}

// storm writes secrets.json in the ways that programs and accidents do.
func (s *soak) storm() {
	states := 1
	if s.odds(4) {
		states += s.rng.IntN(3)
	}
	if s.locked {
		states = 1
	} else if states > 1 || !s.file.settled() {
		s.fileSettled()
	}
	s.each((*world).begin)
	for range states {
		s.file.pending = append(s.file.pending, s.nextRows())
		s.write(s.file.now())
	}
	s.note("  %d rows after %d changes", len(s.file.now()), states)
	if !s.locked && (states > 1 || s.odds(2)) {
		s.fileSettled()
	}
	if states > 1 {
		// Nobody knows how often the daemon has looked, so how many changes it were.
		s.each(func(w *world) { w.journal = nil })
	}
}

// nextRows changes the rows: always at least one is new, so that it shows when
// the file was taken.
func (s *soak) nextRows() secretsRows {
	last := s.file.now()
	next := maps.Clone(last)
	stems := slices.Sorted(maps.Keys(last))
	s.rng.Shuffle(len(stems), func(i, j int) { stems[i], stems[j] = stems[j], stems[i] })
	for _, stem := range stems[:min(len(stems), s.rng.IntN(3))] {
		if s.file.pending[0][stem] == last[stem] { // each once until it is taken
			next[stem] = secretsRow{stem, last[stem].version + 1 + s.rng.IntN(2), s.number()}
		}
	}
	for _, stem := range stems[max(0, len(stems)-s.rng.IntN(3)-len(stems)/40):] {
		if s.file.pending[0][stem] == next[stem] {
			delete(next, stem)
			s.file.gone = append(s.file.gone, stem)
		}
	}
	if len(s.file.gone) > 5 && s.odds(3) {
		stem := s.file.gone[0]
		if _, there := s.file.pending[0][stem]; !there { // it was forgotten
			s.file.gone = s.file.gone[1:]
			next[stem] = secretsRow{stem, s.rng.IntN(3), s.number()}
		}
	}
	fresh := 1 + s.rng.IntN(3)
	if s.odds(40) {
		fresh = 60
	}
	for range fresh {
		stem := fmt.Sprint("f", s.number())
		next[stem] = secretsRow{stem, 0, s.number()}
	}
	return next
}

// rowsJSON is the file with these rows, among them some that are no good.
func (s *soak) rowsJSON(rows secretsRows) []byte {
	type row struct {
		Secret any `json:"secret"`
		Name   any `json:"name"`
	}
	list := []row{}
	for _, stem := range slices.Sorted(maps.Keys(rows)) {
		list = append(list, row{derived(s.seed, stem), rows[stem].name()})
	}
	s.file.bad = s.rng.IntN(3)
	for range s.file.bad {
		list = slices.Insert(list, s.rng.IntN(len(list)+1), one(s, []row{{"not base32!", "bad"}, {nil, nil}, {"", "empty"}, {42, "number"}}))
	}
	data, err := json.MarshalIndent(map[string]any{"secrets": list}, "", one(s, []string{"", "  "}))
	if err != nil {
		s.fail("%v", err)
	}
	return data
}

// write brings the file to these rows, with some noise before.
func (s *soak) write(rows secretsRows) {
	data := s.rowsJSON(rows)
	for range s.rng.IntN(4) {
		s.noise(data)
	}
	path := s.profile.SecretsFile()
	var err error
	switch s.rng.IntN(5) {
	case 0: // a link to a file elsewhere
		s.file.target = filepath.Join(s.dir, fmt.Sprint("elsewhere", s.rng.IntN(3)))
		_ = os.Remove(path)
		if err = writeSecrets(s.file.target, data, true); err == nil {
			err = os.Symlink(s.file.target, path)
		}
	case 1: // in two pieces
		err = writeSecrets(path, data, false)
	case 2: // again and again
		for range 1 + s.rng.IntN(20) {
			if err = writeSecrets(path, data, s.odds(2)); err != nil {
				break
			}
		}
	default: // as editors do
		err = writeSecrets(path, data, true)
	}
	if err != nil {
		s.fail("writing secrets.json: %v", err)
	}
}

// noise is what the daemon may see of a file that is being written, or was
// harmed. None of it is a file whose rows count.
func (s *soak) noise(data []byte) {
	path := s.profile.SecretsFile()
	var err error
	switch s.rng.IntN(6) {
	case 0: // half of it
		err = os.WriteFile(path, data[:s.rng.IntN(len(data)-1)], 0o600)
	case 1: // gone
		_ = os.Remove(path)
	case 2:
		err = writeSecrets(path, []byte(one(s, []string{"", "{", "{\"secrets\"", "[]", "null", "\x00\x00\x00", "secrets: []", "{\"secrets\": 1}"})), s.odds(2))
	case 3: // nothing but a directory
		_ = os.Remove(path)
		if err = os.Mkdir(path, 0o700); err == nil {
			pause()
			err = os.Remove(path)
		}
	case 4: // a link to nowhere
		_ = os.Remove(path)
		err = os.Symlink(filepath.Join(s.dir, "nowhere"), path)
		defer os.Remove(path)
	default: // not for us to read, as far as that can be said to root
		_ = os.Chmod(path, 0)
		defer func() { _ = os.Chmod(path, 0o600) }()
	}
	if err != nil {
		s.fail("harming secrets.json: %v", err)
	}
	if s.odds(3) {
		<-time.After(time.Duration(s.rng.IntN(150)) * time.Millisecond) // the daemon looks after 100
	}
}

// fileSettled waits until the vault has what is in the file.
func (s *soak) fileSettled() {
	s.Helper()
	if s.file.settled() {
		return
	}
	s.unlocked()
	for deadline := time.Now().Add(patience); !s.file.settled(); {
		if err := s.tryRead(); err != nil && time.Now().After(deadline) {
			s.fail("%d rows of secrets.json are not taken: %v", len(s.file.now()), err)
		}
		pause()
	}
	s.note("  secrets.json was taken")
}
