package vault

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Trash moves the live entry to the trash: it is no longer listed or found, and
// comes back by Restore.
func (tx *Tx) Trash(id ID) error { return tx.setTrashed(id, true) }

// Restore brings the entry back from the trash. One that is live stays as it is.
func (tx *Tx) Restore(id ID) error { return tx.setTrashed(id, false) }

func (tx *Tx) setTrashed(id ID, trashed bool) error {
	was, err := tx.Get(id)
	if err != nil {
		return err
	}
	defer was.Wipe()
	switch {
	case trashed && was.Trashed != 0:
		return ErrNotFound
	case !trashed && was.Trashed == 0:
		return nil
	}
	is := was.clone()
	defer is.Wipe()
	did := didRestore
	is.Trashed = 0
	if trashed {
		seen, err := tx.times()
		if err != nil {
			return err
		}
		did = didTrash
		is.Trashed = min(max(tx.now, seen.last, is.Created+1), maxMillis)
	}
	updated := is.Updated
	tx.stamp(&is, FieldTrashed)
	is.Updated = updated // of its content
	if err := tx.put(&was, &is); err != nil {
		return err
	}
	tx.do(deed{ID: id, Did: did})
	return nil
}

// PurgeTrash removes for good what has been in the trash for longer than life,
// history and all, and returns how many entries it were. It cannot be undone. No
// clock is believed that has just jumped, see times: what was trashed before the
// jump counts as trashed at it.
func (v *Vault) PurgeTrash(life time.Duration) (int, error) {
	if !v.Unlocked() {
		return 0, ErrLocked
	}
	if _, trashed := v.Count(); trashed == 0 {
		return 0, nil
	}
	list, err := v.Trash()
	if err != nil {
		return 0, err
	}
	return v.empty(list, func(tx *Tx, s Summary, seen times) bool {
		// By the clock of the change itself: one that was looked at before it may
		// have jumped meanwhile.
		return max(s.Trashed, seen.since) < tx.now-life.Milliseconds()
	})
}

// Empty removes entries from the trash for good, history and all, and returns
// how many it were: those with the given ids, or all if there are none.
// ErrNotFound, and nothing is removed, if one of them is not in the trash. It
// cannot be undone.
func (v *Vault) Empty(ids []ID) (int, error) {
	list, err := v.Trash()
	if err != nil {
		return 0, err
	}
	if len(ids) > 0 {
		wanted := make(map[ID]bool, len(ids))
		for _, id := range ids {
			wanted[id] = true
		}
		list = slices.DeleteFunc(list, func(s Summary) bool { return !wanted[s.ID] })
		if len(list) != len(wanted) {
			return 0, ErrNotFound
		}
	}
	if len(list) == 0 {
		return 0, nil
	}
	return v.empty(list, func(*Tx, Summary, times) bool { return true })
}

// empty removes those of a list of the trash of which gone says so.
func (v *Vault) empty(list []Summary, gone func(*Tx, Summary, times) bool) (n int, err error) {
	err = v.Update("", func(tx *Tx) error {
		seen, err := tx.noteTime()
		if err != nil {
			return err
		}
		for _, s := range list {
			if !gone(tx, s, seen) {
				continue
			}
			removed, err := tx.purge(s.ID)
			if err != nil {
				return err
			}
			n += removed
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// purge removes an entry that is still in the trash.
func (tx *Tx) purge(id ID) (int, error) {
	if sealed, err := tx.get(bucketTrash, id[:]); sealed == nil || err != nil {
		return 0, err
	}
	tx.set(bucketEntry, id[:], nil)
	tx.set(bucketTrash, id[:], nil)
	tx.trashed--
	return 1, tx.v.write(func() error { return tx.forget(tx.bolt, id) })
}

// forget removes the history of an entry.
func (tx *Tx) forget(b *bolt.Tx, id ID) error {
	c := b.Bucket(bucketHistory).Cursor()
	for key, _ := c.Seek(id[:]); bytes.HasPrefix(key, id[:]); key, _ = c.Next() {
		tx.set(bucketHistory, key, nil)
	}
	return nil
}

// A clock may be wrong for a while: it begins in 1970 where no battery drives
// it, and far ahead where somebody mistyped a year. The trash must not be lost
// by that. So the vault remembers the time, and since when it has been going on
// without a jump; only in that span do thirty days pass.
const (
	timeStep = 24 * time.Hour      // how exactly a time is remembered; a clock set back by less did not jump
	timeJump = 30 * 24 * time.Hour // between two changes; less is a vault that was not used
)

// times is the record metaTimes, in Unix milliseconds.
type times struct{ last, since int64 }

// times returns the record, zero if there is none yet.
func (tx *Tx) times() (t times, err error) {
	sealed, err := tx.get(bucketMeta, []byte(metaTimes))
	if err != nil {
		return t, err
	}
	value, err := openMeta(tx.k, metaTimes, sealed)
	if err != nil {
		return t, err
	}
	return parseTimes(value)
}

// parseTimes reads the record; without one it is zero.
func parseTimes(value []byte) (t times, err error) {
	if value == nil {
		return t, nil
	}
	if len(value) != 16 {
		return t, corrupt("it does not say when it was last used")
	}
	t.last, t.since = int64(binary.BigEndian.Uint64(value)), int64(binary.BigEndian.Uint64(value[8:]))
	return t, nil
}

// noteTime brings the record up to the time of this change, and returns it.
func (tx *Tx) noteTime() (times, error) {
	t, err := tx.times()
	if err != nil {
		return t, err
	}
	t, news := t.at(tx.now)
	if news {
		value := binary.BigEndian.AppendUint64(nil, uint64(t.last))
		tx.setMeta(metaTimes, binary.BigEndian.AppendUint64(value, uint64(t.since)))
	}
	return t, nil
}

// at is the record brought up to a time, and whether it differs by that.
func (t times) at(now int64) (_ times, news bool) {
	switch passed := now - t.last; {
	case passed < -timeStep.Milliseconds() || passed > timeJump.Milliseconds():
		t.since = now
	case passed < timeStep.Milliseconds():
		return t, false
	}
	t.last = now
	return t, true
}
