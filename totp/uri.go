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
// Encode writes.
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
	ErrTooLong   = errors.New("more than 8 KiB")
)

// ErrMarshal is returned by every encoder that takes its text from
// encoding.TextMarshaler, encoding/json among them, when it meets a URI.
var ErrMarshal = errors.New("refusing to marshal a URI, which has a secret: use Encode")

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

// URI is what an otpauth:// URI says: how codes are made, and whose they are.
// Make one with ParseURI or NewURI; its fields may be changed before Encode.
//
// A URI prints and logs itself without its secret and without Extra, whose
// parameters may be anything. Copies share one secret.
type URI struct {
	Type Type

	// Options hold no zeros after ParseURI, but for Period where Type is HOTP.
	Options

	// Issuer is the service, "" if the URI names none.
	Issuer string

	// Account is the user's name at the service; some URIs have none.
	Account string

	// Prefix is the issuer before the label's colon where it is another than
	// Issuer; "" means the same. The format wants them equal and gives no rule
	// for when they are not, so nothing is dropped.
	Prefix string

	// Counter is that of the next code, for HOTP only.
	Counter uint64

	// Extra holds the parameters that the format does not know for Type, by
	// name, decoded. Encode writes them back.
	Extra map[string]string

	secret *box
}

// box keeps a secret two pointers away from what holds it. Through an unexported
// field fmt cannot call Format and prints by reflection instead; it follows one
// pointer, for a verb that does not fit, and never two.
type box struct{ bytes *[]byte }

func newBox(secret []byte) *box { return &box{&secret} }

// NewURI returns a URI of type TOTP for a copy of secret. What is wrong with
// either argument is reported by Key and Encode.
func NewURI(secret []byte, options Options) URI {
	return URI{Options: options, secret: newBox(bytes.Clone(secret))}
}

// Secret returns the URI's own secret, not a copy: the bytes are zeros after
// Wipe. It returns nil if u has none.
func (u URI) Secret() []byte {
	if u.secret == nil {
		return nil
	}
	return *u.secret.bytes
}

// Wipe overwrites the secret with zeros and takes it from u and all its copies:
// Key and Encode then return ErrEmpty, not codes of a wrong secret. It cannot
// reach the text that ParseURI read.
func (u URI) Wipe() {
	if u.secret != nil {
		clear(*u.secret.bytes)
		*u.secret.bytes = nil
	}
}

// Key prepares the secret. The errors are those of NewKey.
func (u URI) Key() (*Key, error) { return NewKey(u.Secret(), u.Options) }

// Label returns Issuer and Account as people read them: "issuer:account", or
// the one that is there. It is not escaped.
func (u URI) Label() string {
	if u.Issuer == "" || u.Account == "" {
		return u.Issuer + u.Account
	}
	return u.Issuer + ":" + u.Account
}

// String returns the URI with "***" for its secret and without Extra, for
// logs and messages. It is not a URI that anything reads; Encode returns that.
func (u URI) String() string {
	var b strings.Builder
	u.writeHead(&b)
	b.WriteString("?secret=***")
	u.writeParameters(&b)
	return b.String()
}

// Format prints what String returns, for every verb.
func (u URI) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, u.String()) }

// LogValue returns what String returns.
func (u URI) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalText always fails with ErrMarshal: a placeholder instead would be lost
// data, and a secret in a log or a reply a leak.
func (u URI) MarshalText() ([]byte, error) { return nil, ErrMarshal }
