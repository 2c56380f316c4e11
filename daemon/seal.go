package daemon

import (
	"errors"

	"github.com/o2fa/o2fa/daemon/internal/secretsfile"
	"github.com/o2fa/o2fa/daemon/internal/vault"
)

// Reasons why a row stays in a file that is to be emptied.
const (
	keptKeys    = "it has keys besides secret and name, which would be lost"
	keptPurged  = "its entry was removed from the vault for good, and this may be its last copy"
	keptAnother = "the vault has another secret for it"
)

// seal takes the file in, and then empties it of every row whose secret it has
// read back from the vault. It returns the rows that stay though they are good.
func (in *intake) seal(v *vault.Vault, data []byte, file secretsfile.File) (t *taker, kept []secretsfile.Problem, err error) {
	if t, err = takeRows(v, file, data, pieceRows); err != nil {
		return t, nil, err
	}
	// Rows that an earlier process has taken may be in the file of the vault and
	// not on the disk yet, where it was killed just then. This stores them.
	if err := v.Update("", func(*vault.Tx) error { return nil }); err != nil {
		return t, nil, err
	}
	edits := map[int]secretsfile.Edit{}
	for i, row := range file.Rows {
		if t.entries[i] == (vault.ID{}) {
			continue // refused by the vault, which is told
		}
		why, err := readBack(v, t.entries[i], row)
		if err != nil {
			return t, kept, err
		}
		if why != "" {
			kept = append(kept, secretsfile.Problem{Position: row.Position, Reason: why})
			continue
		}
		edits[row.Position] = secretsfile.Edit{Drop: true}
	}
	t.stand = len(kept)
	if len(edits) == 0 {
		return t, kept, nil
	}
	out, err := secretsfile.Rewrite(data, edits, nil)
	if err != nil {
		return t, kept, err
	}
	defer clear(out)
	if err := secretsfile.Replace(in.path, data, out, 0); err != nil {
		return t, kept, err
	}
	t.out(edits)
	in.log.Info("emptied secrets file", "rows", len(edits), "left", len(file.Rows)+len(file.Problems)-len(edits))
	return t, kept, nil
}

// readBack says why the vault cannot stand for a row; empty if it can: the row's
// entry, live or in the trash, or an earlier version of it, has that very secret.
func readBack(v *vault.Vault, id vault.ID, row secretsfile.Row) (why string, err error) {
	if row.Extra {
		return keptKeys, nil
	}
	e, err := v.Get(id)
	if errors.Is(err, vault.ErrNotFound) {
		return keptPurged, nil
	}
	if err != nil {
		return "", err
	}
	defer e.Wipe()
	if e.Secret.Equal(row.Secret) {
		return "", nil
	}
	versions, err := v.History(id)
	same := false
	for _, version := range versions {
		same = same || version.Secret.Equal(row.Secret)
		version.Wipe()
	}
	if err != nil || same {
		return "", err
	}
	return keptAnother, nil
}
