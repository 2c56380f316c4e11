package totp

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// The ways in which a secret can be wrong.
var (
	ErrHex       = errors.New("not one of 0-9 and A-F")
	ErrEmpty     = errors.New("secret is empty")
	ErrCharacter = errors.New("not one of A-Z and 2-7")
	ErrPadding   = errors.New("padding is misplaced or of the wrong length")
	ErrLength    = errors.New("text ends inside a byte, a character is missing or too many")
)

// SecretError says what DecodeSecret or DecodeHex refused, and where. It never
// holds any of the text.
type SecretError struct {
	// Position counts characters (not bytes) of the text as given, blanks
	// too, from 1. It is that of the character refused for ErrCharacter and
	// ErrHex, of the first '=' for ErrPadding, of the last character that counts for ErrLength,
	// and 0 for ErrEmpty.
	Position int
	Err      error // ErrEmpty, ErrCharacter, ErrHex, ErrPadding or ErrLength
}

// Error returns the reason and the position.
func (e *SecretError) Error() string {
	if e.Position == 0 {
		return fmt.Sprintf("reading secret: %v", e.Err)
	}
	return fmt.Sprintf("reading secret: character %d: %v", e.Position, e.Err)
}

// Unwrap returns the reason.
func (e *SecretError) Unwrap() error { return e.Err }

// DecodeSecret reads a secret in base32 (RFC 4648 section 6) as people paste
// it: letters in either case, blanks of every kind (tabs, line ends, no-break
// and zero-width spaces) and dashes of every kind anywhere, padding complete or
// left out.
//
// The digits 0, 1, 8 and 9 are refused, not taken for the letters that they
// resemble: a wrong guess would be a wrong secret. Bits left over after the last
// whole byte are dropped, whatever they are: services that draw random letters
// set them, so refusing them would refuse secrets in use. For such a text
// EncodeSecret returns another last letter, and the codes are the same.
//
// Every error is a *SecretError.
func DecodeSecret(text string) ([]byte, error) {
	d := base32Decoder{out: make([]byte, 0, len(text)*5/8)}
	if err := d.decode(text); err != nil {
		clear(d.out)
		return nil, err
	}
	return d.out, nil
}

// EncodeSecret returns secret in base32: upper case, no padding, no blanks.
func EncodeSecret(secret []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
}

// DecodeHex reads a secret in hexadecimal as people paste it: digits in either
// case, blanks and dashes of every kind anywhere. Every error is a *SecretError.
func DecodeHex(text string) ([]byte, error) {
	out := make([]byte, 0, len(text)/2)
	position, last, half := 0, 0, -1
	for _, r := range text {
		position++
		value := hexValue(r)
		switch {
		case value < 0 && isFiller(r):
			continue
		case value < 0:
			clear(out)
			return nil, &SecretError{position, ErrHex}
		case half < 0:
			half = value
		default:
			out, half = append(out, byte(half<<4|value)), -1
		}
		last = position
	}
	switch {
	case half >= 0:
		clear(out)
		return nil, &SecretError{last, ErrLength}
	case len(out) == 0:
		return nil, &SecretError{0, ErrEmpty}
	}
	return out, nil
}

// hexValue returns the value of a hexadecimal digit, -1 for anything else.
func hexValue(r rune) int {
	switch {
	case '0' <= r && r <= '9':
		return int(r - '0')
	case 'A' <= r && r <= 'F':
		return int(r-'A') + 10
	case 'a' <= r && r <= 'f':
		return int(r-'a') + 10
	}
	return -1
}

// EncodeHex returns secret in hexadecimal, lower case.
func EncodeHex(secret []byte) string { return hex.EncodeToString(secret) }

// Group puts sep into the text of a secret or code for people who type it off:
// into groups of 4, 6 or 5 characters, whichever leaves no rest or the longest.
// Group("S3JDVB7QD2R7JPXX", "-") is "S3JD-VB7Q-D2R7-JPXX".
func Group(text, sep string) string {
	size, rest := 4, 0
	for _, n := range []int{4, 6, 5} {
		if len(text)%n == 0 {
			size = n
			break
		}
		if len(text)%n > rest {
			size, rest = n, len(text)%n
		}
	}
	var b strings.Builder
	for len(text) > size {
		b.WriteString(text[:size])
		b.WriteString(sep)
		text = text[size:]
	}
	return b.String() + text
}

// GenerateSecret returns size random bytes for a new secret. RFC 4226 section 4
// (R6) asks for at least 16 and recommends 20; RFC 6238 section 5.1 recommends
// the length of the hash, Algorithm.Size. It panics if size is negative.
func GenerateSecret(size int) []byte {
	secret := make([]byte, size)
	_, _ = rand.Read(secret) // never fails: crypto/rand ends the program instead
	return secret
}

// base32Decoder is the state of one DecodeSecret.
type base32Decoder struct {
	out     []byte
	pending uint32 // bits that no byte of out has yet, in the low end
	bits    int    // how many, 0 to 7
	digits  int    // base32 characters so far
	last    int    // position of the last of them
	pads    int    // '=' so far
	pad     int    // position of the first
}

func (d *base32Decoder) decode(text string) error {
	position := 0
	for _, r := range text {
		position++
		value, ok := base32Value(r)
		switch {
		case ok && d.pads > 0:
			return &SecretError{d.pad, ErrPadding}
		case ok:
			d.add(value, position)
		case r == '=':
			if d.pads++; d.pads == 1 {
				d.pad = position
			}
		case !isFiller(r):
			return &SecretError{position, ErrCharacter}
		}
	}
	return d.finish()
}

// add takes the five bits of the character at position.
func (d *base32Decoder) add(value uint32, position int) {
	d.digits++
	d.last = position
	d.pending = d.pending<<5 | value
	if d.bits += 5; d.bits >= 8 {
		d.bits -= 8
		d.out = append(d.out, byte(d.pending>>d.bits))
	}
}

// finish judges what only the end of the text tells.
func (d *base32Decoder) finish() error {
	tail := d.digits % 8
	switch {
	case d.digits == 0 && d.pads == 0:
		return &SecretError{0, ErrEmpty}
	case d.bits >= 5: // so many left over: the last character served no byte
		return &SecretError{d.last, ErrLength}
	case d.pads > 0 && (tail == 0 || tail+d.pads != 8):
		return &SecretError{d.pad, ErrPadding}
	}
	return nil
}

// base32Value returns the value of a base32 character. It looks at ASCII only:
// upper-casing would also take letters such as U+017F, whose upper case is S.
func base32Value(r rune) (value uint32, ok bool) {
	switch {
	case 'A' <= r && r <= 'Z':
		return uint32(r - 'A'), true
	case 'a' <= r && r <= 'z':
		return uint32(r - 'a'), true
	case '2' <= r && r <= '7':
		return uint32(r-'2') + 26, true
	}
	return 0, false
}

// isFiller reports whether r may stand anywhere in a pasted secret without a
// meaning: blanks, dashes, and the invisible characters that web pages and chat
// programs add (category Cf: zero-width spaces, soft hyphens, marks of direction).
func isFiller(r rune) bool {
	const minusSign = '\u2212' // typed for a dash, but not of category Pd
	return r == ' ' || r == '-' || r == minusSign ||
		unicode.IsSpace(r) || unicode.In(r, unicode.Pd, unicode.Cf)
}
