package totp

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxJSON is the length of the longest JSON text, in bytes, that ParseJSON reads
// and Credential.JSON writes.
const MaxJSON = 64 << 10

// formatVersion is the number of passlib's form, the only one so far.
const formatVersion = 1

// The ways in which a stored credential can be wrong, besides those of a URI,
// DecodeSecret and Wallet.
var (
	ErrJSON    = errors.New("not a JSON object")
	ErrVersion = errors.New("of an unknown version")
	ErrUnknown = errors.New("unknown field")
	ErrValue   = errors.New("not of the right kind")
	ErrWallet  = errors.New("no wallet to open it with")
)

// FieldError says which field of a stored credential is wrong, and why. It holds
// nothing of what the field said.
type FieldError struct {
	Field string // such as "digits"; "" for the whole, or for an unknown field
	Err   error
}

// Error returns the field and the reason.
func (e *FieldError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("stored credential: %v", e.Err)
	}
	return fmt.Sprintf("stored credential: %s: %v", e.Field, e.Err)
}

// Unwrap returns the reason.
func (e *FieldError) Unwrap() error { return e.Err }

// JSON returns the credential as passlib.totp stores it (TOTP.to_json), byte for
// byte: keys sorted, no blanks, ASCII only. The secret is sealed by the wallet
// if there is one, else it stands there in clear:
//
//	{"issuer":"Example","key":"JBSWY3DPEHPK3PXP","label":"alice","type":"totp","v":1}
//
// alg, digits and period are written where they are not sha1, 6 and 30, whatever
// the defaults of a Factory are. A credential by counter has type hotp and a
// counter, which passlib does not read. Prefix and Extra are not stored. The
// errors are those of URI and of Wallet.Encrypt, and a *FieldError with
// ErrTooLong for a text of more than MaxJSON bytes.
func (c Credential) JSON(w *Wallet) (string, error) {
	m, err := c.Map(w)
	if err != nil {
		return "", err
	}
	text := appendObject(nil, m)
	defer clear(text)
	if len(text) > MaxJSON {
		return "", &FieldError{"", ErrTooLong}
	}
	return string(text), nil
}

// Map returns what JSON writes as a map (TOTP.to_dict): texts, and numbers of
// type int or uint64; a sealed secret is an EncryptedKey's map.
func (c Credential) Map(w *Wallet) (map[string]any, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	options, err := c.filled()
	if err != nil {
		return nil, err
	}
	m := map[string]any{"type": c.Type.String(), "v": formatVersion}
	if options.Algorithm != SHA1 {
		m["alg"] = strings.ToLower(options.Algorithm.String())
	}
	if options.Digits != DefaultDigits {
		m["digits"] = options.Digits
	}
	if c.Type == HOTP {
		m["counter"] = c.Counter
	} else if options.Period != DefaultPeriod {
		m["period"] = int(options.Period / time.Second)
	}
	if c.Account != "" {
		m["label"] = c.Account
	}
	if c.Issuer != "" {
		m["issuer"] = c.Issuer
	}
	if w == nil {
		m["key"] = EncodeSecret(c.Secret())
		return m, nil
	}
	sealed, err := w.Encrypt(c.Secret())
	if err != nil {
		return nil, err
	}
	m["enckey"] = sealed.Map()
	return m, nil
}

// ParseJSON reads a credential as JSON wrote it, or passlib's TOTP.to_json. The
// wallet opens a sealed secret; it may be nil if there is none. changed says that
// the credential should be written again, see Factory.Parse.
//
// Fields that are absent, or null, mean what the format says, never the defaults
// of a Factory. (passlib leaves out an issuer that is its class's default: such a
// text has none.) Unknown fields are refused, but for last_counter, which old
// texts have; so are fields that come twice. Every error is a *FieldError.
func ParseJSON(text string, w *Wallet) (c Credential, changed bool, err error) {
	if len(text) > MaxJSON {
		return Credential{}, false, &FieldError{"", ErrTooLong}
	}
	m, err := decodeObject(text)
	if err != nil {
		return Credential{}, false, &FieldError{"", err}
	}
	return ParseMap(m, w)
}

// decodeObject reads a JSON object of texts, numbers and objects.
func decodeObject(text string) (map[string]any, error) {
	if !utf8.ValidString(text) || !json.Valid([]byte(text)) {
		return nil, ErrJSON
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, ErrJSON
	}
	return decodeFields(dec)
}

// decodeFields reads what follows the '{' of an object. It goes by tokens, as
// encoding/json alone would hide a field that comes twice.
func decodeFields(dec *json.Decoder) (map[string]any, error) {
	m := map[string]any{}
	for dec.More() {
		token, err := dec.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, ErrJSON
		}
		if _, twice := m[name]; twice {
			return nil, ErrDuplicate
		}
		value, err := dec.Token()
		switch value {
		case json.Delim('{'):
			value, err = decodeFields(dec)
		case json.Delim('['):
			err = ErrValue // no field is a list
		}
		if err != nil {
			return nil, err
		}
		m[name] = value
	}
	if _, err := dec.Token(); err != nil { // the '}'
		return nil, ErrJSON
	}
	return m, nil
}

// ParseMap is ParseJSON for a map as Map returned it, or as encoding/json reads
// it, with numbers of any type.
func ParseMap(m map[string]any, w *Wallet) (c Credential, changed bool, err error) {
	r := reader{m: m}
	r.known("type", "v", "alg", "digits", "period", "counter", "label", "issuer", "key", "enckey", "last_counter")
	switch r.text("type", true) {
	case "totp":
	case "hotp":
		c.Type = HOTP
	default:
		r.fail("type", ErrType)
	}
	if v := r.number("v", 0, 0, math.MaxInt64); v != formatVersion {
		r.fail("v", ErrVersion)
	}
	if name := m["alg"]; name != nil {
		text, _ := name.(string)
		if c.Algorithm, err = ParseAlgorithm(text); err != nil {
			r.fail("alg", err)
		}
	}
	c.Digits = int(r.number("digits", DefaultDigits, MinDigits, MaxDigits))
	if c.Type == HOTP {
		c.Counter = r.number("counter", 0, 0, math.MaxUint64)
		if m["counter"] == nil {
			r.fail("counter", ErrMissing)
		}
	} else {
		c.Period = time.Duration(r.number("period", uint64(DefaultPeriod/time.Second), 1, uint64(MaxPeriod/time.Second))) * time.Second
	}
	c.Account, c.Issuer = r.text("label", false), r.text("issuer", false)
	if r.err != nil {
		return Credential{}, false, r.err
	}
	secret, changed, err := r.secret(w)
	if err != nil {
		return Credential{}, false, err
	}
	c.secret = newBox(secret)
	if err := c.check(); err != nil {
		c.Wipe()
		return Credential{}, false, fieldError(err)
	}
	return c, changed, nil
}

// fieldError puts what check says into the words of the form.
func fieldError(err error) error {
	if e := (*URIError)(nil); errors.As(err, &e) {
		if e.Part == "account" {
			return &FieldError{"label", e.Err}
		}
		return &FieldError{e.Part, e.Err}
	}
	return &FieldError{"", err}
}

// reader reads the fields of a map and keeps the first error.
type reader struct {
	m   map[string]any
	err error
}

func (r *reader) fail(field string, err error) {
	if r.err == nil {
		r.err = &FieldError{field, err}
	}
}

// known refuses other fields. Which is not told: it may be a secret.
func (r *reader) known(names ...string) {
	for name := range r.m {
		if !slices.Contains(names, name) {
			r.fail("", ErrUnknown)
		}
	}
}

// text returns a text field, "" if it is absent or null.
func (r *reader) text(name string, required bool) string {
	value := r.m[name]
	if value == nil {
		if required {
			r.fail(name, ErrMissing)
		}
		return ""
	}
	text, ok := value.(string)
	if !ok {
		r.fail(name, ErrValue)
	}
	return text
}

// number returns a whole number between least and most, or without if it is
// absent or null.
func (r *reader) number(name string, without, least, most uint64) uint64 {
	value := r.m[name]
	if value == nil {
		return without
	}
	n, ok := whole(value)
	if !ok {
		r.fail(name, ErrValue)
		return without
	}
	if n < least || n > most {
		r.fail(name, rangeError(name))
		return without
	}
	return n
}

// rangeError returns what is said of the same number elsewhere.
func rangeError(name string) error {
	switch name {
	case "digits":
		return ErrDigits
	case "period":
		return ErrPeriod
	case "c":
		return ErrCost
	}
	return ErrNumber
}

// whole returns a number of any type as what it is if it is whole and not below 0.
func whole(value any) (uint64, bool) {
	if n, ok := value.(json.Number); ok {
		u, err := strconv.ParseUint(n.String(), 10, 64)
		return u, err == nil
	}
	switch v := reflect.ValueOf(value); {
	case v.CanInt():
		return uint64(v.Int()), v.Int() >= 0
	case v.CanUint():
		return v.Uint(), true
	case v.CanFloat():
		n := v.Float()
		return uint64(n), n >= 0 && n < 1<<53 && n == math.Trunc(n)
	}
	return 0, false
}

// secret returns the secret, in clear or opened by the wallet.
func (r *reader) secret(w *Wallet) (secret []byte, changed bool, err error) {
	sealed, isSealed := r.m["enckey"]
	plain, isPlain := r.m["key"]
	switch {
	case isSealed && isPlain:
		return nil, false, &FieldError{"key", ErrDuplicate}
	case isSealed:
		fields, ok := sealed.(map[string]any)
		if !ok {
			return nil, false, &FieldError{"enckey", ErrValue}
		}
		if w == nil {
			return nil, false, &FieldError{"enckey", ErrWallet}
		}
		key, err := ParseEncryptedKey(fields)
		if err != nil {
			return nil, false, err
		}
		if secret, changed, err = w.Decrypt(key); err != nil {
			return nil, false, &FieldError{"enckey", err}
		}
		return secret, changed, nil
	case isPlain:
		text, ok := plain.(string)
		if !ok {
			return nil, false, &FieldError{"key", ErrValue}
		}
		if secret, err = DecodeSecret(text); err != nil {
			return nil, false, &FieldError{"key", err}
		}
		return secret, w != nil, nil
	}
	return nil, false, &FieldError{"key", ErrMissing}
}

// appendObject appends a map as Python's json.dumps writes it with sorted keys
// and without blanks. encoding/json would escape other characters.
func appendObject(dst []byte, m map[string]any) []byte {
	dst = append(dst, '{')
	for i, name := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendText(dst, name), ':')
		switch v := m[name].(type) {
		case string:
			dst = appendText(dst, v)
		case int:
			dst = strconv.AppendInt(dst, int64(v), 10)
		case uint64:
			dst = strconv.AppendUint(dst, v, 10)
		case map[string]any:
			dst = appendObject(dst, v)
		}
	}
	return append(dst, '}')
}

// appendText appends a JSON text of ASCII characters only.
func appendText(dst []byte, text string) []byte {
	short := map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\f': `\f`, '\b': `\b`}
	dst = append(dst, '"')
	for _, r := range text {
		switch {
		case short[r] != "":
			dst = append(dst, short[r]...)
		case r >= ' ' && r <= '~':
			dst = utf8.AppendRune(dst, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			dst = fmt.Appendf(dst, `\u%04x\u%04x`, high, low)
		default:
			dst = fmt.Appendf(dst, `\u%04x`, r)
		}
	}
	return append(dst, '"')
}
