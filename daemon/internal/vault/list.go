package vault

import (
	"bytes"
	"cmp"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// List returns the summaries of all live entries, sorted by folded name, then
// id. The slice is shared: it must not be changed. The first call opens every
// summary; later ones cost nothing until Lock.
func (v *Vault) List() ([]Summary, error) {
	k, err := v.unlocked()
	if err != nil {
		return nil, err
	}
	defer k.release()
	v.mu.RLock()
	list, changes := v.list, v.changes
	v.mu.RUnlock()
	if list != nil {
		return list, nil
	}
	list, err = v.readSummaries(k, bucketSummary)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, compareSummaries)
	v.mu.Lock()
	// A change since then may or may not be in what was read.
	current, whole := v.keys == k && v.changes == changes, len(list) == v.live
	if current && whole {
		v.list = list
	}
	v.mu.Unlock()
	if current && !whole {
		return v.recount(k)
	}
	return list, nil
}

// recount reads the list while nothing is being changed, and holds it against
// the sealed count: a page can be damaged in such a way that it merely seems to
// hold less.
func (v *Vault) recount(k *keys) ([]Summary, error) {
	v.writing.Lock()
	defer v.writing.Unlock()
	list, err := v.readSummaries(k, bucketSummary)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, compareSummaries)
	v.mu.RLock()
	defer v.mu.RUnlock()
	switch {
	case v.keys != k:
		return nil, ErrLocked
	case len(list) != v.live:
		return nil, corrupt("it lists %d entries of %d", len(list), v.live)
	}
	return list, nil
}

// Trash returns the summaries of the entries in the trash, the last trashed
// first.
func (v *Vault) Trash() ([]Summary, error) {
	k, err := v.unlocked()
	if err != nil {
		return nil, err
	}
	defer k.release()
	list, err := v.readSummaries(k, bucketTrash)
	slices.SortFunc(list, func(a, b Summary) int {
		return cmp.Or(cmp.Compare(b.Trashed, a.Trashed), bytes.Compare(a.ID[:], b.ID[:]))
	})
	return list, err
}

// readSummaries opens all summaries of a bucket. The result is not nil.
func (v *Vault) readSummaries(k *keys, bucket []byte) ([]Summary, error) {
	list := []Summary{}
	var plain []byte
	err := v.view(func(tx *bolt.Tx) error {
		return tx.Bucket(bucket).ForEach(func(key, sealed []byte) error {
			if len(key) != len(ID{}) {
				return corrupt("a summary has no id")
			}
			var s Summary
			var err error
			if s, plain, err = k.openSummary(bucket, ID(key), sealed, plain); err != nil {
				return err
			}
			list = append(list, s.folded())
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// folded returns s with what sorting and searching compare.
func (s Summary) folded() Summary {
	s.foldedName, s.foldedIssuer = Fold(s.Name), Fold(s.Issuer)
	return s
}

// compareSummaries orders a list.
func compareSummaries(a, b Summary) int {
	return cmp.Or(cmp.Compare(a.foldedName, b.foldedName), bytes.Compare(a.ID[:], b.ID[:]))
}
