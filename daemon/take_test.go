package daemon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/o2fa/o2fa/daemon/internal/secretsfile"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/totp"
)

// testPiece is how many rows these tests take in one piece.
const testPiece = 400

// sight is a vault without a daemon whose changes can be looked at as they begin.
type sight struct {
	*vault.Vault
	path   string
	begins func() // called when a change begins
}

var sightSlot = vault.NewSlot{ID: [16]byte{1}, Header: []byte("{}"), Key: secret.New(bytes.Repeat([]byte{7}, 32))}

func newSight(t *testing.T) *sight {
	t.Helper()
	s := &sight{path: filepath.Join(t.TempDir(), "vault.db"), begins: func() {}}
	// A change looks at the clock once, when it begins.
	clock := func() time.Time { s.begins(); return time.UnixMilli(1_700_000_000_000) }
	v, err := vault.Create(s.path, [16]byte{1}, []vault.NewSlot{sightSlot}, vault.Options{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	s.Vault = v
	return s
}

// copies makes a copy of the vault's file, as a kill at that moment would leave
// it, when a change begins. The last one is made by end.
func (s *sight) copies(t *testing.T) (files *[]string, end func()) {
	t.Helper()
	files, dir := new([]string), t.TempDir()
	s.begins = func() {
		data, err := os.ReadFile(s.path) // bbolt writes at the end of a change only
		path := filepath.Join(dir, fmt.Sprint(len(*files)))
		if err == nil {
			err = os.WriteFile(path, data, 0o600)
		}
		if err != nil {
			t.Error(err)
		}
		*files = append(*files, path)
	}
	return files, func() { s.begins(); s.begins = func() {} }
}

// rowsNamed returns the content of a secrets file with one row for each name; the
// number after which the secret is made is the row's.
func rowsNamed(t *testing.T, names map[int]string) []byte {
	t.Helper()
	type row struct {
		Name   string `json:"name"`
		Secret string `json:"secret"`
	}
	rows := make([]row, 0, len(names))
	for i := range 10 * testPiece {
		if name, ok := names[i]; ok {
			rows = append(rows, row{name, totp.EncodeSecret(fmt.Appendf(nil, "secret number %d", i))})
		}
	}
	data, err := json.Marshal(map[string]any{"secrets": rows})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func takeAll(t *testing.T, v *vault.Vault, data []byte) taking {
	t.Helper()
	file, err := secretsfile.Parse(data)
	if err != nil || len(file.Problems) > 0 {
		t.Fatal(err, file.Problems)
	}
	defer file.Wipe()
	done, err := take(v, file, data, testPiece)
	if err != nil || len(done.refused) > 0 {
		t.Fatal(err, done.refused)
	}
	return done
}

// namesIn counts the names of a list.
func namesIn(t *testing.T, v *vault.Vault) map[string]int {
	t.Helper()
	list, err := v.List()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]int{}
	for _, s := range list {
		all[s.Name]++
	}
	return all
}

// TestTakeInPieces takes a file of several pieces, with new rows, renamed ones
// and rows that left, and kills the process between any two pieces, so to say:
// the file of the vault as it is then must lead to the very same entries.
func TestTakeInPieces(t *testing.T) {
	before, after := map[int]string{}, map[int]string{}
	want := map[string]int{}
	for i := range 2*testPiece + testPiece/2 {
		switch {
		case i < testPiece/4: // leaves the file, not the vault
			before[i] = fmt.Sprint("gone ", i)
			want[before[i]]++
		case i < testPiece/2:
			before[i], after[i] = fmt.Sprint("kept ", i), fmt.Sprint("kept ", i)
		case i < testPiece:
			before[i], after[i] = fmt.Sprint("old ", i), fmt.Sprint("renamed ", i)
		default:
			after[i] = fmt.Sprint("new ", i)
		}
	}
	for _, name := range after {
		want[name]++
	}
	s := newSight(t)
	takeAll(t, s.Vault, rowsNamed(t, before))
	files, end := s.copies(t)
	data := rowsNamed(t, after)
	if done := takeAll(t, s.Vault, data); done.changed != 2*testPiece {
		t.Errorf("%d changed", done.changed)
	}
	end()
	// Half a piece of renames, one and a half of rows to add.
	if len(*files) != 2+1 {
		t.Fatalf("taken in %d changes", len(*files)-1)
	}
	last := testPiece
	for i, path := range *files {
		v, err := vault.Open(path, vault.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Unlock(sightSlot.ID, sightSlot.Key); err != nil {
			t.Fatal(err)
		}
		live, _ := v.Count()
		if live-last > testPiece {
			t.Errorf("piece %d has %d new entries", i, live-last)
		}
		last = live
		t.Logf("killed before piece %d: %d entries", i, live)
		resumed(t, v, data, want)
		undoneIn(t, v, []int{1, 2, 1}[i], 2*testPiece)
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}
}

// resumed takes what is left of a file, and finds all of it, once.
func resumed(t *testing.T, v *vault.Vault, data []byte, want map[string]int) {
	t.Helper()
	takeAll(t, v, data)
	if got := namesIn(t, v); !maps.Equal(got, want) {
		t.Errorf("%d names instead of %d, or others", len(got), len(want))
	}
	if _, trashed := v.Count(); trashed != 0 {
		t.Errorf("%d entries in the trash", trashed)
	}
	if again := takeAll(t, v, data); again.changed != 0 {
		t.Errorf("%d rows are taken twice", again.changed)
	}
	if whole, err := v.Meta(metaFile); err != nil || len(whole) != fileSize {
		t.Errorf("the file does not count as taken: %v, %v", whole, err)
	}
}

// undoneIn undoes an intake: at once, or what came before and after a kill.
func undoneIn(t *testing.T, v *vault.Vault, undos, want int) {
	t.Helper()
	var undone int
	for range undos {
		u, err := v.Undo()
		if err != nil || u.Op != opSecretsFile {
			t.Fatalf("undone %s, %v", u.Op, err)
		}
		undone += len(u.IDs)
	}
	if undone != want {
		t.Errorf("%d undos take back %d changes of %d", undos, undone, want)
	}
}

func TestTakeInPiecesIsOneUndo(t *testing.T) {
	names := map[int]string{}
	for i := range testPiece + 10 {
		names[i] = fmt.Sprint("new ", i)
	}
	s := newSight(t)
	takeAll(t, s.Vault, rowsNamed(t, names))
	undoneIn(t, s.Vault, 1, len(names))
	if live, trashed := s.Count(); live != 0 || trashed != len(names) {
		t.Errorf("%d live, %d in the trash", live, trashed)
	}
	// The rows stay taken: what was undone does not come back by itself.
	if again := takeAll(t, s.Vault, rowsNamed(t, names)); again.changed != 0 {
		t.Errorf("%d rows come back", again.changed)
	}
}
