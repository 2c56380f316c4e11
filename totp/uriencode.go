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

// URI returns the credential as otpauth:// URI, with its secret. It is ASCII
// only, writes blanks as %20 and a plus as %2B, which every reader understands
// alike, drops blanks around names, puts the issuer before the label and into
// its parameter, as the format recommends, and leaves out algorithm, digits and
// period where they are the defaults, which keeps QR codes small. Equal
// credentials yield equal text.
//
// The error is a *URIError: ErrColon for a colon in Issuer, Prefix or Account,
// which the format forbids since readers split at any; ErrEmpty without a secret;
// ErrType, ErrAlgorithm, ErrDigits, ErrPeriod; ErrEncoding for text that is not
// UTF-8; ErrDuplicate for a name in Extra that the format knows; ErrTooLong.
func (c Credential) URI() (string, error) {
	if err := c.check(); err != nil {
		return "", err
	}
	var b strings.Builder
	c.writeHead(&b)
	b.WriteString("?secret=")
	b.WriteString(EncodeSecret(c.Secret()))
	c.writeParameters(&b)
	for _, name := range slices.Sorted(maps.Keys(c.Extra)) {
		b.WriteByte('&')
		b.WriteString(escape(name, ""))
		b.WriteByte('=')
		b.WriteString(escape(c.Extra[name], ""))
	}
	if b.Len() > MaxURI {
		return "", &URIError{"length", ErrTooLong}
	}
	return b.String(), nil
}

// check returns the first reason for which c has no text.
func (c Credential) check() error {
	if c.Type != TOTP && c.Type != HOTP {
		return &URIError{"type", ErrType}
	}
	if len(c.Secret()) == 0 {
		return &URIError{"secret", ErrEmpty}
	}
	if _, err := c.filled(); err != nil {
		return optionError(err)
	}
	for _, text := range []struct{ part, value string }{
		{"issuer", c.Issuer}, {"prefix", c.Prefix}, {"account", c.Account},
	} {
		if strings.Contains(text.value, ":") {
			return &URIError{text.part, ErrColon}
		}
		if !utf8.ValidString(text.value) {
			return &URIError{text.part, ErrEncoding}
		}
	}
	for name, value := range c.Extra {
		if part := c.Type.parameter(name); part != "" {
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
func (c Credential) writeHead(b *strings.Builder) {
	b.WriteString("otpauth://")
	b.WriteString(c.Type.String())
	b.WriteByte('/')
	prefix := c.Prefix
	if prefix == "" {
		prefix = c.Issuer
	}
	if prefix = strings.TrimSpace(prefix); prefix != "" {
		b.WriteString(escape(prefix, "@"))
		b.WriteByte(':')
	}
	b.WriteString(escape(strings.TrimSpace(c.Account), "@"))
}

// writeParameters writes the known parameters but the secret.
func (c Credential) writeParameters(b *strings.Builder) {
	number := func(name string, n uint64) {
		b.WriteString(name)
		b.WriteString(strconv.FormatUint(n, 10))
	}
	if c.Algorithm != SHA1 {
		b.WriteString("&algorithm=")
		b.WriteString(c.Algorithm.String())
	}
	if c.Digits != 0 && c.Digits != DefaultDigits {
		number("&digits=", uint64(c.Digits))
	}
	if c.Type == TOTP && c.Period != 0 && c.Period != DefaultPeriod {
		number("&period=", uint64(c.Period/time.Second))
	}
	if c.Type == HOTP {
		number("&counter=", c.Counter)
	}
	if issuer := strings.TrimSpace(c.Issuer); issuer != "" {
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
