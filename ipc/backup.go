package ipc

// Paths of the backups.
const (
	PathBackups       = "/v1/backups"         // GET → Backups
	PathBackupCreate  = "/v1/backups/create"  // POST BackupCreateRequest → BackupCreated
	PathBackupVerify  = "/v1/backups/verify"  // POST BackupVerifyRequest → BackupVerified
	PathBackupCompare = "/v1/backups/compare" // POST BackupRequest → BackupComparison
	PathBackupRestore = "/v1/backups/restore" // POST BackupRestoreRequest → BackupRestored
	PathBackupRemake  = "/v1/backups/remake"  // POST → BackupRemade
)

// Backup is one backup, as far as it tells of itself.
type Backup struct {
	Name string `json:"name"` // of the file
	Path string `json:"path"` // absolute
	Made string `json:"made"` // RFC 3339; empty for a mere copy of a vault
	Size int64  `json:"size"` // bytes
	// Vault is the beginning of the id of its vault, 8 hex digits.
	Vault string `json:"vault"`
	// Opens says that the key of the open vault is that of the backup, too. Only
	// then the next three are known.
	Opens   bool   `json:"opens,omitempty"`
	Entries int    `json:"entries,omitempty"`
	Trashed int    `json:"trashed,omitempty"`
	Release string `json:"release,omitempty"` // of the o2fa that made it
	// Slots are the key slots that open it, and Former the ids of those that the
	// vault of now does not have any more.
	Slots   []Slot   `json:"slots,omitempty"`
	Former  []string `json:"former,omitempty"`
	Problem *Error   `json:"problem,omitempty"` // why it cannot be used
}

// Backups lists the backups of a profile, the newest first.
type Backups struct {
	Dir     string   `json:"dir"`
	Keep    int      `json:"keep"` // how many stay, by the configuration; 0 means that none is made
	Backups []Backup `json:"backups"`
}

// BackupsStatus is what status says of the backups.
type BackupsStatus struct {
	Dir     string `json:"dir"`
	Keep    int    `json:"keep"`
	Count   int    `json:"count"`             // of this vault
	Newest  string `json:"newest,omitempty"`  // RFC 3339; each was verified when it was made
	Pending bool   `json:"pending,omitempty"` // there is a change that is in none yet
	Problem string `json:"problem,omitempty"` // why the last one could not be made
}

// BackupCreateRequest makes a backup now.
type BackupCreateRequest struct {
	// To is an absolute path of a file that does not exist; none means the
	// profile's own backups.
	To string `json:"to,omitempty"`
}

// BackupCreated holds what was made, and verified.
type BackupCreated struct {
	Backup  Backup   `json:"backup"`
	Removed []string `json:"removed,omitempty"` // names of older ones that were too many
}

// BackupRequest names a backup: one of the profile's by its name, or the
// beginning of it, or any by its path. Passphrase, which may be a recovery code,
// is that of the backup's time; without it the keys at hand are tried.
type BackupRequest struct {
	Name       string `json:"name,omitempty"` // none, and no path: the newest
	Path       string `json:"path,omitempty"` // absolute
	Passphrase string `json:"passphrase,omitempty"`
}

// BackupVerifyRequest proves that one backup, or all, can be restored.
type BackupVerifyRequest struct {
	BackupRequest
	All bool `json:"all,omitempty"`
}

// BackupVerified has a report for each backup that was asked for.
type BackupVerified struct {
	Backups []BackupReport `json:"backups"`
}

// BackupReport says what became of a verification. It failed if Problem says so.
type BackupReport struct {
	Backup
	Sealed   bool `json:"sealed"`             // the seal covers every byte
	Versions int  `json:"versions"`           // earlier versions of entries that open
	Codes    int  `json:"codes"`              // entries, in the trash too, that yielded a code
	NoCodes  int  `json:"no_codes,omitempty"` // entries of a kind that yields none in this release
}

// BackupComparison is what a restore would do to the vault of now.
type BackupComparison struct {
	Backup BackupReport `json:"backup"`
	// Seen stands for the backup and the vault as they were compared; a restore
	// wants it, so that nobody restores over what they have not seen.
	Seen  string `json:"seen"`
	State State  `json:"state"` // of the vault of now
	// SameVault says that the vault of now is the one that the backup is of.
	SameVault bool `json:"same_vault"`
	// Compared says that the vault of now could be read: only then the rest is known.
	Compared   bool     `json:"compared"`
	Lost       int      `json:"lost"`                  // entries that only the vault of now has
	Older      int      `json:"older"`                 // entries that were edited since
	Back       int      `json:"back"`                  // entries that only the backup has
	Same       int      `json:"same"`                  // entries that are the same in both
	LostNames  []string `json:"lost_names,omitempty"`  // ten at most, as the next two
	OlderNames []string `json:"older_names,omitempty"` //
	BackNames  []string `json:"back_names,omitempty"`  //
	Counters   int      `json:"counters"`              // hotp entries of the backup whose counter of now cannot be known
}

// BackupRestoreRequest puts a backup in the place of the vault.
type BackupRestoreRequest struct {
	BackupRequest
	Seen string `json:"seen"` // of the comparison
}

// BackupRestored tells what was done.
type BackupRestored struct {
	Backup   BackupReport `json:"backup"`
	State    State        `json:"state"`              // of the vault now
	Kept     string       `json:"kept,omitempty"`     // path of the vault of before, or of a backup that holds it; none if there was none
	Counters int          `json:"counters,omitempty"` // hotp entries that keep their counter, which was ahead
	// OtherVault says that the vault of before was another one. Its keys stay where
	// they are.
	OtherVault bool `json:"other_vault,omitempty"`
}

// BackupRemade tells what became of backups that former key slots open.
type BackupRemade struct {
	Backup  *Backup  `json:"backup,omitempty"` // the new one; none if nothing had to be remade
	Removed []string `json:"removed"`
}
