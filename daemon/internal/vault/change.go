package vault

import (
	"bytes"
	"crypto/rand"
	"errors"
	"maps"
	"math"
	"slices"

	"github.com/o2fa/o2fa/daemon/internal/seal"
)

// Add stores a new entry, whose secrets stay the caller's. Its id is made
// unless it has one already; Created, Updated and Device are set unless they
// are. If a live entry agrees in secret, type, algorithm, digits, period,
// issuer and name, nothing changes: its id is returned and existed is true.
func (tx *Tx) Add(e Entry) (id ID, existed bool, err error) {
	e.complete(tx.now, tx.k.device)
	if err := e.check(); err != nil {
		return ID{}, false, err
	}
	if id, existed, err = tx.duplicate(&e); existed || err != nil {
		return id, existed, err
	}
	if e.ID == (ID{}) {
		rand.Read(e.ID[:]) // does not fail: it ends the process instead
	} else if sealed, err := tx.get(bucketEntry, e.ID[:]); sealed != nil || err != nil {
		return ID{}, false, errors.Join(err, ErrExists)
	}
	if err := tx.put(nil, &e); err != nil {
		return ID{}, false, err
	}
	tx.do(deed{ID: e.ID, Did: didAdd})
	return e.ID, false, nil
}

// duplicate looks for a live entry that is the same as e.
func (tx *Tx) duplicate(e *Entry) (ID, bool, error) {
	if e.Trashed != 0 {
		return ID{}, false, nil
	}
	ids, err := tx.find(bucketSame, tx.k.sameMAC(e))
	if err != nil {
		return ID{}, false, err
	}
	for _, id := range ids {
		other, err := tx.Get(id)
		if err != nil {
			return ID{}, false, indexed(err)
		}
		equal := other.Trashed == 0 && same(e, &other)
		other.Wipe()
		if equal {
			return id, true, nil
		}
	}
	return ID{}, false, nil
}

// Edit lets f change the live entry. What f changes gets a stamp, and the
// version before goes to the entry's history; if f changes nothing, nothing is
// stored. Id, times, device and stamps are not f's to change.
func (tx *Tx) Edit(id ID, f func(e *Entry) error) error {
	was, err := tx.Get(id)
	if err != nil {
		return err
	}
	defer was.Wipe()
	if was.Trashed != 0 {
		return ErrNotFound
	}
	is := was.clone()
	defer func() { is.Wipe() }()
	if err := f(&is); err != nil {
		return err
	}
	return tx.replace(&was, &is)
}

// replace stores the version is after was: stamped, checked, with history and
// journal.
func (tx *Tx) replace(was, is *Entry) error {
	is.ID, is.Created, is.Updated, is.Device = was.ID, was.Created, was.Updated, was.Device
	is.Trashed, is.unknown = was.Trashed, was.unknown
	is.Stamps = maps.Clone(was.Stamps)
	is.normalize()
	fields := differ(was, is)
	if len(fields) == 0 {
		return nil
	}
	check := is.check
	if is.Type == was.Type && is.Algorithm == was.Algorithm && is.Digits == was.Digits && is.Period == was.Period {
		check = is.checkBounds // an entry of a newer o2fa can still be renamed
	}
	if err := check(); err != nil {
		return err
	}
	number, err := tx.keep(was)
	if err != nil {
		return err
	}
	tx.stamp(is, fields...)
	if err := tx.put(was, is); err != nil {
		return err
	}
	tx.do(deed{ID: is.ID, Did: didEdit, Version: number, Fields: fields})
	return nil
}

// differ returns the fields in which two versions of an entry differ.
func differ(a, b *Entry) (fields []Field) {
	for _, f := range []struct {
		name Field
		same bool
	}{
		{FieldName, a.Name == b.Name}, {FieldIssuer, a.Issuer == b.Issuer}, {FieldAccount, a.Account == b.Account},
		{FieldSecret, sameSecret(a, b)}, {FieldCounter, a.Counter == b.Counter}, {FieldPIN, a.PIN.Equal(b.PIN)},
		{FieldTags, slices.Equal(a.Tags, b.Tags)}, {FieldNote, a.Note == b.Note}, {FieldPinned, a.Pinned == b.Pinned},
	} {
		if !f.same {
			fields = append(fields, f.name)
		}
	}
	return fields
}

// stamp marks fields as edited now: later than every stamp that the record
// has, whatever the clocks, as this edit was made after seeing them.
func (tx *Tx) stamp(e *Entry, fields ...Field) {
	ms := max(tx.now, e.Created+1)
	for _, s := range e.Stamps {
		ms = max(ms, s.MS+1)
	}
	ms = min(ms, maxMillis) // beyond which nothing reads it
	if e.Stamps == nil {
		e.Stamps = make(map[Field]Stamp)
	}
	for _, f := range fields {
		e.Stamps[f] = Stamp{ms, tx.k.device}
	}
	e.Updated = tx.now
}

// keep puts a version into the entry's history and returns its number.
func (tx *Tx) keep(e *Entry) (uint64, error) {
	next, known := tx.history[e.ID]
	if !known {
		err := tx.v.write(func() error {
			c := tx.bolt.Bucket(bucketHistory).Cursor()
			for key, _ := c.Seek(e.ID[:]); bytes.HasPrefix(key, e.ID[:]); key, _ = c.Next() {
				next++
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	tx.history[e.ID] = next + 1
	tx.plain = e.AppendJSON(tx.plain[:0])
	tx.set(bucketHistory, historyKey(e.ID, next), tx.seal(seal.VaultHistory, e.ID[:]))
	return next, nil
}

// Step takes the next code of a live hotp entry: f is given the entry, and the
// counter of the code, and computes it into variables of the caller's. It keeps
// neither e nor its secrets, and must not use the Vault. If f returns an error,
// so does Step, and no counter is spent. Else the counter is moved on and
// stored: the code may be shown when Step has returned nil, not before, as it
// could come a second time. A step cannot be undone and leaves no history.
func (v *Vault) Step(id ID, f func(e *Entry, counter uint64) error) error {
	return v.Update("", func(tx *Tx) error {
		was, err := tx.Get(id)
		if err != nil {
			return err
		}
		defer was.Wipe()
		switch {
		case was.Trashed != 0:
			return ErrNotFound
		case was.Type != "hotp":
			return invalid("only hotp has a counter")
		case was.Counter == math.MaxUint64:
			return invalid("the counter has no next value")
		}
		is := was.clone()
		defer is.Wipe()
		is.Counter++
		if err := tx.put(&was, &is); err != nil {
			return err
		}
		return f(&is, was.Counter)
	})
}
