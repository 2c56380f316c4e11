package ipc

import "errors"

// ErrorCode is the stable name of a failure on the wire. Clients branch on it,
// or on its sentinel with errors.Is, never on a message.
type ErrorCode string

// The codes. Each has one sentinel below.
const (
	CodeBadRequest    ErrorCode = "bad_request"    // the request itself is wrong
	CodeInvalid       ErrorCode = "invalid"        // a value in it is: a secret, a URI, a name
	CodeNotFound      ErrorCode = "not_found"      // no entry of that name or id
	CodeAmbiguous     ErrorCode = "ambiguous"      // several; Candidates lists them
	CodeNothing       ErrorCode = "nothing"        // nothing to undo
	CodeLocked        ErrorCode = "locked"         // the vault key is not in memory
	CodeWaiting       ErrorCode = "waiting"        // the keyring is being asked
	CodePassphrase    ErrorCode = "passphrase"     // a passphrase was wrong
	CodeUninitialized ErrorCode = "uninitialized"  // there is no vault yet
	CodeInitialized   ErrorCode = "initialized"    // there is one already
	CodeKeystore      ErrorCode = "keystore"       // no keystore could be used
	CodeOrphan        ErrorCode = "orphan"         // a key without its vault, or a vault without its key
	CodeNewerFormat   ErrorCode = "newer_format"   // the vault was written by a newer o2fa
	CodeCorrupt       ErrorCode = "corrupt"        // the vault is damaged
	CodeReplaced      ErrorCode = "replaced"       // the vault was removed or replaced while it was open
	CodeReadOnly      ErrorCode = "read_only"      // the file system refuses writes
	CodeDiskFull      ErrorCode = "disk_full"      // no room left
	CodeStorage       ErrorCode = "storage"        // another failure of the disk
	CodeRefused       ErrorCode = "refused"        // Origin, Referer, Host, or a hand-over
	CodeTooLarge      ErrorCode = "too_large"      // a body beyond the bound
	CodeProfile       ErrorCode = "profile"        // the daemon serves another profile
	CodeVersion       ErrorCode = "version"        // the daemon's API is too old
	CodeUnavailable   ErrorCode = "unavailable"    // the daemon cannot be reached (made by the client)
	CodeUnknownPath   ErrorCode = "unknown_path"   // no such path
	CodeMethod        ErrorCode = "method"         // no such method there
	CodeInternal      ErrorCode = "internal_error" // a defect; the log has the stack
)

// The sentinels, one for each code.
var (
	ErrBadRequest    = errors.New("bad request")
	ErrInvalid       = errors.New("invalid value")
	ErrNotFound      = errors.New("not found")
	ErrAmbiguous     = errors.New("ambiguous name")
	ErrNothing       = errors.New("nothing to undo")
	ErrLocked        = errors.New("vault is locked")
	ErrWaiting       = errors.New("waiting for the keyring")
	ErrPassphrase    = errors.New("wrong passphrase")
	ErrUninitialized = errors.New("no vault yet")
	ErrInitialized   = errors.New("vault exists already")
	ErrKeystore      = errors.New("no usable keystore")
	ErrOrphan        = errors.New("key and vault do not belong together")
	ErrNewerFormat   = errors.New("vault of a newer format")
	ErrCorrupt       = errors.New("vault is damaged")
	ErrReplaced      = errors.New("vault was removed or replaced")
	ErrReadOnly      = errors.New("file system is read-only")
	ErrDiskFull      = errors.New("disk is full")
	ErrStorage       = errors.New("storage failed")
	ErrRefused       = errors.New("refused")
	ErrTooLarge      = errors.New("too large")
	ErrProfile       = errors.New("daemon of another profile")
	ErrVersion       = errors.New("daemon speaks an older API")
	ErrUnavailable   = errors.New("daemon is not available")
	ErrUnknownPath   = errors.New("unknown path")
	ErrMethod        = errors.New("method not allowed")
	ErrInternal      = errors.New("internal error")
)

// codes pairs every code with its sentinel and its HTTP status: the only place
// where the three meet.
var codes = []struct {
	code     ErrorCode
	sentinel error
	status   int
}{
	{CodeBadRequest, ErrBadRequest, 400},
	{CodeInvalid, ErrInvalid, 422},
	{CodeNotFound, ErrNotFound, 404},
	{CodeAmbiguous, ErrAmbiguous, 409},
	{CodeNothing, ErrNothing, 404},
	{CodeLocked, ErrLocked, 423},
	{CodeWaiting, ErrWaiting, 423},
	{CodePassphrase, ErrPassphrase, 403},
	{CodeUninitialized, ErrUninitialized, 409},
	{CodeInitialized, ErrInitialized, 409},
	{CodeKeystore, ErrKeystore, 503},
	{CodeOrphan, ErrOrphan, 409},
	{CodeNewerFormat, ErrNewerFormat, 503},
	{CodeCorrupt, ErrCorrupt, 500},
	{CodeReplaced, ErrReplaced, 409},
	{CodeReadOnly, ErrReadOnly, 507},
	{CodeDiskFull, ErrDiskFull, 507},
	{CodeStorage, ErrStorage, 500},
	{CodeRefused, ErrRefused, 403},
	{CodeTooLarge, ErrTooLarge, 413},
	{CodeProfile, ErrProfile, 421},
	{CodeVersion, ErrVersion, 426},
	{CodeUnavailable, ErrUnavailable, 503},
	{CodeUnknownPath, ErrUnknownPath, 404},
	{CodeMethod, ErrMethod, 405},
	{CodeInternal, ErrInternal, 500},
}

// MaxCandidates bounds what an Error offers to choose from: nobody reads more,
// and a vault may hold 100,000.
const MaxCandidates = 100

// Error is a failure as it crosses the socket. It unwraps to the sentinel of
// its code.
type Error struct {
	Code       ErrorCode `json:"code"`
	Message    string    `json:"message"`              // lower case, no full stop, no secret
	Hint       string    `json:"hint,omitempty"`       // the command to type
	Candidates []Entry   `json:"candidates,omitempty"` // for CodeAmbiguous and CodeNotFound; MaxCandidates at most
	Matches    int       `json:"matches,omitempty"`    // for CodeAmbiguous: how many entries match
}

// ErrorReply is the body of every reply that is not a success.
type ErrorReply struct {
	Error *Error `json:"error"`
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the sentinel of e's code, or nil for a code of a newer daemon.
func (e *Error) Unwrap() error {
	for _, c := range codes {
		if c.code == e.Code {
			return c.sentinel
		}
	}
	return nil
}

// Status returns the HTTP status that carries e; 500 for an unknown code.
func (e *Error) Status() int {
	for _, c := range codes {
		if c.code == e.Code {
			return c.status
		}
	}
	return 500
}
