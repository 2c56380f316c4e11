package daemon_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/o2fa/o2fa/daemon/daemontest"
	"github.com/o2fa/o2fa/ipc"
)

// row is a row of secrets.json; a nil name is null.
type row struct {
	Secret any `json:"secret"`
	Name   any `json:"name"`
}

// put writes secrets.json as open2fa does: a temporary file, renamed.
func put(t *testing.T, d *daemontest.Daemon, rows ...row) {
	t.Helper()
	if rows == nil {
		rows = []row{}
	}
	data, err := json.Marshal(map[string]any{"secrets": rows})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(d.Profile.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := d.Profile.SecretsFile()
	if err := os.WriteFile(path+".tmp", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		t.Fatal(err)
	}
}

// names returns the names of all entries, sorted.
func names(t *testing.T, d *daemontest.Daemon) []string {
	t.Helper()
	list, err := d.Client.Entries(t.Context(), "", false)
	if errors.Is(err, ipc.ErrUninitialized) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range list.Entries {
		all = append(all, e.Name)
	}
	slices.Sort(all)
	return all
}

func waitNames(t *testing.T, d *daemontest.Daemon, want ...string) {
	t.Helper()
	slices.Sort(want)
	var got []string
	deadline := time.Now().Add(20 * time.Second)
	for got = names(t, d); !slices.Equal(got, want); got = names(t, d) {
		if time.Now().After(deadline) {
			t.Fatalf("entries %q, want %q", got, want)
		}
		<-time.After(2 * time.Millisecond)
	}
}

// look waits until the daemon has looked at the file as it is now.
func look(t *testing.T, d *daemontest.Daemon, rows int, rejected ...int) {
	t.Helper()
	until(t, func() bool {
		s, err := d.Client.Status(t.Context())
		if err != nil || s.SecretsFile.Rows != rows || len(s.SecretsFile.Rejected) != len(rejected) {
			return false
		}
		for i, r := range s.SecretsFile.Rejected {
			if r.Position != rejected[i] || r.Reason == "" {
				return false
			}
		}
		return true
	})
}

const (
	secretA = "GEZDGNBVGY3TQOJQ"
	secretB = "JBSWY3DPEHPK3PXP"
	secretC = "I65VU7K5ZQL7WB4E"
)

func TestSecretsFileAtTheStart(t *testing.T) {
	d := daemontest.New(t)
	put(t, d, row{secretA, "a"}, row{strings.ToLower(secretB), nil}, row{"not base32!", "bad"}, row{secretC, "c"}, row{secretC, "c"})
	d.Start(t)
	waitNames(t, d, "", "a", "c")
	look(t, d, 4, 3)
	s, err := d.Client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if f := s.SecretsFile; f.Mode != "watch" || !f.Present || f.Problem != "" || f.TakenAt == "" || f.NeedLook {
		t.Errorf("%+v", f)
	}
	if !slices.ContainsFunc(s.Warnings, func(w ipc.Warning) bool { return w.Code == "plaintext" }) {
		t.Errorf("no warning that the file holds plaintext: %+v", s.Warnings)
	}
	data, err := os.ReadFile(d.Profile.SecretsFile())
	if err != nil || !strings.Contains(string(data), "not base32!") {
		t.Errorf("the file was written: %s, %v", data, err)
	}
}

// How soon is a figure in bench/README.md; here, that it happens by itself.
func TestSecretsFileChangeIsTaken(t *testing.T) {
	d := daemontest.Run(t)
	put(t, d, row{secretA, "a"})
	waitNames(t, d, "a")
	put(t, d, row{secretA, "a"}, row{secretB, "b"})
	waitNames(t, d, "a", "b")
}

func TestSecretsFileByDifference(t *testing.T) {
	d := daemontest.New(t)
	put(t, d, row{secretA, "a"}, row{secretB, "b"})
	d.Start(t)
	waitNames(t, d, "a", "b")

	remove := func(name string) {
		t.Helper()
		found, err := d.Client.Find(t.Context(), ipc.FindRequest{Name: name})
		if err != nil || len(found.Entries) != 1 {
			t.Fatalf("finding %s: %+v, %v", name, found, err)
		}
		reply, err := d.Client.Delete(t.Context(), ipc.DeleteRequest{IDs: []string{found.Entries[0].ID}})
		if err != nil || reply.InFile != 1 {
			t.Fatalf("%+v, %v", reply, err)
		}
	}
	remove("b")
	// What was deleted here stays so while its row stays, whatever else changes
	// and however often the daemon starts.
	put(t, d, row{secretA, "a"}, row{secretB, "b"}, row{secretC, "c"})
	waitNames(t, d, "a", "c")
	d.Stop(t)
	d.Start(t)
	look(t, d, 3)
	waitNames(t, d, "a", "c")
	// A new name for a known secret renames its entry, and brings back one
	// that was deleted: its row has changed.
	put(t, d, row{secretA, "alpha"}, row{secretB, "beta"}, row{secretC, "c"})
	waitNames(t, d, "alpha", "beta", "c")
	// A row that leaves takes nothing away, and is taken again when it returns.
	put(t, d, row{secretA, "alpha"})
	look(t, d, 1)
	waitNames(t, d, "alpha", "beta", "c")
	remove("alpha")
	put(t, d)
	look(t, d, 0)
	put(t, d, row{secretA, "alpha"})
	waitNames(t, d, "alpha", "beta", "c")
}

func TestBadSecretsFilesChangeNothing(t *testing.T) {
	d := daemontest.New(t)
	put(t, d, row{secretA, "a"})
	d.Start(t)
	waitNames(t, d, "a")
	for what, content := range map[string]string{
		"half":  `{"secrets": [{"secret": "` + secretB + `", "na`,
		"empty": "",
		"other": `["` + secretB + `"]`,
		"none":  `{"secret": []}`,
	} {
		if err := os.WriteFile(d.Profile.SecretsFile(), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		until(t, func() bool {
			s, err := d.Client.Status(t.Context())
			if err == nil && strings.Contains(s.SecretsFile.Problem, secretB) {
				t.Fatalf("%s: the problem quotes the file: %s", what, s.SecretsFile.Problem)
			}
			return err == nil && s.SecretsFile.Problem != "" && s.SecretsFile.Present
		})
		waitNames(t, d, "a")
		put(t, d, row{secretA, "a"})
		look(t, d, 1)
	}
	if err := os.Remove(d.Profile.SecretsFile()); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool {
		s, err := d.Client.Status(t.Context())
		return err == nil && !s.SecretsFile.Present && s.SecretsFile.Problem == ""
	})
	waitNames(t, d, "a")
}

func TestSecretsFileWhileLocked(t *testing.T) {
	d := daemontest.New(t)
	put(t, d, row{secretA, "a"})
	d.Start(t)
	waitNames(t, d, "a")
	if _, err := d.Client.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(t, d, row{secretA, "a"}, row{secretB, "b"})
	until(t, func() bool {
		s, err := d.Client.Status(t.Context())
		return err == nil && s.SecretsFile.NeedLook && s.State == ipc.StateLocked
	})
	if _, err := d.Client.Unlock(t.Context(), ipc.UnlockRequest{}); err != nil {
		t.Fatal(err)
	}
	waitNames(t, d, "a", "b")
}

func TestIntakeIsOneUndo(t *testing.T) {
	d := daemontest.New(t)
	put(t, d, row{secretA, "a"}, row{secretB, "b"})
	d.Start(t)
	waitNames(t, d, "a", "b")
	u, err := d.Client.Undo(t.Context())
	if err != nil || u.Undone != "secrets-file" || u.Count != 2 {
		t.Errorf("%+v, %v", u, err)
	}
	waitNames(t, d)
	d.Stop(t)
	d.Start(t)
	look(t, d, 2)
	waitNames(t, d)
}

func TestARowThatTheVaultRefuses(t *testing.T) {
	d := daemontest.New(t)
	// 1 KiB of a letter that grows when it is brought to NFC.
	put(t, d, row{secretA, strings.Repeat("\u0958", 1024/3)}, row{secretB, "b"})
	d.Start(t)
	waitNames(t, d, "b")
	s, err := d.Client.Status(t.Context())
	if err != nil || len(s.SecretsFile.Rejected) != 1 || s.SecretsFile.Rejected[0].Position != 1 {
		t.Errorf("%+v, %v", s.SecretsFile, err)
	}
}

func TestIntakeOfTenThousandRows(t *testing.T) {
	d := daemontest.New(t)
	rows := make([]row, 10000)
	for i := range rows {
		rows[i] = row{secretA + strings.ToUpper(fmt.Sprintf("%c%c%c%c%c%c%c%c", 'a'+i%26, 'a'+i/26%26, 'a'+i/676%26, 'a', 'a', 'a', 'a', 'a')), fmt.Sprint("entry ", i)}
	}
	put(t, d, rows...)
	d.Start(t)
	// The first one to ask for entries finds them all.
	if got := len(names(t, d)); got != len(rows) {
		t.Errorf("%d entries", got)
	}
}

// Whoever chooses the keystore comes before the file, and looking at the state
// chooses nothing.
func TestInitChoosesBeforeTheFileDoes(t *testing.T) {
	d := daemontest.New(t)
	put(t, d, row{secretA, "a"}, row{secretB, "b"})
	d.Start(t)
	for range 2 {
		s, err := d.Client.Status(t.Context())
		if err != nil || s.State != ipc.StateUninitialized || s.SecretsFile.Rows != 2 || s.SecretsFile.Problem == "" {
			t.Fatalf("%+v %+v, %v", s, s.SecretsFile, err)
		}
		if slices.ContainsFunc(s.Warnings, func(w ipc.Warning) bool { return w.Code == "plaintext" }) {
			t.Error("status suggests to remove the only copy")
		}
	}
	reply, err := d.Client.Init(t.Context(), ipc.InitRequest{Keystore: "keyfile"})
	if err != nil || reply.Taken != 2 || reply.Vault.Slots[0].Type != "keyfile" {
		t.Fatalf("%+v, %v", reply, err)
	}
	waitNames(t, d, "a", "b")
}
