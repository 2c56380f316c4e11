package totp

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Encode returns the URI as text, with its secret. It is ASCII only, writes
// blanks as %20 and a plus as %2B, which every reader understands alike, puts
// the issuer before the label and into its parameter, as the format recommends,
// and leaves out algorithm, digits and period where they are the defaults, which
// keeps QR codes small. Equal URIs yield equal text.
//
// The error is a *URIError: ErrColon for a colon in Issuer, Prefix or Account,
// which the format forbids since readers split at any; ErrEmpty without a secret;
// ErrType, ErrAlgorithm, ErrDigits, ErrPeriod; ErrEncoding for text that is not
// UTF-8; ErrDuplicate for a name in Extra that the format knows; ErrTooLong.
func (u URI) Encode() (string, error) {
	if err := u.check(); err != nil {
		return "", err
	}
	var b strings.Builder
	u.writeHead(&b)
	b.WriteString("?secret=")
	b.WriteString(EncodeSecret(u.Secret()))
	u.writeParameters(&b)
	for _, name := range slices.Sorted(maps.Keys(u.Extra)) {
		b.WriteByte('&')
		b.WriteString(escape(name, ""))
		b.WriteByte('=')
		b.WriteString(escape(u.Extra[name], ""))
	}
	if b.Len() > MaxURI {
		return "", &URIError{"length", ErrTooLong}
	}
	return b.String(), nil
}

// check returns the first reason for which u has no text.
func (u URI) check() error {
	if u.Type != TOTP && u.Type != HOTP {
		return &URIError{"type", ErrType}
	}
	if len(u.Secret()) == 0 {
		return &URIError{"secret", ErrEmpty}
	}
	if _, err := u.filled(); err != nil {
		return optionError(err)
	}
	for _, text := range []struct{ part, value string }{
		{"issuer", u.Issuer}, {"prefix", u.Prefix}, {"account", u.Account},
	} {
		if strings.Contains(text.value, ":") {
			return &URIError{text.part, ErrColon}
		}
		if !utf8.ValidString(text.value) {
			return &URIError{text.part, ErrEncoding}
		}
	}
	for name, value := range u.Extra {
		if part := u.Type.parameter(name); part != "" {
			return &URIError{part, ErrDuplicate}
		}
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return &URIError{"parameter", ErrEncoding}
		}
	}
	return nil
}

// optionError wraps an error of Options with the parameter that it is about.
func optionError(err error) error {
	switch {
	case errors.Is(err, ErrAlgorithm):
		return &URIError{"algorithm", err}
	case errors.Is(err, ErrDigits):
		return &URIError{"digits", err}
	}
	return &URIError{"period", err}
}

// writeHead writes everything before the question mark.
func (u URI) writeHead(b *strings.Builder) {
	b.WriteString("otpauth://")
	b.WriteString(u.Type.String())
	b.WriteByte('/')
	prefix := u.Prefix
	if prefix == "" {
		prefix = u.Issuer
	}
	if prefix = strings.TrimSpace(prefix); prefix != "" {
		b.WriteString(escape(prefix, "@"))
		b.WriteByte(':')
	}
	b.WriteString(escape(strings.TrimSpace(u.Account), "@"))
}

// writeParameters writes the known parameters but the secret.
func (u URI) writeParameters(b *strings.Builder) {
	number := func(name string, n uint64) {
		b.WriteString(name)
		b.WriteString(strconv.FormatUint(n, 10))
	}
	if u.Algorithm != SHA1 {
		b.WriteString("&algorithm=")
		b.WriteString(u.Algorithm.String())
	}
	if u.Digits != 0 && u.Digits != DefaultDigits {
		number("&digits=", uint64(u.Digits))
	}
	if u.Type == TOTP && u.Period != 0 && u.Period != DefaultPeriod {
		number("&period=", uint64(u.Period/time.Second))
	}
	if u.Type == HOTP {
		number("&counter=", u.Counter)
	}
	if issuer := strings.TrimSpace(u.Issuer); issuer != "" {
		b.WriteString("&issuer=")
		b.WriteString(escape(issuer, ""))
	}
}

// escape writes every byte as %XX but the unreserved ones of RFC 3986 section
// 2.3 and those of keep. Package net/url is no help: what it leaves bare depends
// on the part of a URI, and it knows no such part as this format's label.
func escape(text, keep string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			strings.IndexByte("-._~", c) >= 0, strings.IndexByte(keep, c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
