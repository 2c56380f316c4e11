package ipc

// SlotsRequest changes the key slots, all of it or nothing. A slot that is removed
// costs a new vault key: everything is sealed anew.
type SlotsRequest struct {
	Add        string   `json:"add,omitempty"`        // keyring, passphrase, keyfile, credential or recovery; none adds none
	Passphrase string   `json:"passphrase,omitempty"` // for a new slot of type passphrase
	Credential string   `json:"credential,omitempty"` // for a new slot of type credential: its name
	Remove     []string `json:"remove,omitempty"`     // ids
}

// SlotsReply holds the vault as it is opened now.
type SlotsReply struct {
	Vault VaultStatus `json:"vault"`
	Added *Slot       `json:"added,omitempty"`
	// RecoveryCode is the code of a new slot of type recovery. It is shown this
	// once and stored nowhere.
	RecoveryCode string `json:"recovery_code,omitempty"`
	// Left says which key of a removed slot could not be deleted. It opens
	// nothing but old copies of the vault.
	Left []Left `json:"left,omitempty"`
	// OldBackups names the profile's backups that a slot opens which the vault does
	// not have any more.
	OldBackups []string `json:"old_backups,omitempty"`
}
