package vault

import (
	"fmt"
	"slices"
	"testing"
)

// A list that was kept and brought up to date is the one that is read anew,
// however many changes came since, and whoever holds the old one keeps it.
func TestListFollowsChanges(t *testing.T) {
	v := newVault(t)
	var ids []ID
	for i := range 20 {
		ids = append(ids, add(t, v, entry(fmt.Sprintf("e%02d", i))))
	}
	first, err := v.List()
	if err != nil {
		t.Fatal(err)
	}
	before := names(first)
	trash := func(id ID) { update(t, v, "delete", func(tx *Tx) error { return tx.Trash(id) }) }
	restore := func(id ID) { update(t, v, "restore", func(tx *Tx) error { return tx.Restore(id) }) }
	for _, change := range []func(){
		func() { add(t, v, entry("E05 second")) },
		func() { edit(t, v, ids[3], func(e *Entry) { e.Name = "zz" }) },
		func() { edit(t, v, ids[4], func(e *Entry) { e.Account = "Somebody" }) },
		func() { edit(t, v, ids[3], func(e *Entry) { e.Name = "aa" }) },
		func() { trash(ids[0]); trash(ids[19]); restore(ids[0]) },
		func() { add(t, v, entry("")); undo(t, v, "") },
	} {
		change()
	}
	kept, err := v.List()
	if err != nil {
		t.Fatal(err)
	}
	if names(first) != before {
		t.Errorf("the list of before is %s", names(first))
	}
	read, err := reopen(t, v).List()
	if err != nil {
		t.Fatal(err)
	}
	same := func(a, b Summary) bool {
		return a.ID == b.ID && a.Name == b.Name && a.Account == b.Account && a.foldedName == b.foldedName &&
			a.foldedAccount == b.foldedAccount && a.Updated == b.Updated
	}
	if !slices.EqualFunc(kept, read, same) {
		t.Errorf("kept %s\nread %s", names(kept), names(read))
	}
}
