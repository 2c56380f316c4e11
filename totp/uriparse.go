package totp

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// ParseURI reads a URI of the Key URI format:
//
//	otpauth://TYPE/ISSUER:ACCOUNT?secret=BASE32&issuer=ISSUER&algorithm=SHA1&digits=6&period=30&counter=0
//
// It is strict where a guess could give wrong codes, and forgiving where only a
// name is at stake:
//
//   - The type is totp or hotp. Scheme, type and the names of known parameters
//     may be in any case. Blanks around the whole are dropped.
//   - The label runs to the first '?', so '#' and '/' in it are plain characters.
//     So is '#' in the parameters: the format has no fragment.
//   - %XX is decoded; a '%' without two hex digits stands for itself. '+' is a
//     plus in the label, and a blank in the parameters, as web forms write it.
//   - The first colon of the label, bare or %3A, ends the issuer prefix. Further
//     ones belong to the account. Blanks around both are dropped.
//   - The issuer parameter wins over the prefix; a prefix that differs is kept in
//     Credential.Prefix. An empty issuer parameter counts as none.
//   - secret is required and read by DecodeSecret. algorithm is read by
//     ParseAlgorithm, digits must be 6 to 10, period seconds from 1 to
//     9223372036; they default to SHA1, 6, 30.
//   - counter is required for hotp, and may be any uint64. Starting from 0 instead
//     could show codes that were used before.
//   - Other parameters are kept in Credential.Extra, period of hotp and counter of totp
//     among them.
//   - No parameter may come twice, known or not.
//
// Every error is a *URIError.
func ParseURI(text string) (Credential, error) {
	if len(text) > MaxURI {
		return Credential{}, &URIError{"length", ErrTooLong}
	}
	rest, ok := cutScheme(strings.TrimSpace(text))
	if !ok {
		return Credential{}, &URIError{"scheme", ErrScheme}
	}
	path, query, _ := strings.Cut(rest, "?")
	kind, label, _ := strings.Cut(path, "/")

	var c Credential
	switch strings.ToLower(kind) {
	case "totp":
		c.Type = TOTP
	case "hotp":
		c.Type = HOTP
	default:
		return Credential{}, &URIError{"type", ErrType}
	}
	known, err := c.readQuery(query)
	if err != nil {
		return Credential{}, err
	}
	if err := c.readLabel(label, known["issuer"]); err != nil {
		return Credential{}, err
	}
	if err := c.readOptions(known); err != nil {
		return Credential{}, err
	}
	if err := c.readSecret(known); err != nil {
		return Credential{}, err
	}
	return c, nil
}

// cutScheme returns what follows otpauth://.
func cutScheme(text string) (rest string, ok bool) {
	const scheme = "otpauth://"
	if len(text) < len(scheme) || !strings.EqualFold(text[:len(scheme)], scheme) {
		return "", false
	}
	return text[len(scheme):], true
}

// parameter returns the name in lower case if the format knows it for t, else "".
func (t Type) parameter(name string) string {
	name = strings.ToLower(name)
	switch name {
	case "secret", "issuer", "algorithm", "digits":
		return name
	case "period":
		if t == TOTP {
			return name
		}
	case "counter":
		if t == HOTP {
			return name
		}
	}
	return ""
}

// readQuery returns the known parameters and puts the others into c.Extra.
func (c *Credential) readQuery(query string) (map[string]string, error) {
	known := map[string]string{}
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(strings.ReplaceAll(pair, "+", " "), "=")
		name, value = unescape(name), unescape(value)

		part, into := c.Type.parameter(name), known
		if part != "" {
			name = part
		} else {
			if c.Extra == nil {
				c.Extra = map[string]string{}
			}
			part, into = "parameter", c.Extra
		}
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, &URIError{part, ErrEncoding}
		}
		if _, twice := into[name]; twice {
			return nil, &URIError{part, ErrDuplicate}
		}
		into[name] = value
	}
	return known, nil
}

// readLabel sets the names from the label and the issuer parameter.
func (c *Credential) readLabel(label, issuer string) error {
	label = unescape(label)
	if !utf8.ValidString(label) {
		return &URIError{"label", ErrEncoding}
	}
	prefix, account, split := strings.Cut(label, ":")
	if !split {
		prefix, account = "", label
	}
	c.Account = strings.TrimSpace(account)
	c.Issuer = strings.TrimSpace(issuer)
	prefix = strings.TrimSpace(prefix)
	switch {
	case c.Issuer == "":
		c.Issuer = prefix
	case c.Issuer != prefix:
		c.Prefix = prefix
	}
	return nil
}

// readOptions sets Options and Counter from the known parameters.
func (c *Credential) readOptions(known map[string]string) (err error) {
	if name, ok := known["algorithm"]; ok {
		if c.Algorithm, err = ParseAlgorithm(strings.TrimSpace(name)); err != nil {
			return &URIError{"algorithm", err}
		}
	}
	digits, err := number(known, "digits", DefaultDigits)
	if err != nil {
		return err
	}
	if digits < MinDigits || digits > MaxDigits {
		return &URIError{"digits", ErrDigits}
	}
	c.Digits = int(digits)
	if c.Type == HOTP {
		if _, ok := known["counter"]; !ok {
			return &URIError{"counter", ErrMissing}
		}
		c.Counter, err = number(known, "counter", 0)
		return err
	}
	period, err := number(known, "period", uint64(DefaultPeriod/time.Second))
	if err != nil {
		return err
	}
	if period < 1 || period > math.MaxInt64/uint64(time.Second) {
		return &URIError{"period", ErrPeriod}
	}
	c.Period = time.Duration(period) * time.Second
	return nil
}

// number returns a known parameter's value, or without it the default. The error
// of strconv is left out: it would quote the text.
func number(known map[string]string, name string, without uint64) (uint64, error) {
	text, ok := known[name]
	if !ok {
		return without, nil
	}
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return 0, &URIError{name, ErrNumber}
	}
	return n, nil
}

// readSecret comes last, so that a URI refused for another reason never had its
// secret in a buffer of ours.
func (c *Credential) readSecret(known map[string]string) error {
	text, ok := known["secret"]
	if !ok {
		return &URIError{"secret", ErrMissing}
	}
	secret, err := DecodeSecret(text)
	if err != nil {
		return &URIError{"secret", err}
	}
	c.secret = newBox(secret)
	return nil
}

// unescape decodes %XX. A '%' without two hex digits stays: it can only be in a
// name that was not escaped at all.
func unescape(text string) string {
	if strings.IndexByte(text, '%') < 0 {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if c, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}
