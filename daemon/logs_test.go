package daemon_test

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/o2fa/o2fa/daemon/daemontest"
	"github.com/o2fa/o2fa/ipc"
)

// whats are the kinds of the rows.
func whats(l ipc.Log) string {
	var kinds []string
	for _, row := range l.Rows {
		kinds = append(kinds, row.What)
	}
	return strings.Join(kinds, " ")
}

func readLog(t *testing.T, d *daemontest.Daemon) ipc.Log {
	t.Helper()
	l, err := d.Client.Log(t.Context(), 0, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// Everything that concerns secrets is noted, with the process that asked and
// never with a code or a secret, and outlives the daemon.
func TestEverythingIsNoted(t *testing.T) {
	d := daemontest.Run(t)
	ctx, c := t.Context(), d.Client
	must[ipc.InitReply](t)(c.Init(ctx, ipc.InitRequest{}))
	id := d.Add(t, rfcSecret, "github").Entry.ID
	code := must[ipc.Code](t)(c.Code(ctx, "github", 0))
	must[ipc.Entries](t)(c.Entries(ctx, "", false)) // no secret: not noted
	must[ipc.Entries](t)(c.Entries(ctx, "", true))
	must[ipc.EntryDetail](t)(c.Entry(ctx, "github", false))
	must[ipc.EntryDetail](t)(c.Entry(ctx, "github", true))
	name := "hub"
	must[ipc.EditReply](t)(c.Edit(ctx, ipc.EditRequest{ID: id, Name: &name}))
	must[ipc.EditReply](t)(c.Edit(ctx, ipc.EditRequest{ID: id, Name: &name})) // changes nothing
	must[ipc.DeleteReply](t)(c.Delete(ctx, ipc.DeleteRequest{IDs: []string{id}}))
	must[ipc.RestoreReply](t)(c.Restore(ctx, ipc.RestoreRequest{IDs: []string{id}}))
	must[ipc.UndoReply](t)(c.Undo(ctx))
	must[ipc.EmptyReply](t)(c.Empty(ctx, ipc.EmptyRequest{}))
	must[ipc.SlotsReply](t)(c.Slots(ctx, ipc.SlotsRequest{Add: "passphrase", Passphrase: "correct horse"}))
	must[ipc.Config](t)(c.Configure(ctx, ipc.ConfigRequest{Set: map[string]string{"trash_days": "7"}}))
	must[ipc.Status](t)(c.Lock(ctx))
	must[ipc.Status](t)(c.Lock(ctx)) // it is locked
	if _, err := c.Unlock(ctx, ipc.UnlockRequest{Passphrase: "wrong horse"}); !errors.Is(err, ipc.ErrPassphrase) {
		t.Fatal(err)
	}
	must[ipc.Status](t)(c.Unlock(ctx, ipc.UnlockRequest{Passphrase: "correct horse"}))
	const want = "init add code secrets show edit delete restore undo empty slots config lock wrong-unlock unlock"
	if got := whats(readLog(t, d)); got != want {
		t.Errorf("noted: %s\nwant:  %s", got, want)
	}
	d.Stop(t)
	d.Start(t)
	l := readLog(t, d)
	if got := whats(l); got != want+" unlock" {
		t.Errorf("after a restart: %s", got)
	}
	self := must[string](t)(os.Executable())
	for _, row := range l.Rows[:len(l.Rows)-1] {
		if row.Client == nil || row.Client.PID != os.Getpid() || row.Client.Executable != self || row.Client.Started == "" {
			t.Errorf("%s by %+v", row.What, row.Client)
		}
	}
	if last := l.Rows[len(l.Rows)-1]; last.Client != nil || last.Detail != "the daemon's start" {
		t.Errorf("%+v", last)
	}
	if add := l.Rows[1]; len(add.Entries) != 1 || add.Entries[0] != (ipc.LogEntry{ID: id, Gone: true}) {
		t.Errorf("%+v", add)
	}
	raw := must[[]byte](t)(json.Marshal(l))
	for _, secret := range []string{code.Code, code.Next, rfcSecret, "horse", "12345678901234567890"} {
		if strings.Contains(string(raw), secret) {
			t.Errorf("%s is in %s", secret, raw)
		}
	}
	// Who is gone is found by the id.
	if l := must[ipc.Log](t)(d.Client.Log(ctx, 0, id[:8], 0)); whats(l) != "add code show edit delete restore undo" {
		t.Errorf("of the entry: %s", whats(l))
	}
	if _, err := d.Client.Log(ctx, 0, "nobody", 0); !errors.Is(err, ipc.ErrNotFound) {
		t.Errorf("of nobody: %v", err)
	}
}

func TestLogIsPickedFrom(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	d := daemontest.New(t)
	d.Config.Now = func() time.Time { return now }
	d.Start(t)
	for _, name := range []string{"a", "b", "c"} {
		d.Add(t, rfcSecret, name)
		d.Stop(t) // nobody reads the clock
		now = now.Add(time.Hour)
		d.Start(t)
	}
	ask := func(n int, name string, since time.Duration) string {
		t.Helper()
		l := must[ipc.Log](t)(d.Client.Log(t.Context(), n, name, since))
		kinds := slices.DeleteFunc(strings.Fields(whats(l)), func(s string) bool { return s == "unlock" })
		return strings.Join(kinds, " ")
	}
	if got := ask(0, "", 0); got != "add add add" {
		t.Error(got)
	}
	if got := ask(0, "b", 0); got != "add" {
		t.Error(got)
	}
	if got := ask(0, "", 2*time.Hour); got != "add add" {
		t.Error(got)
	}
	if l := must[ipc.Log](t)(d.Client.Log(t.Context(), 2, "", 0)); len(l.Rows) != 2 || l.Total != 6 || l.Rows[1].At <= l.Rows[0].At || l.Rows[1].What != "unlock" {
		t.Errorf("%+v", l)
	}
}

func TestLogOff(t *testing.T) {
	d := daemontest.Run(t)
	d.Add(t, rfcSecret, "github")
	set := func(value string) {
		t.Helper()
		must[ipc.Config](t)(d.Client.Configure(t.Context(), ipc.ConfigRequest{Set: map[string]string{"log": value}}))
	}
	set("off")
	must[ipc.Code](t)(d.Client.Code(t.Context(), "github", 0))
	if l := readLog(t, d); l.On || whats(l) != "add log-off config" || l.Rows[2].Detail != "log" {
		t.Errorf("%+v", l)
	}
	d.Stop(t)
	d.Start(t)
	must[ipc.Code](t)(d.Client.Code(t.Context(), "github", 0))
	set("on")
	must[ipc.Code](t)(d.Client.Code(t.Context(), "github", 0))
	if l := readLog(t, d); !l.On || whats(l) != "add log-off config log-on config code" {
		t.Errorf("%+v", l)
	}
	set("off")
	if err := d.Client.ClearLog(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l := readLog(t, d); whats(l) != "log-cleared" || l.Rows[0].Client == nil {
		t.Errorf("%+v", l)
	}
}
