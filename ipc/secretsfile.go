package ipc

// What becomes of open2fa's secrets.json: the values of the setting secrets_file.
const (
	ModeWatch  = "watch"  // its rows are taken into the vault; it is never written
	ModeSeal   = "seal"   // then it is emptied
	ModeMirror = "mirror" // it and the vault are kept equal, both ways
)

// Why a mirror stands still: what changed in the file would remove too much. See
// SecretsFileStatus.Held.
const (
	HeldMissing = "missing" // there is no file
	HeldInvalid = "invalid" // it is empty, half written, or something else
	HeldDropped = "dropped" // more than half its rows, or all, went at once
)

// SecretsFileStatus says what was last seen in open2fa's secrets.json.
type SecretsFileStatus struct {
	Path     string       `json:"path"`
	Target   string       `json:"target,omitempty"` // where the path leads, if it is a symbolic link
	Mode     string       `json:"mode"`             // watch, seal, mirror
	Present  bool         `json:"present"`
	Rows     int          `json:"rows"`                // good rows in the file as last taken
	Problem  string       `json:"problem,omitempty"`   // why the whole file was left alone, or not written
	Held     string       `json:"held,omitempty"`      // in mode mirror: why nothing is changed on either side
	Dropped  int          `json:"dropped,omitempty"`   // entries that Held keeps from the trash
	Rejected []RowProblem `json:"rejected,omitempty"`  // rows that were left alone, a hundred at most
	TakenAt  string       `json:"taken_at,omitempty"`  // RFC 3339 of the last complete look
	NeedLook bool         `json:"need_look,omitempty"` // it is read when the vault is unlocked
}

// RowProblem names one row of secrets.json by its position, first is 1.
type RowProblem struct {
	Position int    `json:"position"`
	Reason   string `json:"reason"`
}

// SecretsFile is the reply to GET /v1/secrets-file: all that there is to say.
type SecretsFile struct {
	SecretsFileStatus
	InClear bool `json:"in_clear"` // secrets, or rows that may be some, stand in it
	Open    bool `json:"open"`     // the vault is; else what follows is not known
	// Mirrored counts the entries that the file can hold: totp, SHA1, 6 digits, 30
	// seconds. Unmirrored are the others, a hundred at most, and Others their number.
	Mirrored   int          `json:"mirrored"`
	Others     int          `json:"others,omitempty"`
	Unmirrored []Unmirrored `json:"unmirrored,omitempty"`
	// UUID says where open2fa's UUID is kept: any of environment, file, vault.
	UUID []string `json:"uuid,omitempty"`
	// UUIDProblem says why open2fa.uuid was left as it is.
	UUIDProblem string `json:"uuid_problem,omitempty"`
}

// Unmirrored is an entry that open2fa has no place for.
type Unmirrored struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Reason string `json:"reason"` // such as 8 digits
}

// SecretsFileRequest sets the mode, and looks at the file at once.
type SecretsFileRequest struct {
	Mode string `json:"mode,omitempty"` // none leaves it as it is
	// Accept takes what Held keeps from happening: in mode mirror, that the entries
	// whose rows left go to the trash. In mode seal, that the UUID of open2fa.uuid
	// takes the place of another one in the vault.
	Accept bool `json:"accept,omitempty"`
}
