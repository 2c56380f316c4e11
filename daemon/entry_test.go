package daemon_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/o2fa/o2fa/daemon/daemontest"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/totp"
)

// get is one GET whose reply is decoded as T.
func get[T any](t *testing.T, d *daemontest.Daemon, path string, query url.Values) T {
	t.Helper()
	resp, body := raw(t, d, "GET", path+"?"+query.Encode(), "", nil)
	var reply T
	if err := json.Unmarshal([]byte(body), &reply); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %v: %s %s", path, query, resp.Status, body)
	}
	return reply
}

func detail(t *testing.T, d *daemontest.Daemon, name string, secrets bool) ipc.EntryDetail {
	t.Helper()
	reply, err := d.Client.Entry(t.Context(), name, secrets)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return reply
}

func TestDetailTellsAllAndStepsNothing(t *testing.T) {
	d := daemontest.Run(t)
	for _, req := range []ipc.AddRequest{
		{Secret: rfcSecret, Issuer: "Bank", Account: "ann", Type: "hotp", Counter: 7, Note: "at home\nin the drawer", Tags: []string{"money"}},
		{Secret: rfcSecret, Name: "plain"},
		{Secret: rfcSecret, Name: "GitHub:bob", Digits: 8, Period: 60, Algorithm: "SHA256"},
		{Secret: rfcSecret, Name: "a:b:c"},
	} {
		if _, err := d.Client.Add(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		got := detail(t, d, "bank", true)
		if got.Counter == nil || *got.Counter != 7 || got.Note != "at home\nin the drawer" || got.Secret != rfcSecret ||
			got.URI != "otpauth://hotp/Bank:ann?secret="+rfcSecret+"&counter=7&issuer=Bank" {
			t.Errorf("%+v", got)
		}
	}
	if got := detail(t, d, "plain", false); got.Secret != "" || got.URI != "" || got.Mask != "G...Q" || got.Versions != 0 || got.InFile {
		t.Errorf("a secret nobody asked for, or a wrong detail: %+v", got)
	}
	for name, want := range map[string]string{
		"plain":      "otpauth://totp/plain?secret=" + rfcSecret,
		"GitHub:bob": "otpauth://totp/GitHub:bob?secret=" + rfcSecret + "&algorithm=SHA256&digits=8&period=60&issuer=GitHub",
		"a:b:c":      "otpauth://totp/a:b%20c?secret=" + rfcSecret + "&issuer=a",
	} {
		got := detail(t, d, name, true).URI
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		if _, err := totp.ParseURI(got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := d.Client.Entry(t.Context(), "", false); !errors.Is(err, ipc.ErrBadRequest) {
		t.Errorf("without a name: %v", err)
	}
}

func TestEdit(t *testing.T) {
	d := daemontest.Run(t)
	added := d.Add(t, rfcSecret, "github").Entry
	name, issuer, pinned, digits, tags := "GitHub work", "GitHub", true, 8, []string{"a", "b"}
	reply, err := d.Client.Edit(t.Context(), ipc.EditRequest{ID: added.ID, Name: &name, Issuer: &issuer, Pinned: &pinned, Digits: &digits, Tags: &tags,
		AddTags: []string{"c", "A"}, DropTags: []string{"B"}})
	want := []string{"name", "issuer", "tags", "pinned", "digits"}
	if err != nil || !slices.Equal(reply.Changed, want) || reply.Entry.Name != name || !slices.Equal(reply.Entry.Tags, []string{"a", "c"}) ||
		reply.Entry.Versions != 1 || reply.SameName != 1 {
		t.Fatalf("%+v, %v", reply, err)
	}
	if code, err := d.Client.Code(t.Context(), name, 0); err != nil || len(code.Code) != 8 {
		t.Errorf("%+v, %v", code, err)
	}
	if reply, err = d.Client.Edit(t.Context(), ipc.EditRequest{ID: added.ID, Name: &name}); err != nil || len(reply.Changed) != 0 || reply.Entry.Versions != 1 {
		t.Errorf("an edit without a difference: %+v, %v", reply, err)
	}
	if undone, err := d.Client.Undo(t.Context()); err != nil || undone.Undone != "edit" {
		t.Errorf("%+v, %v", undone, err)
	}
	if got := detail(t, d, "github", false); got.Digits != 6 || got.Pinned || len(got.Tags) != 0 || got.Issuer != "" {
		t.Errorf("after undo: %+v", got)
	}
}

func TestEditOfTheKey(t *testing.T) {
	d := daemontest.Run(t)
	id := d.Add(t, rfcSecret, "github").Entry.ID
	secret, hotp, counter := "jbsw y3dp-ehpk 3pxp", "HOTP", uint64(3)
	reply, err := d.Client.Edit(t.Context(), ipc.EditRequest{ID: id, Secret: &secret, Type: &hotp, Counter: &counter})
	if err != nil || !slices.Equal(reply.Changed, []string{"secret", "type", "period", "counter"}) || reply.Entry.Secret != "" {
		t.Fatalf("%+v, %v", reply, err)
	}
	if code, err := d.Client.Code(t.Context(), "github", 0); err != nil || code.Counter == nil || *code.Counter != 3 {
		t.Errorf("%+v, %v", code, err)
	}
	totpType, period := "totp", 60
	if reply, err = d.Client.Edit(t.Context(), ipc.EditRequest{ID: id, Type: &totpType}); err != nil || reply.Entry.Period != 30 || reply.Entry.Counter != nil {
		t.Errorf("%+v, %v", reply, err)
	}
	if reply, err = d.Client.Edit(t.Context(), ipc.EditRequest{ID: id, Period: &period}); err != nil || reply.Entry.Period != 60 {
		t.Errorf("%+v, %v", reply, err)
	}
	bad, steam, two, zero := "not base32 1", "steam", 2, 0
	for what, req := range map[string]ipc.EditRequest{
		"a secret that is none": {Secret: &bad}, "an unknown type": {Type: &steam}, "two digits": {Digits: &two},
		"a period of 0": {Period: &zero}, "a counter of what has none": {Counter: &counter}, "an empty tag": {AddTags: []string{""}},
	} {
		req.ID = id
		if reply, err := d.Client.Edit(t.Context(), req); !errors.Is(err, ipc.ErrInvalid) || strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %+v, %v", what, reply, err)
		}
	}
	if got := detail(t, d, "github", false); got.Versions != 3 {
		t.Errorf("a refused edit left something: %+v", got)
	}
	if _, err := d.Client.Edit(t.Context(), ipc.EditRequest{ID: strings.Repeat("0", 32), Digits: &two}); !errors.Is(err, ipc.ErrNotFound) {
		t.Errorf("an id of nothing: %v", err)
	}
}

func TestTrash(t *testing.T) {
	d := daemontest.Run(t)
	ids := []string{}
	for _, name := range []string{"one", "two", "two"} {
		reply, err := d.Client.Add(t.Context(), ipc.AddRequest{Secret: rfcSecret, Name: name, Issuer: strings.Repeat("x", len(ids))})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, reply.Entry.ID)
	}
	if _, err := d.Client.Delete(t.Context(), ipc.DeleteRequest{IDs: ids}); err != nil {
		t.Fatal(err)
	}
	list, err := d.Client.Trash(t.Context())
	if err != nil || len(list.Entries) != 3 || list.Total != 3 || list.Entries[0].Trashed == "" {
		t.Fatalf("%+v, %v", list, err)
	}
	deleted, err := time.Parse(time.RFC3339, list.Entries[0].Trashed)
	if until := deleted.Add(30 * 24 * time.Hour).Format(time.RFC3339Nano); err != nil || list.Entries[0].KeptUntil != until {
		t.Errorf("kept until %s, want %s, %v", list.Entries[0].KeptUntil, until, err)
	}
	for name, want := range map[string]int{"one": 1, "TWO": 2, ids[2]: 1, ids[0][:8]: 1, "tw": 0, "None": 0} {
		found, err := d.Client.Find(t.Context(), ipc.FindRequest{Name: name, Trashed: true})
		if err != nil || len(found.Entries) != want {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
	}
	restore := func(ids ...string) (ipc.RestoreReply, error) {
		return d.Client.Restore(t.Context(), ipc.RestoreRequest{IDs: ids})
	}
	empty := func(ids ...string) (ipc.EmptyReply, error) {
		return d.Client.Empty(t.Context(), ipc.EmptyRequest{IDs: ids})
	}
	if reply, err := restore(ids[0]); err != nil || len(reply.Restored) != 1 || reply.Restored[0].Name != "one" || reply.Restored[0].Trashed != "" {
		t.Errorf("%+v, %v", reply, err)
	}
	if undone, err := d.Client.Undo(t.Context()); err != nil || undone.Undone != "restore" {
		t.Errorf("%+v, %v", undone, err)
	}
	if _, err := restore(ids[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := empty(ids[0]); !errors.Is(err, ipc.ErrNotFound) {
		t.Errorf("removing for good what is not in the trash: %v", err)
	}
	if reply, err := empty(ids[1]); err != nil || reply.Removed != 1 {
		t.Errorf("%+v, %v", reply, err)
	}
	if reply, err := empty(); err != nil || reply.Removed != 1 {
		t.Errorf("%+v, %v", reply, err)
	}
	if _, err := restore(ids[1]); !errors.Is(err, ipc.ErrNotFound) {
		t.Errorf("restoring what was removed for good: %v", err)
	}
	if reply, err := empty(); err != nil || reply.Removed != 0 {
		t.Errorf("emptying what is empty: %+v, %v", reply, err)
	}
	if _, err := d.Client.Code(t.Context(), "one", 0); err != nil {
		t.Errorf("the entry that stayed: %v", err)
	}
}

func TestCodesAndFilters(t *testing.T) {
	d := daemontest.New(t)
	d.Config.Now = fixed(59)
	d.Start(t)
	for _, req := range []ipc.AddRequest{
		{Secret: rfcSecret, Name: "delta", Digits: 8, Tags: []string{"Work"}}, {Secret: rfcSecret, Name: "alpha", Type: "hotp", Counter: 5},
		{Secret: rfcSecret, Name: "Charlie", Issuer: "alp"}, {Secret: rfcSecret, Name: "bravo", Tags: []string{"workshop"}},
	} {
		if _, err := d.Client.Add(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	pinned := true
	if _, err := d.Client.Edit(t.Context(), ipc.EditRequest{ID: detail(t, d, "delta", false).ID, Pinned: &pinned}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		key, value string
		names      string
		total      int
	}{
		{"", "", "delta alpha bravo Charlie", 4},
		{"limit", "2", "delta alpha", 4},
		{"limit", "1", "delta", 4},
		{"search", "ALP", "alpha Charlie", 2},
		{"search", "work", "delta bravo", 2},
		{"tag", "work", "delta", 1},
		{"pinned", "true", "delta", 1},
		{"prefix", "c", "Charlie", 1},
		{"search", "nothing", "", 0},
	} {
		query := url.Values{c.key: {c.value}}
		list, codes := get[ipc.Entries](t, d, ipc.PathEntries, query), get[ipc.Codes](t, d, ipc.PathCodes, query)
		var listed, coded []string
		for _, e := range list.Entries {
			listed = append(listed, e.Name)
		}
		for _, code := range codes.Codes {
			coded = append(coded, code.Name)
		}
		if got := strings.Join(listed, " "); got != c.names || list.Total != c.total {
			t.Errorf("%v: %s of %d, want %s of %d", query, got, list.Total, c.names, c.total)
		}
		if !slices.Equal(listed, coded) || codes.Total != c.total {
			t.Errorf("%v: codes of %v", query, coded)
		}
	}
	for range 2 { // asking is no change
		codes := get[ipc.Codes](t, d, ipc.PathCodes, nil)
		if codes.Codes[0].Code != "94287082" || codes.Codes[0].SecondsLeft != 1 || codes.At != "1970-01-01T00:00:59Z" ||
			codes.Codes[1].Code != "" || codes.Codes[1].Counter == nil || *codes.Codes[1].Counter != 5 {
			t.Errorf("%+v", codes)
		}
	}
	for _, limit := range []string{"0", "-1", "x"} {
		if resp, body := raw(t, d, "GET", ipc.PathCodes+"?limit="+limit, "", nil); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("limit %s: %s %s", limit, resp.Status, body)
		}
	}
}

func TestCandidatesAreBounded(t *testing.T) {
	d := daemontest.Run(t)
	for i := range ipc.MaxCandidates + 5 {
		if _, err := d.Client.Add(t.Context(), ipc.AddRequest{Secret: rfcSecret, Name: "bank", Issuer: strings.Repeat("x", i)}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := d.Client.Code(t.Context(), "bank", 0)
	wire := (*ipc.Error)(nil)
	if !errors.As(err, &wire) || wire.Code != ipc.CodeAmbiguous || len(wire.Candidates) != ipc.MaxCandidates || wire.Matches != ipc.MaxCandidates+5 {
		t.Errorf("%v", err)
	}
}
