package daemon

import (
	"bytes"
	"errors"
	"testing"

	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/ipc"
)

// TestEncodeEntries wants the very bytes that the whole reply has as JSON.
func TestEncodeEntries(t *testing.T) {
	list := []vault.Summary{
		{ID: vault.ID{1}, Type: "totp", Name: "<a&b>\n\u2028", Tags: []string{"x", "\""}, Pinned: true, Created: 1, Updated: 2},
		{ID: vault.ID{2}, Type: "hotp", Counter: 7, Issuer: "é", Account: "日本", Digits: 6, Mask: "I...E", Source: "added"},
		{ID: vault.ID{3}, Type: "totp", Trashed: 1_700_000_000_000},
	}
	fill := func(e *ipc.Entry, id vault.ID) error { e.Secret = id.String(); return nil }
	for n := range len(list) + 1 {
		got, err := encodeEntries(list[:n], 10+n, fill)
		if err != nil {
			t.Fatal(err)
		}
		whole := ipc.Entries{Entries: wireEntries(list[:n]), Total: 10 + n}
		for i := range whole.Entries {
			whole.Entries[i].Secret = whole.Entries[i].ID
		}
		want, err := marshal(whole)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d entries: %v\n%s\nwant\n%s", n, err, got, want)
		}
	}
	refused := errors.New("refused")
	if body, err := encodeEntries(list, 3, func(*ipc.Entry, vault.ID) error { return refused }); !errors.Is(err, refused) || body != nil {
		t.Errorf("%s, %v", body, err)
	}
}
