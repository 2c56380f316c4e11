package vault

import (
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/o2fa/o2fa/internal/secret"
)

// Bounds of an entry, in bytes of UTF-8 or of the raw secret.
const (
	MaxName   = 1 << 10  // name, issuer, account, source, one tag
	MaxNote   = 4 << 10  //
	MaxSecret = 1 << 10  // secret, at least 1; PIN
	MaxTags   = 64       // tags of one entry
	MaxRecord = 64 << 10 // an entry as JSON, with the fields that we do not know
)

// maxMillis bounds every time: the largest number that each reader of JSON holds.
const maxMillis = 1 << 53

// ID names an entry: 16 random bytes, made once, the same on every device.
type ID [16]byte

// String returns the 32 hex digits of id.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ParseID reads the 32 hex digits of an id, of either case. Its error is ErrInvalid.
func ParseID(text string) (ID, error) {
	var id ID
	if len(text) != 2*len(id) {
		return ID{}, invalid("an id has 32 hex digits")
	}
	if _, err := hex.Decode(id[:], []byte(text)); err != nil {
		return ID{}, invalid("an id has 32 hex digits")
	}
	return id, nil
}

// Field is the name of what carries its own stamp in an entry. Secret, type,
// algorithm, digits and period are one field: half of such a change is a wrong
// code.
type Field string

// The fields that an edit stamps.
const (
	FieldName    Field = "name"
	FieldIssuer  Field = "issuer"
	FieldAccount Field = "account"
	FieldSecret  Field = "secret" // with type, algorithm, digits and period
	FieldCounter Field = "counter"
	FieldPIN     Field = "pin"
	FieldTags    Field = "tags"
	FieldNote    Field = "note"
	FieldPinned  Field = "pinned"
	FieldTrashed Field = "trashed"
)

// Stamp says when a field was last edited, and on which device.
type Stamp struct {
	MS     int64 // Unix milliseconds, never below an earlier stamp of the record
	Device string
}

// Entry is one account that yields codes, with its secret. Whoever is given one
// wipes Secret and PIN after use.
type Entry struct {
	ID        ID
	Type      string // totp, hotp, steam, motp, yandex
	Name      string // what lists show; may be empty, need not be unique
	Issuer    string
	Account   string
	Algorithm string // SHA1, SHA256, SHA512
	Digits    int
	Period    int    // seconds; 0 for hotp
	Counter   uint64 // of the next code; hotp
	Secret    secret.Bytes
	PIN       secret.Bytes // motp, yandex
	Tags      []string
	Note      string
	Pinned    bool
	Source    string // where it came from: added, secrets.json
	Created   int64  // Unix milliseconds
	Updated   int64  // Unix milliseconds of the last edit; steps of a counter do not count
	Device    string // that made it
	// Stamps holds a field that was edited since. One that is not here has
	// the stamp (Created, Device).
	Stamps  map[Field]Stamp
	Trashed int64 // Unix milliseconds; 0 = live

	// unknown are the members that a newer o2fa wrote; they are kept as they are.
	unknown map[string]json.RawMessage
}

// Summary is what a list shows of an entry: all but secret, PIN, note and
// stamps. The slice Tags is shared and must not be changed.
type Summary struct {
	ID                          ID
	Type, Name, Issuer, Account string
	Algorithm                   string
	Digits, Period              int
	Counter                     uint64
	Tags                        []string
	Pinned                      bool
	Source                      string
	Created, Updated            int64
	Device                      string
	Trashed                     int64
	Mask                        string // I...E: first and last base32 character of the secret
	// Set on the summaries of lists, so that a search folds nothing but its text.
	foldedName, foldedIssuer, foldedAccount string
}

// Summary returns what a list shows of e.
func (e *Entry) Summary() Summary {
	return Summary{
		ID: e.ID, Type: e.Type, Name: e.Name, Issuer: e.Issuer, Account: e.Account,
		Algorithm: e.Algorithm, Digits: e.Digits, Period: e.Period, Counter: e.Counter,
		Tags: e.Tags, Pinned: e.Pinned, Source: e.Source, Created: e.Created, Updated: e.Updated,
		Device: e.Device, Trashed: e.Trashed, Mask: mask(e.Secret.Reveal()),
	}
}

// Wipe clears the secrets of e.
func (e *Entry) Wipe() {
	e.Secret.Wipe()
	e.PIN.Wipe()
}

// clone copies e with secrets and slices of its own.
func (e *Entry) clone() Entry {
	c := *e
	c.Secret, c.PIN = secret.Copy(e.Secret.Reveal()), secret.Copy(e.PIN.Reveal())
	c.Tags = slices.Clone(e.Tags)
	c.Stamps = make(map[Field]Stamp, len(e.Stamps)+1)
	for f, s := range e.Stamps {
		c.Stamps[f] = s
	}
	return c
}

// base32Secret is how JSON carries secrets: upper case, without padding.
var base32Secret = base32.StdEncoding.WithPadding(base32.NoPadding)

// mask returns the first and the last base32 character of a secret with three
// dots between, which is what open2fa shows. It reads only the outer bytes.
func mask(raw []byte) string {
	if len(raw) == 0 {
		return ""
	}
	var outer [8]byte
	defer clear(outer[:])
	base32Secret.Encode(outer[:2], raw[:1])
	first := outer[0]
	tail := raw[(len(raw)-1)/5*5:]
	n := base32Secret.EncodedLen(len(tail))
	base32Secret.Encode(outer[:n], tail)
	return string([]byte{first, '.', '.', '.', outer[n-1]})
}

// Fold returns text as names are compared: case folded and in NFC.
func Fold(text string) string {
	for i := range len(text) {
		if c := text[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return foldSlow(text)
		}
	}
	return text
}

func foldSlow(text string) string {
	ascii := true
	for i := range len(text) {
		ascii = ascii && text[i] < utf8.RuneSelf
	}
	if !ascii {
		return norm.NFC.String(cases.Fold().String(norm.NFC.String(text)))
	}
	b := []byte(text)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// normalize brings the texts of e to NFC, as people type them in either form.
func (e *Entry) normalize() {
	for _, s := range []*string{&e.Name, &e.Issuer, &e.Account, &e.Note, &e.Source} {
		*s = norm.NFC.String(*s)
	}
	for i, tag := range e.Tags {
		if !norm.NFC.IsNormalString(tag) {
			e.Tags = slices.Clone(e.Tags) // the caller's stay as they are
			e.Tags[i] = norm.NFC.String(tag)
		}
	}
}

// complete fills in what a new entry need not say.
func (e *Entry) complete(now int64, device string) {
	e.normalize()
	if e.Created == 0 {
		e.Created = now
	}
	if e.Updated == 0 {
		e.Updated = e.Created
	}
	if e.Device == "" {
		e.Device = device
	}
}

// Valid returns ErrInvalid, with a text that says why, if Add would refuse e,
// which stays as it is.
func (e *Entry) Valid() error {
	c := *e
	c.complete(time.Now().UnixMilli(), strings.Repeat("0", deviceLen)) // as long as what Add takes
	if err := c.check(); err != nil {
		return err
	}
	data := c.AppendJSON(nil)
	clear(data)
	return checkRecord(data)
}

// checkRecord bounds an entry as JSON.
func checkRecord(data []byte) error {
	if len(data) > MaxRecord {
		return invalid("an entry has at most %d bytes of JSON", MaxRecord)
	}
	return nil
}

// checkBounds holds what every entry keeps, also one of a newer o2fa.
func (e *Entry) checkBounds() error {
	for _, t := range []struct {
		what, text string
		most       int
	}{
		{"name", e.Name, MaxName}, {"issuer", e.Issuer, MaxName}, {"account", e.Account, MaxName},
		{"note", e.Note, MaxNote}, {"source", e.Source, MaxName},
		{"type", e.Type, 32}, {"algorithm", e.Algorithm, 32}, {"device", e.Device, 64},
	} {
		if err := checkText(t.what, t.text, t.most); err != nil {
			return err
		}
	}
	if len(e.Tags) > MaxTags {
		return invalid("an entry has at most %d tags", MaxTags)
	}
	for _, tag := range e.Tags {
		if err := checkText("tag", tag, MaxName); err != nil {
			return err
		}
		if tag == "" {
			return invalid("a tag is not empty")
		}
	}
	for _, ms := range []int64{e.Created, e.Updated, e.Trashed} {
		if ms < 0 || ms > maxMillis {
			return invalid("time out of range: %d", ms)
		}
	}
	switch {
	case e.Secret.Len() < 1 || e.Secret.Len() > MaxSecret:
		return invalid("a secret has 1 to %d bytes, not %d", MaxSecret, e.Secret.Len())
	case e.PIN.Len() > MaxSecret:
		return invalid("a PIN has at most %d bytes", MaxSecret)
	case e.Digits < 1 || e.Digits > 10:
		return invalid("a code has 1 to 10 digits, not %d", e.Digits)
	case e.Period < 0 || e.Period > math.MaxInt32:
		return invalid("period out of range: %d", e.Period)
	case e.Type == "":
		return invalid("an entry has a type")
	}
	return nil
}

func checkText(what, text string, most int) error {
	switch {
	case len(text) > most:
		return invalid("%s of %d bytes, at most %d", what, len(text), most)
	case !utf8.ValidString(text):
		return invalid("%s is not valid UTF-8", what)
	case !norm.NFC.IsNormalString(text):
		return invalid("%s is not in NFC", what)
	}
	return nil
}

// check is checkBounds and what this release can compute codes for: what it
// adds itself. Records of a newer one need only keep to the bounds.
func (e *Entry) check() error {
	if err := e.checkBounds(); err != nil {
		return err
	}
	least, timed := 5, true
	switch e.Type {
	case "totp":
		least = 6
	case "hotp":
		least, timed = 6, false
	case "steam", "motp", "yandex":
	default:
		return invalid("unknown type %.40q", e.Type)
	}
	switch e.Algorithm {
	case "SHA1", "SHA256", "SHA512":
	default:
		return invalid("unknown algorithm %.40q", e.Algorithm)
	}
	if e.Digits < least {
		return invalid("a code of this type has %d to 10 digits, not %d", least, e.Digits)
	}
	if timed && e.Period < 1 {
		return invalid("the period is at least a second")
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}
