package vault

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/o2fa/o2fa/internal/secret"
)

// ParseEntry reads an entry from JSON (docs/entry.md) and checks its bounds. It
// copies what it needs, so data may be wiped afterwards. Its error is
// ErrInvalid and repeats nothing of the secret.
func ParseEntry(data []byte) (Entry, error) {
	if err := checkRecord(data); err != nil {
		return Entry{}, err
	}
	var p parser
	if err := p.object(data, p.entryMember); err != nil {
		p.e.wipe()
		return Entry{}, err
	}
	p.defaults()
	if err := p.e.checkBounds(); err != nil {
		p.e.wipe()
		return Entry{}, err
	}
	return p.e, nil
}

// parseSummary reads what appendSummaryJSON wrote; the id is not in it.
func parseSummary(data []byte) (Summary, error) {
	var p parser
	if err := p.object(data, p.summaryMember); err != nil {
		return Summary{}, err
	}
	p.defaults()
	s := p.e.Summary()
	s.Mask = p.mask
	return s, nil
}

// parser fills one entry, or summary, member by member.
type parser struct {
	e    Entry
	mask string
	seen uint32 // bits of the members that were there, which may be there once
}

// defaults sets what is left out because it follows from the rest.
func (p *parser) defaults() {
	if p.e.Updated == 0 {
		p.e.Updated = p.e.Created
	}
}

// object calls member for each member of the JSON object that is data. The
// syntax is checked first, so that the walk may trust it.
func (p *parser) object(data []byte, member func(name, value []byte) error) error {
	if !json.Valid(data) || !utf8.Valid(data) {
		return invalid("not JSON")
	}
	return walk(data, member)
}

// summaryMember takes what both have; anything else is a newer o2fa's and is of
// no use in a list.
func (p *parser) summaryMember(name, value []byte) error {
	if string(name) == "mask" {
		return text(value, &p.mask)
	}
	_, err := p.shared(name, value)
	return err
}

func (p *parser) entryMember(name, value []byte) (err error) {
	switch string(name) {
	case "id":
		err = p.once(14, parseHexID(value, &p.e.ID))
	case "secret":
		err = p.once(15, parseSecret(value, &p.e.Secret))
	case "pin":
		err = p.once(16, parseSecret(value, &p.e.PIN))
	case "note":
		err = p.once(17, text(value, &p.e.Note))
	case "stamps":
		err = p.once(18, p.stamps(value))
	default:
		known, err := p.shared(name, value)
		if known || err != nil {
			return err
		}
		return p.unknown(string(name), value)
	}
	return err
}

// shared takes a member that entries and summaries have.
func (p *parser) shared(name, value []byte) (known bool, err error) {
	e := &p.e
	switch string(name) {
	case "type":
		err = p.once(0, text(value, &e.Type))
	case "name":
		err = p.once(1, text(value, &e.Name))
	case "issuer":
		err = p.once(2, text(value, &e.Issuer))
	case "account":
		err = p.once(3, text(value, &e.Account))
	case "algorithm":
		err = p.once(4, text(value, &e.Algorithm))
	case "digits":
		err = p.once(5, small(value, &e.Digits))
	case "period":
		err = p.once(6, small(value, &e.Period))
	case "counter":
		err = p.once(7, number(value, &e.Counter, math.MaxUint64))
	case "tags":
		err = p.once(8, p.tags(value))
	case "pinned":
		err = p.once(9, boolean(value, &e.Pinned))
	case "source":
		err = p.once(10, text(value, &e.Source))
	case "created":
		err = p.once(11, millis(value, &e.Created))
	case "updated":
		err = p.once(12, millis(value, &e.Updated))
	case "device":
		err = p.once(13, text(value, &e.Device))
	case "trashed":
		err = p.once(19, millis(value, &e.Trashed))
	default:
		return false, nil
	}
	return true, err
}

// once refuses a member that comes twice: readers disagree on which counts.
func (p *parser) once(bit int, err error) error {
	if p.seen&(1<<bit) != 0 {
		return invalid("a member of the entry comes twice")
	}
	p.seen |= 1 << bit
	return err
}

func (p *parser) unknown(name string, value []byte) error {
	if _, twice := p.e.unknown[name]; twice {
		return invalid("a member of the entry comes twice")
	}
	if p.e.unknown == nil {
		p.e.unknown = make(map[string]json.RawMessage)
	}
	p.e.unknown[name] = bytes.Clone(value)
	return nil
}

func (p *parser) tags(value []byte) error {
	if value[0] != '[' {
		return invalid("tags is not a list")
	}
	return walkList(value, func(item []byte) error {
		var tag string
		if err := text(item, &tag); err != nil {
			return err
		}
		if len(p.e.Tags) == MaxTags {
			return invalid("an entry has at most %d tags", MaxTags)
		}
		p.e.Tags = append(p.e.Tags, tag)
		return nil
	})
}

func (p *parser) stamps(value []byte) error {
	if value[0] != '{' {
		return invalid("stamps is not an object")
	}
	p.e.Stamps = make(map[Field]Stamp)
	return walk(value, func(field, value []byte) error {
		name := Field(field)
		if _, twice := p.e.Stamps[name]; twice || value[0] != '[' {
			return invalid("a stamp is wrong")
		}
		var s Stamp
		var n int
		err := walkList(value, func(item []byte) error {
			n++
			if n == 1 {
				return millis(item, &s.MS)
			}
			return text(item, &s.Device)
		})
		if err != nil || n != 2 || len(s.Device) > 64 {
			return invalid("a stamp is wrong")
		}
		p.e.Stamps[name] = s
		return nil
	})
}

// The values. Each function is given one whole value of valid JSON.

func text(value []byte, to *string) error {
	if value[0] != '"' {
		return invalid("a text is not a string")
	}
	if bytes.IndexByte(value, '\\') < 0 {
		*to = common(value[1 : len(value)-1])
		return nil
	}
	if json.Unmarshal(value, to) != nil || strings.ContainsRune(*to, utf8.RuneError) && !bytes.ContainsRune(value, utf8.RuneError) {
		return invalid("a text has half of a surrogate pair")
	}
	return nil
}

// common returns b as a string, without a copy of its own for the words that
// nearly every entry has.
func common(b []byte) string {
	switch string(b) {
	case "totp":
		return "totp"
	case "SHA1":
		return "SHA1"
	case "added":
		return "added"
	case "secrets.json":
		return "secrets.json"
	}
	return string(b)
}

func number(value []byte, to *uint64, most uint64) error {
	var n uint64
	for _, c := range value {
		if c < '0' || c > '9' || n > (math.MaxUint64-uint64(c-'0'))/10 {
			return invalid("a number is not a whole number in its range")
		}
		n = n*10 + uint64(c-'0')
	}
	if n > most {
		return invalid("a number is not a whole number in its range")
	}
	*to = n
	return nil
}

func small(value []byte, to *int) error {
	var n uint64
	err := number(value, &n, math.MaxInt32)
	*to = int(n)
	return err
}

// millis reads Unix milliseconds.
func millis(value []byte, to *int64) error {
	var n uint64
	err := number(value, &n, maxMillis)
	*to = int64(n)
	return err
}

func boolean(value []byte, to *bool) error {
	*to = value[0] == 't'
	if value[0] != 't' && value[0] != 'f' {
		return invalid("a truth value is neither true nor false")
	}
	return nil
}

func parseHexID(value []byte, to *ID) error {
	if len(value) != 2+2*len(to) || value[0] != '"' {
		return invalid("an id has 32 hex digits")
	}
	if _, err := hex.Decode(to[:], value[1:len(value)-1]); err != nil {
		return invalid("an id has 32 hex digits")
	}
	return nil
}

// parseSecret reads base32 straight into the buffer of the secret. Only the one
// canonical spelling passes: upper case, no padding, no loose bits.
func parseSecret(value []byte, to *secret.Bytes) error {
	if value[0] != '"' || len(value)-2 > base32Secret.EncodedLen(MaxSecret) {
		return invalid("a secret is not base32 of at most %d bytes", MaxSecret)
	}
	encoded := value[1 : len(value)-1]
	raw := make([]byte, base32Secret.DecodedLen(len(encoded)))
	n, err := base32Secret.Decode(raw, encoded)
	again := base32Secret.AppendEncode(make([]byte, 0, len(encoded)+8), raw[:n])
	same := bytes.Equal(again, encoded)
	clear(again)
	if err != nil || !same {
		clear(raw)
		return invalid("a secret is not canonical base32")
	}
	*to = secret.New(raw[:n:n])
	return nil
}
