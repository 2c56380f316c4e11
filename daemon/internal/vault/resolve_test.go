package vault

import (
	"errors"
	"testing"
)

func TestResolve(t *testing.T) {
	v := newVault(t)
	ids := map[string]ID{}
	for _, n := range []struct{ name, issuer, account string }{
		{"GitHub:alice", "GitHub", "alice"}, {"github:ALICE", "GitHub", "alice"}, {"GitLab:bob", "GitLab", "bob"},
		{"mail", "Example Mail", "bob@mail.example"}, {"Straße", "", ""}, {"twin", "", ""}, {"", "Nameless", ""},
	} {
		e := entry(n.name)
		e.Issuer, e.Account = n.issuer, n.account
		ids[n.name] = add(t, v, e)
	}
	add(t, v, entry("twin"))
	gone := add(t, v, entry("gone"))
	update(t, v, "delete", func(tx *Tx) error { return tx.Trash(gone) })

	for ask, want := range map[string]string{
		"GitHub:alice": "GitHub:alice", "github:ALICE": "github:ALICE", // exact wins over case
		"GITLAB:BOB": "GitLab:bob", "gitlab": "GitLab:bob", "example mail": "mail", "STRASSE": "Straße",
		"gitl": "GitLab:bob", "@mail.ex": "mail", "nameless": "", "MAIL": "mail", ids["mail"].String(): "mail",
	} {
		if s, err := v.Resolve(ask); err != nil || s.Name != want {
			t.Errorf("Resolve(%q) = %q, %v", ask, s.Name, err)
		}
	}
	for ask, n := range map[string]int{"GITHUB:alice": 2, "github": 2, "twin": 2, "git": 3, "bob": 2} {
		_, err := v.Resolve(ask)
		var a *AmbiguousError
		if !errors.As(err, &a) || !errors.Is(err, ErrAmbiguous) || len(a.Candidates) != n {
			t.Errorf("Resolve(%q): %v, %+v", ask, err, a)
		}
	}
	for ask, near := range map[string]string{
		"": "", "zzz": "", "gone": "", gone.String(): "", "gitlba": "GitLab:bob ", "maul": "mail ", "strase": "Straße ",
	} {
		_, err := v.Resolve(ask)
		var n *NotFoundError
		if !errors.As(err, &n) || !errors.Is(err, ErrNotFound) || names(n.Near) != near {
			t.Errorf("Resolve(%q): %v, %+v", ask, err, n)
		}
	}
}

func TestEdits(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "a", 0}, {"abc", "abd", 1}, {"abc", "ab", 1}, {"abc", "abcd", 1}, {"abc", "acb", 2},
		{"abcd", "xyzw", 3}, {"ü", "u", 1}, {"abc", "", 3},
	} {
		if got := edits([]rune(c.a), c.b); min(got, nearEdits+1) != c.want {
			t.Errorf("edits(%q, %q) = %d", c.a, c.b, got)
		}
	}
}

// Reading by an index while others change what it names finds an entry or
// none; it never looks like damage.
func TestIndexesUnderChange(t *testing.T) {
	v := newVault(t)
	e := entry("busy")
	raw := e.Secret.Reveal()
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			err := v.Update("add", func(tx *Tx) error { _, _, err := tx.Add(e); return err })
			if err == nil {
				_, err = v.Undo()
			}
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	for range 300 {
		if _, err := v.Lookup("busy"); err != nil {
			t.Fatal(err)
		}
		if _, err := v.FindSecret(raw); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Resolve("busy"); err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrAmbiguous) {
			t.Fatal(err)
		}
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}
