package daemon

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/o2fa/o2fa/daemon/internal/secretsfile"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/totp"
)

// mirrorModel is what a mirror has to do, in a few lines: for each secret the names
// in the vault, in the file, and when both were last equal.
type mirrorModel struct {
	base, file, vault map[int]string
	ids               map[int]vault.ID
	next              int
}

// settle brings both sides to be equal.
func (m *mirrorModel) settle() {
	after := map[int]string{}
	for i := range m.next {
		base, had := m.base[i]
		inFile, isFile := m.file[i]
		inVault, isVault := m.vault[i]
		switch {
		case isFile && isVault && had && inFile == base:
			after[i] = inVault
		case isFile && (isVault || !had || inFile != base): // a rename beats a delete
			after[i] = inFile
		case isVault && !isFile && (!had || inVault != base):
			after[i] = inVault
		}
	}
	m.base, m.file, m.vault = after, maps.Clone(after), maps.Clone(after)
}

// TestMirrorIsTheModel makes random changes on both sides, some of them between
// the same two looks, and compares with the model.
func TestMirrorIsTheModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	d := newInside(t, io.Discard)
	d.intake.mode = func() string { return ipc.ModeMirror }
	m := &mirrorModel{base: map[int]string{}, file: map[int]string{}, vault: map[int]string{}, ids: map[int]vault.ID{}}
	for range 14 {
		m.file[m.next] = fmt.Sprint("start ", m.next)
		m.next++
	}
	m.look(t, d)
	for step := range 150 {
		for range 1 + rng.IntN(3) {
			m.change(t, d, rng, step)
		}
		m.look(t, d)
		if t.Failed() {
			t.Fatalf("at step %d", step)
		}
	}
}

// modelSecret is the raw secret of a number.
func modelSecret(i int) []byte { return fmt.Appendf(nil, "secret number %d", i) }

// change makes one random change on one side. Few are removed, so that nothing is held.
func (m *mirrorModel) change(t *testing.T, d *Daemon, rng *rand.Rand, step int) {
	t.Helper()
	name := fmt.Sprintf("näme %d.%d", step, rng.IntN(1000))
	side := m.file
	here := rng.IntN(2) == 0
	if here {
		side = m.vault
	}
	i := m.next
	what := rng.IntN(4)
	if keys := slices.Sorted(maps.Keys(side)); what > 0 && len(keys) > 12 {
		i = keys[rng.IntN(len(keys))]
	} else {
		what = 0
		m.next++
	}
	side[i] = name
	if what == 1 {
		delete(side, i)
	}
	if !here {
		return
	}
	err := d.keeper.vault.Update(opEdit, func(tx *vault.Tx) (err error) {
		switch what {
		case 0:
			m.ids[i], _, err = tx.Add(vault.Entry{Type: "totp", Name: name, Algorithm: "SHA1", Digits: 6, Period: 30, Secret: secret.New(modelSecret(i)), Source: sourceAdded})
			return err
		case 1:
			return tx.Trash(m.ids[i])
		}
		return tx.Edit(m.ids[i], func(e *vault.Entry) error { e.Name = name; return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
}

// look writes the file as the model has it, unless it is so, lets the daemon look
// and compares all three.
func (m *mirrorModel) look(t *testing.T, d *Daemon) {
	t.Helper()
	path := d.intake.path
	if now := fileNames(t, path); !maps.Equal(now, m.file) {
		type row struct {
			Secret string `json:"secret"`
			Name   string `json:"name"`
		}
		rows := []row{}
		for i, name := range m.file { // in any order
			rows = append(rows, row{totp.EncodeSecret(modelSecret(i)), name})
		}
		data, err := json.Marshal(map[string]any{"secrets": rows})
		if err == nil {
			err = os.WriteFile(path, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	m.settle()
	d.intake.recent.forget() // another program's stale write is another test's
	d.intake.look(t.Context(), order{})
	if s := d.intake.report(); s.Problem != "" {
		t.Fatalf("%+v", s)
	}
	if got := fileNames(t, path); !maps.Equal(got, m.file) {
		t.Errorf("the file holds %d rows, or other names, the model %d:\n%v\n%v", len(got), len(m.file), got, m.file)
	}
	list, err := d.keeper.vault.List()
	if err != nil {
		t.Fatal(err)
	}
	got := map[int]string{}
	for _, s := range list {
		err := d.keeper.vault.OpenSecret(s.ID, func(e *vault.Entry) error {
			i := modelNumber(t, e.Secret.Reveal())
			got[i], m.ids[i] = e.Name, e.ID
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if !maps.Equal(got, m.vault) || len(list) != len(got) {
		t.Errorf("the vault holds %d entries, or other names, the model %d:\n%v\n%v", len(list), len(m.vault), got, m.vault)
	}
	before, _ := os.ReadFile(path)
	d.intake.look(t.Context(), order{})
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Error("the second look writes again")
	}
}

func modelNumber(t *testing.T, raw []byte) (i int) {
	t.Helper()
	if _, err := fmt.Sscanf(string(raw), "secret number %d", &i); err != nil {
		t.Fatal(err)
	}
	return i
}

// fileNames reads the file; nothing where there is none.
func fileNames(t *testing.T, path string) map[int]string {
	t.Helper()
	got := map[int]string{}
	data, err := os.ReadFile(path)
	if err != nil {
		return got
	}
	file, err := secretsfile.Parse(data)
	if err != nil || len(file.Problems) > 0 {
		t.Fatal(err, file.Problems)
	}
	for _, row := range file.Rows {
		i := modelNumber(t, row.Secret.Reveal())
		if _, twice := got[i]; twice {
			t.Errorf("secret %d has two rows", i)
		}
		got[i] = rowName(row)
	}
	return got
}
