package totp

import (
	"errors"
	"strings"
	"time"
)

// MinSecret is the size of the shortest secret that a Factory makes, in bytes.
const MinSecret = 10

// ErrSize is returned for a Factory.Size that is neither 0 nor from MinSecret up
// to the size of the hash.
var ErrSize = errors.New("size of new secrets must be 10 bytes up to that of the hash")

// ErrByCounter is returned by Verify for a credential of type HOTP.
var ErrByCounter = errors.New("codes are by counter, not by time: use Key.MatchCounter")

// Factory makes credentials for one service, with its defaults, and stores them
// under its wallet. The zero value makes credentials of 20 bytes, SHA-1, 6
// digits and 30 seconds, and stores them in clear.
//
// The defaults are those of new credentials only. What is stored says all of
// itself, so a service that changes its defaults still reads what it wrote
// before as it was.
type Factory struct {
	Options
	Issuer string  // the service's name, without a colon
	Size   int     // of new secrets in bytes; 0 means the size of the hash
	Wallet *Wallet // nil stores secrets in clear
}

// New returns a credential with a new secret for the user account. The errors
// are ErrSize, ErrAlgorithm, ErrDigits, ErrPeriod, and a *URIError with ErrColon
// for a colon in account or Issuer.
func (f Factory) New(account string) (Credential, error) {
	options, err := f.filled()
	if err != nil {
		return Credential{}, err
	}
	size := f.Size
	if size == 0 {
		size = options.Algorithm.Size()
	}
	if size < MinSecret || size > options.Algorithm.Size() {
		return Credential{}, ErrSize
	}
	secret := GenerateSecret(size)
	defer clear(secret) // Import has a copy
	return f.Import(secret, account)
}

// Import returns a credential with a copy of an existing secret for the user
// account. The errors are ErrEmpty and those of New.
func (f Factory) Import(secret []byte, account string) (Credential, error) {
	options, err := f.filled()
	if err != nil {
		return Credential{}, err
	}
	if len(secret) == 0 {
		return Credential{}, ErrEmpty
	}
	c := NewCredential(secret, options)
	c.Issuer, c.Account = f.Issuer, account
	if err := c.check(); err != nil {
		c.Wipe()
		return Credential{}, err
	}
	return c, nil
}

// JSON is Credential.JSON under the factory's wallet.
func (f Factory) JSON(c Credential) (string, error) { return c.JSON(f.Wallet) }

// Map is Credential.Map under the factory's wallet.
func (f Factory) Map(c Credential) (map[string]any, error) { return c.Map(f.Wallet) }

// Parse reads a credential from any text: an otpauth:// URI, or JSON as JSON
// wrote it. changed says that it should be written again with JSON: its secret
// was sealed under a tag, a cost or in a form that is no longer the wallet's, or
// lay in clear, as it does in every URI, though there is a wallet. The errors are
// those of ParseURI and ParseJSON. A URI whose account has a colon, which the
// format forbids, is read, but cannot be written before Account is changed.
func (f Factory) Parse(source string) (c Credential, changed bool, err error) {
	if _, isURI := cutScheme(strings.TrimSpace(source)); isURI {
		c, err = ParseURI(source)
		return c, err == nil && f.Wallet != nil, err
	}
	return ParseJSON(source, f.Wallet)
}

// ParseMap is Parse for a map as Map returned it, or as encoding/json reads it.
func (f Factory) ParseMap(source map[string]any) (c Credential, changed bool, err error) {
	return ParseMap(source, f.Wallet)
}

// Verify reads a credential with Parse and matches a code: both in one for a
// caller who keeps credentials as text. Its errors are those of Parse and of
// Key.Match, and ErrByCounter.
func (f Factory) Verify(code, source string, at time.Time, window Window) (Match, error) {
	c, _, err := f.Parse(source)
	if err != nil {
		return Match{}, err
	}
	defer c.Wipe()
	if c.Type != TOTP {
		return Match{}, ErrByCounter
	}
	key, err := c.Key()
	if err != nil {
		return Match{}, err
	}
	defer key.Wipe()
	return key.Match(code, at, window)
}
