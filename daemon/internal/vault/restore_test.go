package vault

import "testing"

// TestRaiseCounters: a counter goes on, and never back; one of another secret or
// kind, and of an entry that only one side has, stays. The trash counts, too.
func TestRaiseCounters(t *testing.T) {
	v := newVault(t)
	hotp := func(name string, counter uint64) ID {
		e := entry(name)
		e.Type, e.Period, e.Counter = "hotp", 0, counter
		return add(t, v, e)
	}
	behind, ahead, renewed, became, trashed, gone := hotp("behind", 1), hotp("ahead", 1), hotp("renewed", 1), hotp("became", 1), hotp("trashed", 1), hotp("gone", 4)
	set := func(v *Vault, id ID, f func(*Entry)) {
		update(t, v, "edit", func(tx *Tx) error { return tx.Edit(id, func(e *Entry) error { f(e); return nil }) })
	}
	then := openVault(t, write(t, read(t, v.path)), Options{Now: v.now})
	update(t, then, "delete", func(tx *Tx) error { return tx.Trash(trashed) })
	set(then, ahead, func(e *Entry) { e.Counter = 9 })
	for _, id := range []ID{behind, renewed, became, trashed} {
		set(v, id, func(e *Entry) { e.Counter = 5 })
	}
	set(v, renewed, func(e *Entry) { e.Secret = entry("").Secret })
	set(v, became, func(e *Entry) { e.Type, e.Period, e.Counter = "totp", 30, 0 })
	update(t, v, "delete", func(tx *Tx) error { return tx.Trash(gone) })
	if _, err := v.Empty([]ID{gone}); err != nil {
		t.Fatal(err)
	}
	hotp("only now", 7)
	if n, err := then.RaiseCounters(v); n != 2 || err != nil {
		t.Errorf("%d raised, %v", n, err)
	}
	if n, err := then.RaiseCounters(v); n != 0 || err != nil {
		t.Errorf("once more: %d raised, %v", n, err)
	}
	then = reopen(t, then)
	for id, want := range map[ID]uint64{behind: 5, ahead: 9, renewed: 1, became: 1, trashed: 5, gone: 4} {
		e, err := then.Get(id)
		if err != nil || e.Counter != want {
			t.Errorf("%s: counter %d, want %d, %v", e.Name, e.Counter, want, err)
		}
	}
	if live, inTrash := then.Count(); live != 5 || inTrash != 1 {
		t.Errorf("%d entries and %d in the trash", live, inTrash)
	}
}
