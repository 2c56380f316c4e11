package daemon

import (
	"errors"

	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/ipc"
)

// adopt takes over what must not go back with the entries: counters, which rows
// of secrets.json are known, and open2fa's UUID.
func (d *Daemon) adopt(s *staged, now *vault.Vault, reply *ipc.BackupRestored) error {
	v, err := vault.Open(s.path, vault.Options{Now: d.now})
	if err != nil {
		return err
	}
	defer v.Close()
	if err := v.Unlock(s.slot, s.key); err != nil {
		return err
	}
	if now != nil && now.ID() != v.ID() {
		now = nil
	}
	if now != nil {
		if reply.Counters, err = v.RaiseCounters(now); err != nil {
			return err
		}
	}
	rows, err := restoredRows(v, now)
	if err != nil {
		return err
	}
	keepUUID, err := d.intake.uuid.stays(v, now)
	if err == nil {
		err = v.Update("", func(tx *vault.Tx) error {
			// A mirror begins anew, and so takes nothing away on either side.
			return errors.Join(tx.PutMeta(metaRows, rows), tx.PutMeta(metaFile, nil), tx.PutMeta(metaMirror, nil), keepUUID(tx))
		})
	}
	return errors.Join(err, v.Close())
}

// restoredRows returns the record of the rows of secrets.json for a vault that
// was restored in the place of now, nil where that cannot be read.
//
// A row that the vault of now has and whose entry was deleted there stays known:
// it would bring the entry back. One that only the restored vault knows, by its
// secret, left the file since, and is forgotten: a file that is kept equal to the
// vault would take the restored entry away again. All others are looked at
// anew, which finds entries that are there already.
func restoredRows(v, now *vault.Vault) ([]byte, error) {
	if now == nil {
		return nil, nil
	}
	old, err := v.Meta(metaRows)
	if err != nil {
		return nil, err
	}
	last, err := now.Meta(metaRows)
	if err != nil {
		return nil, err
	}
	var rows []byte
	known, taken := map[[16]byte]bool{}, map[[32]byte]bool{}
	for _, seen := range parseRows(last) {
		known[seen.Secret] = true
		e, err := now.Summary(seen.Entry)
		if err != nil && !errors.Is(err, vault.ErrNotFound) {
			return nil, err
		}
		if err == nil && e.Trashed == 0 {
			continue
		}
		if e, err = v.Summary(seen.Entry); err == nil && e.Trashed == 0 {
			continue // it is restored: the old record has its row
		}
		taken[[32]byte(append(seen.Secret[:], seen.Name[:]...))] = true
		rows = appendSeen(rows, seen)
	}
	for _, seen := range parseRows(old) {
		if known[seen.Secret] && !taken[[32]byte(append(seen.Secret[:], seen.Name[:]...))] {
			rows = appendSeen(rows, seen)
		}
	}
	return rows, nil
}

// stays returns what puts the UUID of the vault of now into the one that was
// restored in its place, where that has none: mode seal may have left it nowhere
// else.
func (i identity) stays(v, now *vault.Vault) (put func(*vault.Tx) error, err error) {
	put = func(*vault.Tx) error { return nil }
	if now == nil {
		return put, nil
	}
	uuid, ok, err := i.stored(now)
	if err != nil || !ok {
		return put, err
	}
	_, has, err := i.stored(v)
	if err == nil && !has {
		put = func(tx *vault.Tx) error { return putUUID(tx, uuid) }
	}
	return put, err
}
