package vault

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// List returns the summaries of all live entries, sorted by folded name, then
// id. The slice is shared: it must not be changed. The first call opens every
// summary; later ones, until Lock, cost nothing but to bring it up to date with
// the changes since, which so need not do it one by one.
func (v *Vault) List() ([]Summary, error) {
	k, err := v.unlocked()
	if err != nil {
		return nil, err
	}
	defer k.release()
	v.mu.RLock()
	list, since, changes := v.list, maps.Clone(v.since), v.changes
	v.mu.RUnlock()
	switch {
	case list == nil:
		if list, err = v.readSummaries(k, bucketSummary); err != nil {
			return nil, err
		}
		slices.SortFunc(list, compareSummaries)
	case len(since) == 0:
		return list, nil
	default:
		list = merged(list, since)
	}
	v.mu.Lock()
	// A change since then may or may not be in what was read.
	current, whole := v.keys == k && v.changes == changes, len(list) == v.live
	if current && whole {
		v.list, v.since = list, nil
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

// merged returns a sorted list brought up to date with what has changed. The old
// one is left as it is, since callers of List may hold it.
func merged(list []Summary, changed map[ID]*Summary) []Summary {
	fresh := make([]Summary, 0, len(changed))
	for _, s := range changed {
		if s != nil {
			fresh = append(fresh, *s)
		}
	}
	slices.SortFunc(fresh, compareSummaries)
	out := make([]Summary, 0, len(list)+len(fresh))
	for i := range list {
		s := &list[i]
		if _, gone := changed[s.ID]; gone {
			continue
		}
		for len(fresh) > 0 && compareSummaries(fresh[0], *s) < 0 {
			out, fresh = append(out, fresh[0]), fresh[1:]
		}
		out = append(out, *s)
	}
	return append(out, fresh...)
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
	list := make([]Summary, 0, v.expected(bucket))
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

// expected returns how many summaries a bucket seems to hold, for a list that
// need not be moved while it grows.
func (v *Vault) expected(bucket []byte) int {
	live, trashed := v.Count()
	if bytes.Equal(bucket, bucketTrash) {
		return trashed
	}
	return live
}

// folded returns s with what sorting and searching compare.
func (s Summary) folded() Summary {
	s.foldedName, s.foldedIssuer, s.foldedAccount = Fold(s.Name), Fold(s.Issuer), Fold(s.Account)
	return s
}

// HasPrefix reports whether the name begins with a folded text. s is from a list.
func (s *Summary) HasPrefix(folded string) bool { return strings.HasPrefix(s.foldedName, folded) }

// Contains reports whether a folded text is part of name, issuer, account or a
// tag. s is from a list.
func (s *Summary) Contains(folded string) bool {
	return s.named(folded) ||
		slices.ContainsFunc(s.Tags, func(tag string) bool { return strings.Contains(Fold(tag), folded) })
}

// named is Contains without the tags.
func (s *Summary) named(folded string) bool {
	return strings.Contains(s.foldedName, folded) || strings.Contains(s.foldedIssuer, folded) ||
		strings.Contains(s.foldedAccount, folded)
}

// compareSummaries orders a list.
func compareSummaries(a, b Summary) int {
	if byName := strings.Compare(a.foldedName, b.foldedName); byName != 0 {
		return byName
	}
	return bytes.Compare(a.ID[:], b.ID[:])
}
