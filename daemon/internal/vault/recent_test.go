package vault

import (
	"errors"
	"fmt"
	"testing"

	"github.com/o2fa/o2fa/internal/secret"
)

// secretOf goes the way of a code: name, entry, secret.
func secretOf(v *Vault, name string) (string, error) {
	s, err := v.Resolve(name)
	if err != nil {
		return "", err
	}
	var found string
	err = v.OpenSecret(s.ID, func(e *Entry) error {
		found = e.Name + " " + string(e.Secret.Reveal())
		return nil
	})
	return found, err
}

// TestRecentSeesEveryChange asks twice before and after each kind of change, so
// that the second answer of each pair is a remembered one.
func TestRecentSeesEveryChange(t *testing.T) {
	v := newVault(t)
	named := func(name, raw string) Entry {
		e := entry(name)
		e.Secret = secret.New([]byte(raw))
		return e
	}
	id := add(t, v, named("github", "first"))
	want := func(name, found string, fails error) {
		t.Helper()
		for range 2 {
			got, err := secretOf(v, name)
			if !errors.Is(err, fails) || got != found {
				t.Errorf("%s: %q, %v; want %q, %v", name, got, err, found, fails)
			}
		}
	}
	want("github", "github first", nil)
	want("git", "github first", nil)
	update(t, v, "edit", func(tx *Tx) error {
		return tx.Edit(id, func(e *Entry) error { e.Name, e.Secret = "gitlab", secret.Copy([]byte("other")); return nil })
	})
	want("gitlab", "gitlab other", nil)
	want("git", "gitlab other", nil)
	want("github", "", ErrNotFound)
	second := add(t, v, named("gitea", "second"))
	if _, err := v.Resolve("git"); !errors.As(err, new(*AmbiguousError)) {
		t.Errorf("two that begin so: %v", err)
	}
	update(t, v, "delete", func(tx *Tx) error { return tx.Trash(second) })
	want("git", "gitlab other", nil)
	if _, err := v.Undo(); err != nil {
		t.Fatal(err)
	}
	want("gitea", "gitea second", nil)
	v.Lock()
	want("gitea", "", ErrLocked)
}

// TestRecentKeepsNothingOld wants what was read before a change to be gone
// after it, whichever came first to the memory.
func TestRecentKeepsNothingOld(t *testing.T) {
	var r recent
	_, _, changes := r.summary("name")
	_, alike := r.record(ID{1})
	r.empty()
	r.keep("name", Summary{}, changes)
	r.keepRecord(ID{1}, []byte("old"), alike)
	if _, known, _ := r.summary("name"); known {
		t.Error("a summary from before the change is kept")
	}
	if sealed, _ := r.record(ID{1}); sealed != nil {
		t.Error("a record from before the change is kept")
	}
}

func TestRecentIsBounded(t *testing.T) {
	var r recent
	for i := range 10 * recentMost {
		r.keep(fmt.Sprint(i), Summary{}, 0)
		r.keepRecord(ID{byte(i), byte(i >> 8)}, []byte("sealed"), 0)
		if _, known, _ := r.summary(fmt.Sprint(i)); !known || len(r.named) > recentMost || len(r.records) > recentMost {
			t.Fatalf("%d names, %d records, the last known: %t", len(r.named), len(r.records), known)
		}
	}
}
