//go:build unix

package daemon

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/ipc"
)

func TestParseHandoverRefuses(t *testing.T) {
	good := `{"format":1,"started":"2026-01-02T03:04:05Z","locked_by":"asked","locked_at":"2026-01-02T03:04:06Z",` +
		`"place":{"lock":3,"listener":4,"socket":"/s","device":1,"inode":2},"askers":[5],"fresh":[]}`
	h, err := ParseHandover(good)
	if err != nil || h.LockedBy != ipc.LockAsked || h.Place.Listener != 4 || len(h.Askers) != 1 {
		t.Fatalf("%+v, %v", h, err)
	}
	for name, text := range map[string]string{
		"nothing":       "",
		"no JSON":       "yes",
		"no object":     "[]",
		"another form":  `{"format":2,"locked_by":"asked"}`,
		"more":          good + "{}",
		"a new field":   `{"format":1,"locked_by":"asked","x":1}`,
		"a long row":    `{"format":1,"log":[{"at":1,"data":"` + strings.Repeat("AAAA", vault.MaxLogRow) + `"}]}`,
		"a wild reason": `{"format":1,"locked_by":"\u001b[2J"}`,
	} {
		if h, err := ParseHandover(text); err == nil {
			t.Errorf("%s: %+v", name, h)
		}
	}
}

// Rows of the log that wait while the vault is locked outlive its next lock, the
// newest of them where not all fit into a variable of the environment.
func TestRowsAreHandedOver(t *testing.T) {
	var rows []vault.LogRow
	for n := range int64(mostWaiting) {
		rows = append(rows, vault.LogRow{At: n, Data: []byte(strings.Repeat("x", 200))})
	}
	h := &Handover{Format: handoverFormat}
	lost := h.keepRows(rows)
	text, err := json.Marshal(h)
	if err != nil || len(text) > 100<<10 {
		t.Fatalf("%d bytes, %v", len(text), err)
	}
	next, err := ParseHandover(string(text))
	if err != nil {
		t.Fatal(err)
	}
	got := next.rows()
	if len(got) == 0 || len(got)+lost != mostWaiting || got[len(got)-1].At != mostWaiting-1 || got[0].At != int64(lost) || len(got[0].Data) != 200 {
		t.Errorf("%d rows, %d lost", len(got), lost)
	}
}

// FuzzParseHandover: whatever stands in the variable, what is taken fits its bounds
// and can be handed over again.
func FuzzParseHandover(f *testing.F) {
	f.Add(`{"format":1,"locked_by":"screen","place":{"lock":3,"listener":4},"askers":[5],"held":["logind"],"log":[{"at":1,"data":"e30="}]}`)
	f.Add(`{"format":1}`)
	f.Add("{")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := ParseHandover(text)
		if err != nil {
			return
		}
		if len(h.LockedBy) > 32 || len(h.Log) > mostWaiting {
			t.Errorf("%+v", h)
		}
		again, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseHandover(string(again)); err != nil {
			t.Errorf("%q, and then %v", text, err)
		}
	})
}
