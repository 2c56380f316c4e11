// Package secret owns the type in which key bytes, passphrases and other
// secrets travel through o2fa: it can be wiped, and it does not print itself.
// It knows nothing of what the bytes mean.
package secret

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
)

// redacted is all that a Bytes ever shows of itself.
const redacted = "[secret]"

// ErrMarshal is returned by every encoder of a Bytes. Writing a placeholder
// instead would turn a forgotten Reveal into lost data.
var ErrMarshal = errors.New("secret: refusing to encode a secret")

// Bytes is a secret of any length. Copies of a Bytes share one buffer, so
// wiping one wipes all. The zero value is an empty secret.
//
// Go may have moved or copied the bytes before New; wiping is a courtesy that
// shortens their life, not a promise.
//
// fmt cannot call methods on unexported fields and prints them by reflection,
// following one pointer where a verb does not fit; hence two.
type Bytes struct{ p **[]byte }

// New takes ownership of b: the caller must not use b afterwards.
func New(b []byte) Bytes {
	p := &b
	return Bytes{&p}
}

// Copy returns a Bytes that holds a copy of b.
func Copy(b []byte) Bytes { return New(append(make([]byte, 0, len(b)), b...)) }

// Reveal returns the secret's own buffer, the one way out of the type. The
// caller must not keep it beyond the next Wipe.
func (s Bytes) Reveal() []byte {
	if s.p == nil {
		return nil
	}
	return **s.p
}

// Len returns the number of bytes.
func (s Bytes) Len() int { return len(s.Reveal()) }

// Equal compares in constant time for equal lengths.
func (s Bytes) Equal(t Bytes) bool { return subtle.ConstantTimeCompare(s.Reveal(), t.Reveal()) == 1 }

// Wipe overwrites the buffer with zeros. The length stays, so that a wiped
// secret that is used after all yields zeros, not an index out of range.
func (s Bytes) Wipe() { clear(s.Reveal()) }

// String returns a placeholder.
func (s Bytes) String() string { return redacted }

// GoString returns a placeholder.
func (s Bytes) GoString() string { return redacted }

// Format prints a placeholder for every verb.
func (s Bytes) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (s Bytes) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON always fails with ErrMarshal.
func (s Bytes) MarshalJSON() ([]byte, error) { return nil, ErrMarshal }

// MarshalText always fails with ErrMarshal.
func (s Bytes) MarshalText() ([]byte, error) { return nil, ErrMarshal }

// MarshalBinary always fails with ErrMarshal.
func (s Bytes) MarshalBinary() ([]byte, error) { return nil, ErrMarshal }
