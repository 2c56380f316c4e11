package daemon

import (
	"errors"
	"io/fs"

	"github.com/o2fa/o2fa/daemon/internal/secretsfile"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/server/syncapi"
)

// metaUUID is the record that keeps open2fa's UUID: its 16 bytes.
const metaUUID = "account/uuid"

// identity keeps open2fa's UUID, from which every key of an account follows, in
// the vault, and in mode seal nowhere else.
type identity struct{ path string }

// Why open2fa.uuid stays as it is.
var (
	errNoUUID      = errors.New("it holds no UUID")
	errAnotherUUID = errors.New("it holds another UUID than the vault")
)

// read returns what the file holds; nil data where there is no file.
func (i identity) read() (data []byte, uuid syncapi.UUID, err error) {
	data, err = secretsfile.ReadFile(i.path, maxUUIDFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, uuid, nil
	}
	if err != nil {
		return nil, uuid, err
	}
	if uuid, err = syncapi.ParseUUID(string(data)); err != nil {
		return data, uuid, errNoUUID // which does not say what it holds
	}
	return data, uuid, nil
}

// stored returns the UUID that the vault has.
func (identity) stored(v *vault.Vault) (uuid syncapi.UUID, ok bool, err error) {
	record, err := v.Meta(metaUUID)
	if err != nil || len(record) != len(uuid) {
		return uuid, false, err
	}
	return syncapi.UUID(record), true, nil
}

// putUUID stores the UUID. The file may go right after that, so a backup is due.
func putUUID(tx *vault.Tx, uuid syncapi.UUID) error {
	tx.Renew()
	return tx.PutMeta(metaUUID, uuid[:])
}

// take takes the file's UUID into the vault, if that has none, or another one is
// to be replaced. With remove the file goes when the vault has been read back.
func (i identity) take(v *vault.Vault, replace, remove bool) error {
	// What a removal that was interrupted has left is the file's content still.
	left, err := secretsfile.Aside(i.path)
	defer clear(left)
	if err != nil {
		return err
	}
	have, ok, err := i.stored(v)
	if err != nil {
		return err
	}
	if left != nil {
		if uuid, err := syncapi.ParseUUID(string(left)); err != nil || !ok || uuid != have {
			return errAnotherUUID
		}
		if err := secretsfile.DropAside(i.path, left); err != nil {
			return err
		}
	}
	data, uuid, err := i.read()
	defer clear(data)
	if data == nil || err != nil {
		return err
	}
	switch {
	case !ok || replace && have != uuid:
		err = v.Update("", func(tx *vault.Tx) error { return putUUID(tx, uuid) })
	case have != uuid:
		return errAnotherUUID
	case remove: // stored, and perhaps not on the disk yet: see seal
		err = v.Update("", func(*vault.Tx) error { return nil })
	}
	if err != nil || !remove {
		return err
	}
	if have, ok, err = i.stored(v); err != nil || !ok || have != uuid {
		return errors.Join(errAnotherUUID, err)
	}
	return secretsfile.Remove(i.path, data)
}

// putBack writes the file from the vault, as open2fa does, where it is missing.
func (i identity) putBack(v *vault.Vault) error {
	uuid, ok, err := i.stored(v)
	if err != nil || !ok {
		return err
	}
	data, _, err := i.read()
	if data != nil || err != nil {
		clear(data)
		return nil // there is one; take says what is wrong with it
	}
	return secretsfile.Replace(i.path, nil, []byte(uuid.Text()), 0o600)
}
