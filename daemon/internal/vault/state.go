package vault

import (
	"crypto/rand"
	"encoding/hex"
)

// newState returns a value of metaState.
func newState() []byte {
	state := make([]byte, 16)
	rand.Read(state) // does not fail: it ends the process instead
	return state
}

// renews says whether the change is one of entries or key slots, or counts like
// one. What else the daemon notes for itself, and the time, is none.
func (tx *Tx) renews() bool {
	return tx.renewed || len(tx.puts[string(bucketEntry)])+len(tx.puts[string(bucketSlot)]) > 0
}

// Renew makes the change count like one of entries: State is another one after
// it, and so a backup is due. It goes with a record that may be the only place of
// what it holds.
func (tx *Tx) Renew() { tx.renewed = true }

// State names the state of entries and key slots, in hex: it is another one
// after each change of them, or that Renew made count, and the same in each copy. It is empty until the
// first change that a release with backups has made.
func (v *Vault) State() (string, error) {
	k, err := v.unlocked()
	if err != nil {
		return "", err
	}
	defer k.release()
	state, err := v.readMeta(k, metaState)
	return hex.EncodeToString(state), err
}
