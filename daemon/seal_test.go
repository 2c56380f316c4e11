package daemon_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/daemon/daemontest"
	"github.com/o2fa/o2fa/ipc"
)

// mode sets what becomes of secrets.json, and returns what came of it.
func mode(t *testing.T, d *daemontest.Daemon, mode string) ipc.SecretsFile {
	t.Helper()
	reply, err := d.Client.SetSecretsFile(t.Context(), ipc.SecretsFileRequest{Mode: mode})
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// waitFile waits until the file is this text.
func waitFile(t *testing.T, path, want string) {
	t.Helper()
	var got []byte
	untilOr(t, func() bool { got, _ = os.ReadFile(path); return string(got) == want },
		func() { t.Fatalf("%s holds\n%s\nwant\n%s", path, got, want) })
}

func removeEntry(t *testing.T, d *daemontest.Daemon, name string) ipc.DeleteReply {
	t.Helper()
	found, err := d.Client.Find(t.Context(), ipc.FindRequest{Name: name})
	if err != nil || len(found.Entries) != 1 {
		t.Fatalf("finding %s: %+v, %v", name, found, err)
	}
	reply, err := d.Client.Delete(t.Context(), ipc.DeleteRequest{IDs: []string{found.Entries[0].ID}})
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

const emptyFile = `{"secrets": []}`

func TestSealEmptiesTheFile(t *testing.T) {
	d := daemontest.New(t)
	put(t, d, row{secretA, "a"}, row{strings.ToLower(secretB), nil}, row{secretC, "c"}, row{secretC, "c"})
	if err := os.Chmod(d.Profile.SecretsFile(), 0o640); err != nil {
		t.Fatal(err)
	}
	d.Start(t)
	if got := mode(t, d, "seal"); got.Mode != "seal" || got.InClear || got.Problem != "" {
		t.Errorf("%+v", got)
	}
	waitFile(t, d.Profile.SecretsFile(), emptyFile)
	if info, err := os.Stat(d.Profile.SecretsFile()); err != nil || info.Mode().Perm()&0o777 != 0o640 && info.Mode().Perm() != 0o666 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	waitNames(t, d, "", "a", "c")
	// What comes goes, as it stays here; also what was here and was deleted.
	removeEntry(t, d, "a")
	put(t, d, row{secretA, "a"}, row{secretB, "b"})
	waitFile(t, d.Profile.SecretsFile(), emptyFile)
	waitNames(t, d, "", "a", "b", "c")
	list, err := d.Client.Entries(t.Context(), "", true)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list.Entries {
		if want := map[string]string{"": secretB, "a": secretA, "b": secretB, "c": secretC}[e.Name]; e.Secret != want {
			t.Errorf("%s has another secret", e.Name)
		}
	}
	if s, err := d.Client.Status(t.Context()); err != nil || len(s.Warnings) > 0 && s.Warnings[0].Code == "plaintext" {
		t.Errorf("%+v, %v", s.Warnings, err)
	}
}

// TestSealKeepsWhatTheVaultHasNot: only what was read back leaves.
func TestSealKeepsWhatTheVaultHasNot(t *testing.T) {
	d := daemontest.New(t)
	put(t, d, row{secretA, "a"}, row{secretB, "purged"}, row{secretC, "edited"}, row{secretC, "again"})
	d.Start(t)
	waitNames(t, d, "a", "again", "edited", "purged")
	removeEntry(t, d, "purged")
	if _, err := d.Client.Empty(t.Context(), ipc.EmptyRequest{}); err != nil {
		t.Fatal(err)
	}
	e, err := d.Client.Entry(t.Context(), "edited", false)
	if err != nil {
		t.Fatal(err)
	}
	other := "MFRGGZDFMZTWQ2LK"
	if _, err := d.Client.Edit(t.Context(), ipc.EditRequest{ID: e.ID, Secret: &other}); err != nil {
		t.Fatal(err)
	}
	path := d.Profile.SecretsFile()
	content := `{"v": 1, "secrets": [{"secret": "` + secretA + `", "name": "a"}, {"secret": "no secret!", "name": "bad"}, {"secret": "` +
		secretB + `", "name": "purged"}, {"secret": "` + secretC + `", "name": "edited"}, {"secret": "` + secretC + `", "name": "again", "issuer": "x"}]}`
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	look(t, d, 4, 2)
	reply := mode(t, d, "seal")
	waitFile(t, path, `{"v": 1, "secrets": [{"secret": "no secret!", "name": "bad"}, {"secret": "`+
		secretB+`", "name": "purged"}, {"secret": "`+secretC+`", "name": "again", "issuer": "x"}]}`)
	if len(reply.Rejected) != 3 || !reply.InClear {
		t.Errorf("%+v", reply)
	}
	until(t, func() bool {
		s, err := d.Client.SecretsFile(t.Context())
		return err == nil && s.Rows == 2 && len(s.Rejected) == 3 && strings.HasPrefix(s.Rejected[1].Reason, "its entry was removed from the vault")
	})
}

func TestSealThroughALink(t *testing.T) {
	d := daemontest.New(t)
	put(t, d, row{secretA, "a"})
	real := filepath.Join(filepath.Dir(d.Profile.Dir), "elsewhere.json")
	if err := os.Rename(d.Profile.SecretsFile(), real); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, d.Profile.SecretsFile()); err != nil {
		t.Skip(err) // Windows wants a privilege for links
	}
	d.Start(t)
	if got := mode(t, d, "seal"); got.Target == "" || got.Problem != "" {
		t.Errorf("%+v", got)
	}
	waitFile(t, real, emptyFile)
	if to, err := os.Readlink(d.Profile.SecretsFile()); err != nil || to != real {
		t.Errorf("the link leads to %q, %v", to, err)
	}
}

func TestSealWhileLocked(t *testing.T) {
	d := daemontest.New(t)
	put(t, d, row{secretA, "a"})
	d.Start(t)
	mode(t, d, "seal")
	waitFile(t, d.Profile.SecretsFile(), emptyFile)
	if _, err := d.Client.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(t, d, row{secretB, "b"})
	until(t, func() bool {
		s, err := d.Client.Status(t.Context())
		return err == nil && s.SecretsFile.NeedLook
	})
	if data, err := os.ReadFile(d.Profile.SecretsFile()); err != nil || !strings.Contains(string(data), secretB) {
		t.Errorf("emptied by a daemon that has no key: %s, %v", data, err)
	}
	if _, err := d.Client.Unlock(t.Context(), ipc.UnlockRequest{}); err != nil {
		t.Fatal(err)
	}
	waitFile(t, d.Profile.SecretsFile(), emptyFile)
	waitNames(t, d, "a", "b")
}

// TestAnInterruptedSeal: what a crash leaves beside the file is taken, and removed.
func TestAnInterruptedSeal(t *testing.T) {
	d := daemontest.New(t)
	put(t, d, row{secretA, "a"}, row{secretB, "b"})
	d.Start(t)
	waitNames(t, d, "a", "b")
	d.Stop(t)
	path := d.Profile.SecretsFile()
	if err := os.WriteFile(path+".o2fa", []byte(`{"secrets": [{"secret": "`+secretA+`", "name": "a"}, {"secret": "`+secretC+`", "name": "c"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(emptyFile), 0o600); err != nil {
		t.Fatal(err)
	}
	d.Start(t)
	waitNames(t, d, "a", "b", "c")
	if _, err := os.Stat(path + ".o2fa"); err == nil {
		t.Error("it is still there")
	}
}

const (
	uuidA = "0e4742ef-780b-406d-8651-7766cf67be3f"
	uuidB = "1e4742ef-780b-406d-8651-7766cf67be3f"
)

func TestUUIDIsSealedAndPutBack(t *testing.T) {
	d := daemontest.New(t)
	put(t, d, row{secretA, "a"})
	path := filepath.Join(d.Profile.Dir, "open2fa.uuid")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	account := func(first, source string) {
		t.Helper()
		s, err := d.Client.Status(t.Context())
		if err != nil || s.Account == nil || s.Account.UUID != first+"..." || s.Account.Source != source {
			t.Errorf("%+v, %v, want that of %s which begins with %s", s.Account, err, source, first)
		}
	}
	write("{" + strings.ToUpper(uuidA) + "}\n")
	d.Start(t)
	waitNames(t, d, "a")
	if reply := mode(t, d, "seal"); reply.UUIDProblem != "" {
		t.Errorf("%+v", reply)
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatal("open2fa.uuid is still there")
	}
	account("0", "vault")
	// Another one is not taken over it.
	write(uuidB)
	until(t, func() bool {
		s, err := d.Client.SecretsFile(t.Context())
		return err == nil && s.UUIDProblem != "" && len(s.UUID) == 2
	})
	account("1", path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	account("0", "vault")
	write(uuidB)
	if _, err := d.Client.SetSecretsFile(t.Context(), ipc.SecretsFileRequest{Accept: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("accepted, open2fa.uuid is still there")
	}
	mode(t, d, "watch")
	if _, err := os.Stat(path); err == nil {
		t.Error("watch writes open2fa.uuid")
	}
	mode(t, d, "mirror")
	waitFile(t, path, uuidB)
}

// A file without a UUID stays, whatever the mode.
func TestNoUUIDIsLeftAlone(t *testing.T) {
	d := daemontest.New(t)
	put(t, d, row{secretA, "a"})
	path := filepath.Join(d.Profile.Dir, "open2fa.uuid")
	if err := os.WriteFile(path, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.Start(t)
	waitNames(t, d, "a")
	if reply := mode(t, d, "seal"); reply.UUIDProblem != "it holds no UUID" {
		t.Errorf("%+v", reply)
	}
	waitFile(t, path, "none")
}

// TestUUIDOutlivesARestore: the vault may be the only place of the UUID. A backup
// from before it was taken in is no backup of it, and does not take it away.
func TestUUIDOutlivesARestore(t *testing.T) {
	d := daemontest.New(t)
	put(t, d, row{secretA, "a"})
	d.Start(t)
	waitNames(t, d, "a")
	before, err := d.Client.CreateBackup(t.Context(), ipc.BackupCreateRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.Profile.Dir, "open2fa.uuid"), []byte(uuidA), 0o600); err != nil {
		t.Fatal(err)
	}
	if reply := mode(t, d, "seal"); reply.UUIDProblem != "" || !slices.Equal(reply.UUID, []string{"vault"}) {
		t.Fatalf("%+v", reply)
	}
	req := ipc.BackupRequest{Path: before.Backup.Path}
	plan, err := d.Client.CompareBackup(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	done, err := d.Client.RestoreBackup(t.Context(), ipc.BackupRestoreRequest{BackupRequest: req, Seen: plan.Seen})
	if err != nil || done.Kept == "" || done.Kept == before.Backup.Path {
		t.Errorf("%+v, %v, want another backup, with the UUID", done, err)
	}
	s, err := d.Client.Status(t.Context())
	if err != nil || s.Account == nil || s.Account.UUID != "0..." {
		t.Errorf("%+v, %v", s.Account, err)
	}
	rows, err := d.Client.Log(t.Context(), 10, "", 0)
	if err != nil || !slices.ContainsFunc(rows.Rows, func(r ipc.LogRow) bool { return r.What == ipc.LogFromBackup }) {
		t.Errorf("%+v, %v, want a row of the restore", rows, err)
	}
}
