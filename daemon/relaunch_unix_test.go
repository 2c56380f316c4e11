//go:build unix

package daemon

import (
	"testing"

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
		"no reason":     `{"format":1}`,
		"a wild reason": `{"format":1,"locked_by":"\u001b[2J"}`,
	} {
		if h, err := ParseHandover(text); err == nil {
			t.Errorf("%s: %+v", name, h)
		}
	}
}
