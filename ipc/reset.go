package ipc

// ResetRequest removes the vault and what belongs to it, for good. Vault is its
// id as status tells it, so that nobody removes another one than they saw; empty
// where there is none to name.
type ResetRequest struct {
	Vault   string `json:"vault"`
	Backups bool   `json:"backups,omitempty"` // those go, too
}

// ResetReply tells what is gone and what is still there.
type ResetReply struct {
	Removed []string `json:"removed"` // paths, and other things in words
	Left    []Left   `json:"left"`
}

// Left is something that a reset did not remove.
type Left struct {
	What   string `json:"what"` // a path, or other things in words
	Why    string `json:"why"`
	Failed bool   `json:"failed,omitempty"` // it was to go, and could not be removed
}
