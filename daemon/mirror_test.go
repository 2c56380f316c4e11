package daemon_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/o2fa/o2fa/daemon/daemontest"
	"github.com/o2fa/o2fa/ipc"
)

// untilOr is until with something to say when it never comes true.
func untilOr(t *testing.T, what func() bool, never func()) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !what(); <-time.After(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			never()
			return
		}
	}
}

// fileOf is the text of a file with these rows, secret and name, as open2fa writes it.
func fileOf(pairs ...string) string {
	var rows []string
	for i := 0; i < len(pairs); i += 2 {
		name, _ := json.Marshal(pairs[i+1])
		rows = append(rows, fmt.Sprintf(`{"secret": "%s", "name": %s}`, pairs[i], name))
	}
	return `{"secrets": [` + strings.Join(rows, ", ") + `]}`
}

// mirrored starts a daemon whose vault and file hold a, b and c.
func mirrored(t *testing.T) (d *daemontest.Daemon, path string) {
	t.Helper()
	d = daemontest.New(t)
	put(t, d, row{secretA, "a"}, row{secretB, "b"}, row{secretC, "c"})
	d.Start(t)
	if got := mode(t, d, "mirror"); got.Problem != "" || got.Mode != "mirror" || got.Mirrored != 3 {
		t.Fatalf("%+v", got)
	}
	waitNames(t, d, "a", "b", "c")
	return d, d.Profile.SecretsFile()
}

func save(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path+".tmp", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, d *daemontest.Daemon, name, to string) {
	t.Helper()
	e, err := d.Client.Entry(t.Context(), name, false)
	if err == nil {
		_, err = d.Client.Edit(t.Context(), ipc.EditRequest{ID: e.ID, Name: &to})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestMirrorFollowsBothWays(t *testing.T) {
	d, path := mirrored(t)
	// From here to the file.
	d.Add(t, "MFRGGZDFMZTWQ2LK", "new")
	waitFile(t, path, fileOf(secretA, "a", secretB, "b", secretC, "c", "MFRGGZDFMZTWQ2LK", "new"))
	rename(t, d, "b", "beta ü")
	waitFile(t, path, strings.Replace(fileOf(secretA, "a", secretB, "beta @", secretC, "c", "MFRGGZDFMZTWQ2LK", "new"), "@", `\u00fc`, 1))
	if reply := removeEntry(t, d, "a"); reply.InFile != 0 {
		t.Errorf("%+v", reply)
	}
	waitFile(t, path, strings.Replace(fileOf(secretB, "beta @", secretC, "c", "MFRGGZDFMZTWQ2LK", "new"), "@", `\u00fc`, 1))
	if _, err := d.Client.Undo(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(fileOf(secretB, "beta @", secretC, "c", "MFRGGZDFMZTWQ2LK", "new", secretA, "a"), "@", `\u00fc`, 1)
	waitFile(t, path, want)
	// What open2fa has no place for stays out.
	if _, err := d.Client.Add(t.Context(), ipc.AddRequest{Secret: secretA, Name: "eight", Digits: 8}); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool {
		s, err := d.Client.SecretsFile(t.Context())
		return err == nil && s.Others == 1 && s.Unmirrored[0].Name == "eight" && s.Unmirrored[0].Reason == "its codes have 8 digits"
	})
	waitFile(t, path, want)
	// From the file to here.
	save(t, path, fileOf(secretB, "b again", "MFRGGZDFMZTWQ2LK", "new", "GEZDGNBV", "theirs"))
	waitNames(t, d, "b again", "eight", "new", "theirs")
	trash, err := d.Client.Trash(t.Context())
	if err != nil || trash.Total != 2 {
		t.Errorf("%+v, %v", trash, err)
	}
	// One undo takes back all of that, and the file follows. What came by the file
	// goes to the trash.
	if u, err := d.Client.Undo(t.Context()); err != nil || u.Undone != "secrets-file" || u.Count != 4 {
		t.Errorf("%+v, %v", u, err)
	}
	waitNames(t, d, "a", "beta ü", "c", "eight", "new")
	until(t, func() bool {
		data, err := os.ReadFile(path)
		return err == nil && strings.Contains(string(data), `beta \u00fc`) && strings.Contains(string(data), secretC) && !strings.Contains(string(data), "theirs")
	})
}

func TestMirrorKeepsWhatItDoesNotKnow(t *testing.T) {
	d, path := mirrored(t)
	const content = `{"v":2,"secrets":[ {"x":1,"name":"a","secret":"%s"},{"secret":"bad!","name":"bad"}, {"secret":"%s","name":"b"},{"secret":"%s","name":"c"} ]}`
	save(t, path, fmt.Sprintf(content, strings.ToLower(secretA), secretB, secretC))
	look(t, d, 3, 2)
	rename(t, d, "a", "alpha")
	waitFile(t, path, fmt.Sprintf(`{"v": 2, "secrets": [{"x": 1, "name": "alpha", "secret": "%s"}, {"secret": "bad!", "name": "bad"}, {"secret": "%s", "name": "b"}, {"secret": "%s", "name": "c"}]}`,
		strings.ToLower(secretA), secretB, secretC))
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 && info.Mode().Perm() != 0o666 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// TestMirrorHolds: what would remove too much changes nothing, until it is meant.
func TestMirrorHolds(t *testing.T) {
	d := daemontest.New(t)
	var rows []row
	var all []string
	for i := range 14 {
		all = append(all, fmt.Sprint("entry ", i))
		rows = append(rows, row{secretA[:15] + string(rune('A'+i)), all[i]})
	}
	put(t, d, rows...)
	d.Start(t)
	mode(t, d, "mirror")
	waitNames(t, d, all...)
	path := d.Profile.SecretsFile()
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	held := func(want string) {
		t.Helper()
		var s ipc.SecretsFile
		untilOr(t, func() bool {
			s, err = d.Client.SecretsFile(t.Context())
			return err == nil && s.Held == want && (s.Problem == "") == (want == "")
		},
			func() { t.Fatalf("not held: %+v, %v", s, err) })
	}
	for _, c := range []struct{ content, held string }{
		{string(good[:len(good)/2]), ipc.HeldInvalid}, {"", ipc.HeldInvalid}, {"[]", ipc.HeldInvalid},
		{emptyFile, ipc.HeldDropped}, {fileOf(secretA[:15]+"A", "entry 0"), ipc.HeldDropped},
	} {
		save(t, path, c.content)
		held(c.held)
		added := d.Add(t, "GEZDGNBV", "meanwhile")
		waitNames(t, d, append(slices.Clone(all), "meanwhile")...)
		held(c.held)
		waitFile(t, path, c.content)
		if _, err := d.Client.Delete(t.Context(), ipc.DeleteRequest{IDs: []string{added.Entry.ID}}); err != nil {
			t.Fatal(err)
		}
		// It goes on by itself when the file is as it was.
		save(t, path, string(good))
		held("")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	held(ipc.HeldMissing)
	// Taken back from the vault.
	if got := mode(t, d, "mirror"); got.Held != "" || got.Rows != 14 && got.Rows != 0 {
		t.Errorf("%+v", got)
	}
	look(t, d, 14)
	// A few go without a word, and more if that is meant.
	save(t, path, fileOf(secretA[:15]+"A", "entry 0"))
	held(ipc.HeldDropped)
	s, err := d.Client.SetSecretsFile(t.Context(), ipc.SecretsFileRequest{Accept: true})
	if err != nil || s.Held != "" || s.Mode != "mirror" {
		t.Fatalf("%+v, %v", s, err)
	}
	waitNames(t, d, "entry 0")
	save(t, path, emptyFile)
	waitNames(t, d)
	if trash, err := d.Client.Trash(t.Context()); err != nil || trash.Total < 14 {
		t.Errorf("%+v, %v", trash, err)
	}
}

// TestMirrorBegins joins both sides and removes nothing from either, but for what
// was deleted here.
func TestMirrorBegins(t *testing.T) {
	d := daemontest.New(t)
	put(t, d, row{secretA, "a"}, row{secretB, "deleted"}, row{secretC, "purged"})
	d.Start(t)
	waitNames(t, d, "a", "deleted", "purged")
	removeEntry(t, d, "purged")
	if _, err := d.Client.Empty(t.Context(), ipc.EmptyRequest{}); err != nil {
		t.Fatal(err)
	}
	removeEntry(t, d, "deleted")
	rename(t, d, "a", "alpha")
	if _, err := d.Client.Add(t.Context(), ipc.AddRequest{URI: "otpauth://totp/GitHub:me?secret=GEZDGNBV&issuer=GitHub"}); err != nil {
		t.Fatal(err)
	}
	mode(t, d, "mirror")
	waitFile(t, d.Profile.SecretsFile(), fileOf(secretA, "alpha", secretC, "purged", "GEZDGNBV", "GitHub:me"))
	waitNames(t, d, "GitHub:me", "alpha", "purged")
	// A restart is no beginning, and finds what was removed meanwhile.
	d.Stop(t)
	save(t, d.Profile.SecretsFile(), fileOf(secretA, "alpha", "GEZDGNBV", "GitHub:me", secretB, "came"))
	d.Start(t)
	waitNames(t, d, "GitHub:me", "alpha", "came")
}

// TestMirrorOfNoFile writes it.
func TestMirrorOfNoFile(t *testing.T) {
	d := daemontest.Run(t)
	d.Add(t, secretA, "a")
	if s, err := d.Client.Configure(t.Context(), ipc.ConfigRequest{Set: map[string]string{"secrets_file": "mirror"}}); err != nil {
		t.Fatal(s, err)
	}
	waitFile(t, d.Profile.SecretsFile(), fileOf(secretA, "a"))
}

// TestMirrorConflicts changes both sides while the daemon does not run, or the
// vault is locked.
func TestMirrorConflicts(t *testing.T) {
	d, path := mirrored(t)
	if _, err := d.Client.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	save(t, path, fileOf(secretA, "by file", secretB, "b", "GEZDGNBV", "theirs"))
	until(t, func() bool { s, err := d.Client.Status(t.Context()); return err == nil && s.SecretsFile.NeedLook })
	if _, err := d.Client.Unlock(t.Context(), ipc.UnlockRequest{}); err != nil {
		t.Fatal(err)
	}
	waitNames(t, d, "by file", "b", "theirs")
	waitFile(t, path, fileOf(secretA, "by file", secretB, "b", "GEZDGNBV", "theirs"))
}

// TestMirrorOfTwoWriters: open2fa had read the file before we wrote it, and writes
// what it had read. Neither addition is lost; what was deleted here stays deleted.
func TestMirrorOfTwoWriters(t *testing.T) {
	d, path := mirrored(t)
	stale, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d.Add(t, "MFRGGZDFMZTWQ2LK", "ours")
	removeEntry(t, d, "b")
	waitFile(t, path, fileOf(secretA, "a", secretC, "c", "MFRGGZDFMZTWQ2LK", "ours"))
	save(t, path, strings.TrimSuffix(string(stale), "]}")+`, {"secret": "GEZDGNBV", "name": "theirs"}]}`)
	waitNames(t, d, "a", "c", "ours", "theirs")
	waitFile(t, path, fileOf(secretA, "a", secretC, "c", "GEZDGNBV", "theirs", "MFRGGZDFMZTWQ2LK", "ours"))
	// But what is removed there is, also at once.
	save(t, path, fileOf(secretA, "a", secretC, "c", "GEZDGNBV", "theirs"))
	waitNames(t, d, "a", "c", "theirs")
}
