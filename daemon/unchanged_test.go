package daemon

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/daemon/internal/vault"
)

// TestUnchangedFile wants a file to count as known only if it is the very one
// whose rows were all taken.
func TestUnchangedFile(t *testing.T) {
	d := newInside(t, io.Discard)
	in := d.intake
	const good = `{"secrets": [{"secret": "GEZDGNBV", "name": "a"}, {"secret": "MFRGGZDF", "name": "b"}]}`
	look := func(text string, rows, rejected int) {
		t.Helper()
		if err := os.WriteFile(in.path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		in.look(t.Context(), order{})
		if s := in.report(); s.Rows != rows || len(s.Rejected) != rejected || s.Problem != "" || s.TakenAt == "" {
			t.Errorf("%s: status %+v", text, s)
		}
	}
	want := func(text string, rows int, same bool) {
		t.Helper()
		if r, s := in.unchanged(t.Context(), []byte(text)); s != same || same && r != rows {
			t.Errorf("%s: %d rows, the same: %t", text, r, s)
		}
	}
	want(good, 0, false)
	look(good, 2, 0)
	want(good, 2, true)
	want(good+" ", 0, false)
	look(good, 2, 0)
	bad := strings.Replace(good, "MFRGGZDF", "1", 1)
	look(bad, 1, 1)
	want(bad, 0, false) // its bad row is to be told at each look
	want(good, 0, false)
	look(good, 2, 0)
	want(good, 2, true)

	// What was deleted here stays so while the file stays as it is.
	list, err := d.keeper.vault.List()
	if err != nil || len(list) != 2 {
		t.Fatalf("%d entries, %v", len(list), err)
	}
	if err := d.keeper.vault.Update(opDelete, func(tx *vault.Tx) error { return tx.Trash(list[0].ID) }); err != nil {
		t.Fatal(err)
	}
	look(good, 2, 0)
	if live, trashed := d.keeper.vault.Count(); live != 1 || trashed != 1 {
		t.Errorf("%d entries and %d in the trash", live, trashed)
	}
}
