package vault

import (
	"errors"
	"fmt"
	"slices"
)

// RaiseCounters moves the counters of hotp entries on to where they are in from,
// another state of the same entries, and returns how many were behind: a server
// takes no code a second time, so a counter never goes back. It cannot be undone.
func (v *Vault) RaiseCounters(from *Vault) (n int, err error) {
	live, err := v.List()
	if err != nil {
		return 0, err
	}
	trash, err := v.Trash()
	if err != nil {
		return 0, err
	}
	err = v.Update("", func(tx *Tx) error {
		for _, s := range slices.Concat(live, trash) {
			if s.Type != "hotp" {
				continue
			}
			raised, err := tx.raise(s.ID, from)
			if err != nil {
				return err
			}
			if raised {
				n++
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("keeping counters: %w", err)
	}
	return n, nil
}

// raise moves the counter of one entry on.
func (tx *Tx) raise(id ID, from *Vault) (bool, error) {
	other, err := from.Get(id)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer other.Wipe()
	was, err := tx.Get(id)
	if err != nil {
		return false, err
	}
	defer was.Wipe()
	if other.Type != was.Type || !other.Secret.Equal(was.Secret) || other.Counter <= was.Counter {
		return false, nil
	}
	is := was.clone()
	defer is.Wipe()
	is.Counter = other.Counter
	return true, tx.put(&was, &is)
}
