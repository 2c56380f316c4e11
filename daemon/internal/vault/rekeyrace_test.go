package vault

import (
	"errors"
	"fmt"
	"sync"
	"testing"
)

// TestChangesDuringRekey: a change that waited for the new file must not go to
// the old one, where it would be acknowledged and lost.
func TestChangesDuringRekey(t *testing.T) {
	v := newVault(t)
	for i := range 200 {
		add(t, v, entry(fmt.Sprint("entry ", i)))
	}
	var mu sync.Mutex // guards added
	added := map[string]bool{}
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("late %d %d", n, i)
				err := v.Update("add", func(tx *Tx) error { _, _, err := tx.Add(entry(name)); return err })
				if err != nil {
					if !errors.Is(err, ErrReplaced) {
						t.Errorf("adding: %v", err)
					}
					return
				}
				mu.Lock()
				added[name] = true
				mu.Unlock()
			}
		})
	}
	next, err := v.Rekey(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	all.Wait()
	for name := range added {
		if _, err := next.Resolve(name); err != nil {
			t.Errorf("%s was added, and is not in the new file: %v", name, err)
		}
	}
	t.Logf("%d added meanwhile", len(added))
}
