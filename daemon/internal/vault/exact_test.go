package vault

import (
	"errors"
	"fmt"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// code takes what a code needs: where the name leads, and the secret there, with
// nothing remembered of before.
func code(v *Vault, name string) error {
	k, err := v.unlocked()
	if err != nil {
		return err
	}
	defer k.release()
	k.recent.empty()
	s, err := v.Resolve(name)
	if err != nil {
		return err
	}
	return v.OpenSecret(s.ID, func(*Entry) error { return nil })
}

// TestCodeOpensOneEntry damages every record of every other entry: a code by an
// exact name comes all the same, so it opens none of them, however many there are.
func TestCodeOpensOneEntry(t *testing.T) {
	const n = 1000
	v := newVault(t)
	fill(t, v, n)
	name := fmt.Sprintf("Service%06d:alice@example.com", n/2)
	s, err := v.Resolve(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	alter(t, v.path, func(tx *bolt.Tx) error {
		for _, bucket := range [][]byte{bucketEntry, bucketSummary} {
			b := tx.Bucket(bucket)
			err := b.ForEach(func(id, _ []byte) error {
				if ID(id) == s.ID {
					return nil
				}
				return b.Put(id, []byte("damaged"))
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	v = openVault(t, v.path, Options{})
	if err := code(v, name); err != nil {
		t.Error(err)
	}
	if err := code(v, "Service000007:alice@example.com"); !errors.Is(err, ErrCorrupt) {
		t.Errorf("of a damaged entry: %v", err)
	}
	if _, err := v.List(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a list of damaged entries: %v", err)
	}
}

// TestCodeCostsTheSame counts what a code allocates, with 10 entries and with
// 10,000; a part of a name, for which the list is read, shows that this tells.
func TestCodeCostsTheSame(t *testing.T) {
	var exact, part [2]float64
	for i, n := range []int{10, 10_000} {
		v := newVault(t)
		fill(t, v, n)
		exact[i] = testing.AllocsPerRun(100, func() {
			if err := code(v, "Service000007:alice@example.com"); err != nil {
				t.Fatal(err)
			}
		})
		part[i] = testing.AllocsPerRun(1, func() {
			v.mu.Lock()
			v.list = nil
			v.mu.Unlock()
			if err := code(v, "000007:alice"); err != nil {
				t.Fatal(err)
			}
		})
	}
	t.Logf("allocations: %v by exact name, %v by a part of it", exact, part)
	// A tree of more levels, and buckets that have outgrown the page that they
	// shared, cost a few more; the race detector drops what is pooled now and then.
	if exact[1] > exact[0]+5 && !raceEnabled {
		t.Errorf("a code of 10,000 entries allocates %.0f times, of 10 %.0f times", exact[1], exact[0])
	}
	if part[1] < 1000*exact[1] {
		t.Errorf("reading 10,000 summaries allocates %.0f times", part[1])
	}
}
