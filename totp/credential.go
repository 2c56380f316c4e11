package totp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// MaxURI is the length of the longest URI, in bytes, that ParseURI reads and
// Credential.URI writes.
const MaxURI = 8 << 10

// The ways in which a URI can be wrong, besides those of Options and of
// DecodeSecret.
var (
	ErrScheme    = errors.New("not otpauth://")
	ErrType      = errors.New("neither totp nor hotp")
	ErrMissing   = errors.New("missing")
	ErrDuplicate = errors.New("given more than once")
	ErrNumber    = errors.New("not a whole number in range")
	ErrEncoding  = errors.New("not valid UTF-8")
	ErrColon     = errors.New("contains a colon")
	ErrTooLong   = errors.New("longer than is read") // MaxURI, MaxJSON; 1 MiB of a wallet's text
)

// ErrMarshal is returned by every encoder that takes its text from
// encoding.TextMarshaler, encoding/json among them, when it meets a Credential.
var ErrMarshal = errors.New("refusing to marshal a credential, which has a secret: use URI or JSON")

// URIError says which part of a URI is wrong, and why. It holds nothing of what
// the URI said.
type URIError struct {
	// Part is "length", "scheme", "type", "label", "prefix", "account", the name
	// of a parameter that the format knows, or "parameter" for any other.
	Part string
	Err  error // one of this package's, or a *SecretError
}

// Error returns the part and the reason.
func (e *URIError) Error() string { return fmt.Sprintf("otpauth URI: %s: %v", e.Part, e.Err) }

// Unwrap returns the reason.
func (e *URIError) Unwrap() error { return e.Err }

// Type tells what a code is made from. The zero value is TOTP.
type Type uint8

// The types of the Key URI format.
const (
	TOTP Type = iota // the time, RFC 6238
	HOTP             // a counter, RFC 4226
)

// String returns the type as otpauth URIs spell it, "totp" or "hotp"; for any
// other value "Type(n)".
func (t Type) String() string {
	switch t {
	case TOTP:
		return "totp"
	case HOTP:
		return "hotp"
	}
	return fmt.Sprintf("Type(%d)", uint8(t))
}

// Credential is a secret with how codes are made from it, and whose they are:
// what an otpauth:// URI says. Make one with ParseURI, NewCredential or a
// Factory; its fields may be changed before it is written.
//
// A Credential prints and logs itself without its secret and without Extra, whose
// parameters may be anything. (In an unexported field of another type fmt cannot
// call its methods: there it prints Extra, but not the secret.) Copies share one
// secret.
type Credential struct {
	Type Type

	// Options hold no zeros after ParseURI, but for Period where Type is HOTP.
	Options

	// Issuer is the service, "" if none is named.
	Issuer string

	// Account is the user's name at the service, which passlib calls the label;
	// some URIs have none.
	Account string

	// Prefix is the issuer before the label's colon where it is another than
	// Issuer; "" means the same. The format wants them equal and gives no rule
	// for when they are not, so nothing is dropped.
	Prefix string

	// Counter is that of the next code, for HOTP only.
	Counter uint64

	// Extra holds the parameters that the format does not know for Type, by
	// name, decoded. URI writes them back.
	Extra map[string]string

	secret *box
}

// box keeps a secret two pointers away from what holds it. Through an unexported
// field fmt cannot call Format and prints by reflection instead; it follows one
// pointer, for a verb that does not fit, and never two.
type box struct{ bytes *[]byte }

func newBox(secret []byte) *box { return &box{&secret} }

// NewCredential returns a credential of type TOTP with a copy of secret. What is
// wrong with either argument is reported by Key and URI.
func NewCredential(secret []byte, options Options) Credential {
	return Credential{Options: options, secret: newBox(bytes.Clone(secret))}
}

// Secret returns the credential's own secret, not a copy: the bytes are zeros after
// Wipe. It returns nil if c has none.
func (c Credential) Secret() []byte {
	if c.secret == nil {
		return nil
	}
	return *c.secret.bytes
}

// Wipe overwrites the secret with zeros and takes it from c and all its copies:
// Key and URI then return ErrEmpty, not codes of a wrong secret. It cannot
// reach the text that ParseURI read.
func (c Credential) Wipe() {
	if c.secret != nil {
		clear(*c.secret.bytes)
		*c.secret.bytes = nil
	}
}

// Key prepares the secret. The errors are those of NewKey.
func (c Credential) Key() (*Key, error) { return NewKey(c.Secret(), c.Options) }

// Label returns Issuer and Account as people read them: "issuer:account", or
// the one that is there. It is not escaped.
func (c Credential) Label() string {
	if c.Issuer == "" || c.Account == "" {
		return c.Issuer + c.Account
	}
	return c.Issuer + ":" + c.Account
}

// String returns the URI with "***" for its secret and without Extra, for
// logs and messages. It is not a URI that anything reads; URI returns that.
func (c Credential) String() string {
	var b strings.Builder
	c.writeHead(&b)
	b.WriteString("?secret=***")
	c.writeParameters(&b)
	return b.String()
}

// Format prints what String returns, for every verb.
func (c Credential) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue returns what String returns.
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText always fails with ErrMarshal: a placeholder instead would be lost
// data, and a secret in a log or a reply a leak.
func (c Credential) MarshalText() ([]byte, error) { return nil, ErrMarshal }
