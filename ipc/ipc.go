// Package ipc owns the words of the local API: paths, headers, requests,
// replies and error codes, as docs/local-api.md describes them. Daemon and
// clients both speak from here. It knows neither how a request travels (package
// socket and package client) nor what the daemon does with it.
package ipc

// Version is the number of the API itself. Equal numbers talk, whatever the
// releases; a client that needs a higher one asks the daemon to hand over.
const Version = 1

// Headers that every request and every reply carries.
const (
	HeaderVersion = "O2fa-Api"     // the sender's API Version, decimal
	HeaderRelease = "O2fa-Release" // the sender's release, such as 0.1.0
	HeaderProfile = "O2fa-Profile" // the sender's profile id; a mismatch is an error
)

// Paths of the API. Names travel in queries and bodies, never in paths.
const (
	PathStatus      = "/v1/status"         // GET → Status
	PathInit        = "/v1/init"           // POST InitRequest → InitReply
	PathLock        = "/v1/lock"           // POST → Status
	PathUnlock      = "/v1/unlock"         // POST UnlockRequest → Status
	PathSlots       = "/v1/slots"          // POST SlotsRequest → SlotsReply
	PathEntries     = "/v1/entries"        // GET ?search=&tag=&pinned=true&prefix=&limit=&secrets=true → Entries; POST AddRequest → AddReply
	PathFind        = "/v1/entries/find"   // POST FindRequest → Entries
	PathEdit        = "/v1/entries/edit"   // POST EditRequest → EditReply
	PathDelete      = "/v1/entries/delete" // POST DeleteRequest → DeleteReply
	PathEntry       = "/v1/entry"          // GET ?name=&secrets=true → EntryDetail
	PathCode        = "/v1/code"           // POST ?name=&min_valid= → Code, or text/plain
	PathCodes       = "/v1/codes"          // GET, as PathEntries → Codes
	PathTrash       = "/v1/trash"          // GET → Entries, the last trashed first
	PathRestore     = "/v1/trash/restore"  // POST RestoreRequest → RestoreReply
	PathEmpty       = "/v1/trash/empty"    // POST EmptyRequest → EmptyReply
	PathUndo        = "/v1/undo"           // POST → UndoReply
	PathConfig      = "/v1/config"         // GET ?key= → Config; POST ConfigRequest → Config
	PathReset       = "/v1/reset"          // GET → ResetReply, as it would be; POST ResetRequest → ResetReply; the daemon ends after it
	PathSecretsFile = "/v1/secrets-file"   // GET → SecretsFile; POST SecretsFileRequest → SecretsFile
	PathShutdown    = "/v1/shutdown"       // POST ShutdownRequest → empty object
)

// Bounds of the API, in bytes. The daemon refuses what is larger with CodeTooLarge.
const (
	MaxRequestBody = 1 << 20   // one MiB
	MaxReplyBody   = 256 << 20 // what a client is ready to read: 100,000 entries with room
)

// State is what the daemon can do at the moment.
type State string

// The states of the daemon. It answers status in each of them.
const (
	StateUninitialized State = "uninitialized" // no vault yet; the first change or init makes it
	StateLocked        State = "locked"        // the vault key is not in memory
	StateWaiting       State = "waiting"       // the keyring, or a person in front of it, is asked
	StateReady         State = "ready"         // codes are served
	StateFailed        State = "failed"        // the vault cannot be used; Problem says why
)

// Status is the reply to GET /v1/status.
type Status struct {
	State   State  `json:"state"`
	Problem *Error `json:"problem,omitempty"` // what is wrong, if anything is; always in StateFailed
	LockStatus
	Release     string             `json:"release"`
	API         int                `json:"api"`
	PID         int                `json:"pid"`
	Started     string             `json:"started"` // RFC 3339, UTC
	Executable  string             `json:"executable"`
	Profile     string             `json:"profile"` // id
	Dir         string             `json:"dir"`     // OPEN2FA_DIR, absolute
	Socket      string             `json:"socket"`
	Log         string             `json:"log,omitempty"`
	Vault       *VaultStatus       `json:"vault,omitempty"`
	SecretsFile *SecretsFileStatus `json:"secrets_file,omitempty"`
	Backups     *BackupsStatus     `json:"backups,omitempty"`
	Account     *Account           `json:"account,omitempty"`
	APIURL      string             `json:"api_url,omitempty"` // OPEN2FA_API_URL as the daemon sees it
	Warnings    []Warning          `json:"warnings,omitempty"`
}

// VaultStatus says what the vault is, without opening a record.
type VaultStatus struct {
	ID       string `json:"id"`      // 32 hex digits
	Path     string `json:"path"`    // vault.db
	Format   int    `json:"format"`  // of the file
	Entries  int    `json:"entries"` // not in the trash; 0 while locked, see State
	Trashed  int    `json:"trashed"`
	Slots    []Slot `json:"slots"`
	ReadOnly bool   `json:"read_only,omitempty"` // the file system refuses writes
}

// Slot is one wrapping of the vault key.
type Slot struct {
	ID        string `json:"id"`
	Type      string `json:"type"`              // keyring, passphrase, keyfile, credential, recovery
	Path      string `json:"path,omitempty"`    // of a key file
	Missing   bool   `json:"missing,omitempty"` // the key file is not there, or the keyring had no key when last asked
	Protected bool   `json:"protected"`         // false: whoever reads the file has the key
	// Credential is the name of a systemd credential.
	Credential string `json:"credential,omitempty"`
}

// Account is open2fa's identity of this profile, from OPEN2FA_UUID, from
// open2fa.uuid, or from the vault. Without secrets=true all three are masked to first character
// and three dots.
type Account struct {
	UUID   string `json:"uuid"`
	ID     string `json:"id"`
	Secret string `json:"secret"`
	Source string `json:"source"` // OPEN2FA_UUID, the file's path, or vault
}

// Warning is a thing to mend that stops nothing.
type Warning struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// InitRequest makes the vault.
type InitRequest struct {
	Keystore   string   `json:"keystore,omitempty"`   // auto, keyring, passphrase, keyfile, credential; none means the daemon's own
	Passphrase string   `json:"passphrase,omitempty"` // for keystore passphrase
	Recovery   bool     `json:"recovery,omitempty"`   // with a recovery code as its second slot
	Desktop    *Desktop `json:"desktop,omitempty"`
}

// InitReply tells what was made.
type InitReply struct {
	Vault VaultStatus `json:"vault"`
	Taken int         `json:"taken"` // entries taken in from secrets.json
	// RecoveryCode is shown this once and stored nowhere.
	RecoveryCode string `json:"recovery_code,omitempty"`
}

// UnlockRequest opens the vault. Without a passphrase the slots that need none
// are tried.
type UnlockRequest struct {
	Passphrase string   `json:"passphrase,omitempty"` // or a recovery code
	Desktop    *Desktop `json:"desktop,omitempty"`
}

// Entry is one account that yields codes. Secret is empty unless the request
// said secrets=true.
type Entry struct {
	ID        string   `json:"id"`   // 32 hex digits
	Type      string   `json:"type"` // totp, hotp
	Name      string   `json:"name"`
	Issuer    string   `json:"issuer,omitempty"`
	Account   string   `json:"account,omitempty"`
	Algorithm string   `json:"algorithm"` // SHA1, SHA256, SHA512
	Digits    int      `json:"digits"`
	Period    int      `json:"period,omitempty"`  // seconds
	Counter   *uint64  `json:"counter,omitempty"` // hotp: of the next code
	Tags      []string `json:"tags,omitempty"`
	Pinned    bool     `json:"pinned,omitempty"`
	Source    string   `json:"source"`           // where it came from: added, secrets.json
	Mask      string   `json:"mask"`             // I...E: first and last base32 character of the secret
	Secret    string   `json:"secret,omitempty"` // base32
	Created   string   `json:"created"`          // RFC 3339
	Updated   string   `json:"updated"`
	Trashed   string   `json:"trashed,omitempty"` // RFC 3339; of an entry in the trash
	// KeptUntil is when an entry in the trash is removed for good, if it is not
	// brought back; RFC 3339, empty for never. The daemon may be late, never early.
	KeptUntil string `json:"kept_until,omitempty"`
}

// Entries is a list of entries: the pinned ones first, both parts sorted by
// folded name, then id.
type Entries struct {
	Entries []Entry `json:"entries"`
	Total   int     `json:"total"` // entries that matched, those beyond a limit too
}

// EntryDetail is all that there is to say of one entry. Asking for it is no
// change: the counter of an hotp entry stays where it is.
type EntryDetail struct {
	Entry
	Note string `json:"note,omitempty"`
	// URI is the entry as otpauth:// URI, with its secret; only with secrets=true.
	URI      string `json:"uri,omitempty"`
	Versions int    `json:"versions"`          // earlier versions that the vault keeps
	InFile   bool   `json:"in_file,omitempty"` // secrets.json holds its secret in clear
	// FileFollows says that secrets.json is a mirror, which will be as the entry is.
	FileFollows bool `json:"file_follows,omitempty"`
}

// EditRequest changes the fields that are given; the others stay. The version
// before is kept, and undo brings it back.
type EditRequest struct {
	ID        string    `json:"id"` // 32 hex digits
	Name      *string   `json:"name,omitempty"`
	Issuer    *string   `json:"issuer,omitempty"`
	Account   *string   `json:"account,omitempty"`
	Note      *string   `json:"note,omitempty"`
	Tags      *[]string `json:"tags,omitempty"` // replaces all; may be empty
	AddTags   []string  `json:"add_tags,omitempty"`
	DropTags  []string  `json:"drop_tags,omitempty"`
	Pinned    *bool     `json:"pinned,omitempty"`
	Secret    *string   `json:"secret,omitempty"`    // base32 as people paste it
	Type      *string   `json:"type,omitempty"`      // totp, hotp
	Algorithm *string   `json:"algorithm,omitempty"` // SHA1, SHA256, SHA512
	Digits    *int      `json:"digits,omitempty"`    // 6 to 10
	Period    *int      `json:"period,omitempty"`    // seconds; totp
	Counter   *uint64   `json:"counter,omitempty"`   // of the next code; hotp
}

// EditReply holds the entry as it is now.
type EditReply struct {
	Entry   EntryDetail `json:"entry"`
	Changed []string    `json:"changed"` // fields that are different now, by their names in EditRequest; may be empty
	// SameName counts the entries that have this name now, as in AddReply.
	SameName int `json:"same_name"`
}

// RestoreRequest brings entries back from the trash, all or none.
type RestoreRequest struct {
	IDs []string `json:"ids"`
}

// RestoreReply holds what was brought back.
type RestoreReply struct {
	Restored []Entry `json:"restored"`
}

// EmptyRequest removes entries from the trash for good, with their history.
type EmptyRequest struct {
	IDs []string `json:"ids,omitempty"` // none means all that are in the trash
}

// EmptyReply tells what was removed.
type EmptyReply struct {
	Removed int `json:"removed"`
}

// AddRequest adds one entry. Either Words or URI is set, or Secret.
type AddRequest struct {
	// Words are one or two arguments as a person types them: a base32 secret or
	// an otpauth URI, and a name, in either order. The first that is a valid
	// secret is the secret.
	Words     []string `json:"words,omitempty"`
	Secret    string   `json:"secret,omitempty"` // base32 as people paste it
	URI       string   `json:"uri,omitempty"`    // otpauth://
	Name      string   `json:"name,omitempty"`
	Issuer    string   `json:"issuer,omitempty"`
	Account   string   `json:"account,omitempty"`
	Type      string   `json:"type,omitempty"`      // default totp
	Algorithm string   `json:"algorithm,omitempty"` // default SHA1
	Digits    int      `json:"digits,omitempty"`    // default 6
	Period    int      `json:"period,omitempty"`    // default 30
	Counter   uint64   `json:"counter,omitempty"`
	Tags      []string `json:"tags,omitempty"`
	Note      string   `json:"note,omitempty"`
	Pinned    bool     `json:"pinned,omitempty"`
	// Keystore says how the vault is keyed if this change makes it; see InitRequest.
	Keystore string `json:"keystore,omitempty"`
}

// AddReply holds the entry as stored.
type AddReply struct {
	Entry   Entry `json:"entry"`
	Total   int   `json:"total"`   // entries now
	Existed bool  `json:"existed"` // the very same entry was there; nothing changed
	// SameName counts the entries that have this name now, in any case, with
	// this one. Above 1 the name alone no longer yields a code.
	SameName int `json:"same_name"`
}

// FindRequest finds entries by exact name, by secret, or by both. It is how
// "delete -s SECRET" learns ids without any secret leaving the daemon.
type FindRequest struct {
	Name   string `json:"name,omitempty"`
	Secret string `json:"secret,omitempty"`
	// Trashed looks into the trash instead; then an id, or its first digits,
	// is a name too.
	Trashed bool `json:"trashed,omitempty"`
}

// DeleteRequest moves entries to the trash, all or none.
type DeleteRequest struct {
	IDs []string `json:"ids"`
}

// DeleteReply tells what was moved.
type DeleteReply struct {
	Deleted int `json:"deleted"`
	// InFile counts deleted entries that secrets.json still holds; it is
	// never written in watch mode.
	InFile int `json:"in_file,omitempty"`
}

// Code is one code. For a hotp entry asking is a change: the counter was stored
// before this reply was sent.
type Code struct {
	ID          string  `json:"id"`
	Name        string  `json:"name"`
	Issuer      string  `json:"issuer,omitempty"`
	Type        string  `json:"type"`
	Code        string  `json:"code,omitempty"`         // digits; never empty in the reply to /v1/code
	SecondsLeft float64 `json:"seconds_left,omitempty"` // until the code changes; totp
	ValidUntil  string  `json:"valid_until,omitempty"`  // RFC 3339; totp
	Period      int     `json:"period,omitempty"`       // seconds; totp
	Next        string  `json:"next,omitempty"`         // the code after this one; totp
	Counter     *uint64 `json:"counter,omitempty"`      // hotp: that this code was made from
}

// Codes is the reply to GET /v1/codes: the codes of this moment, in the order of
// Entries. An hotp entry has its counter and no code, since asking would use one up.
type Codes struct {
	Codes []Code `json:"codes"`
	Total int    `json:"total"` // entries that matched, those beyond a limit too
	At    string `json:"at"`    // the moment, RFC 3339
}

// Config is the daemon's configuration as it is in force.
type Config struct {
	Path     string    `json:"path"`              // config.toml
	Present  bool      `json:"present"`           // there is such a file
	Problem  string    `json:"problem,omitempty"` // why the file as it is now is not in force: what, in which line
	Settings []Setting `json:"settings"`          // every key, sorted
}

// Setting is one key of config.toml.
type Setting struct {
	Key     string `json:"key"`
	Value   string `json:"value"` // as "o2fa config set" takes it
	Default string `json:"default"`
	Source  string `json:"source"` // default, config.toml, or the variable that wins over it
	Usage   string `json:"usage"`
}

// ConfigRequest changes config.toml; comments and other keys stay as they are.
type ConfigRequest struct {
	Set   map[string]string `json:"set,omitempty"`
	Unset []string          `json:"unset,omitempty"` // back to the default
}

// UndoReply tells what was undone: the last change that had not been undone yet.
type UndoReply struct {
	Undone string `json:"undone"` // add, delete, edit, restore, secrets-file
	At     string `json:"at"`     // when that change was made, RFC 3339
	Count  int    `json:"count"`  // entries it touched
	// Names of those entries, at most ten.
	Names []string `json:"names"`
}

// ShutdownRequest asks the daemon to end after the requests in flight. With a
// Successor it is a hand-over, granted only to a newer release.
type ShutdownRequest struct {
	Successor string `json:"successor,omitempty"` // release of the o2fad that takes over
}
