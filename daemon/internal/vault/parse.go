package vault

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/o2fa/o2fa/internal/jsonwalk"
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
	err := p.object(data, members, p.unknown)
	if err == nil {
		err = p.e.checkBounds()
	}
	if err != nil {
		p.e.Wipe()
		return Entry{}, err
	}
	return p.e, nil
}

// parseSummary reads what appendSummaryJSON wrote; the id is not in it. Any
// other member is a newer o2fa's, and of no use in a list.
func parseSummary(data []byte) (Summary, error) {
	var p parser
	if err := p.object(data, summaryMembers, func(string, []byte) error { return nil }); err != nil {
		return Summary{}, err
	}
	s := p.e.Summary()
	s.Mask = p.mask
	return s, nil
}

// parser fills one entry, or summary, member by member.
type parser struct {
	e    Entry
	mask string
	seen uint32 // bit i is set if member i of the table was there
}

// member is one that is known, and how its value is read.
type member struct {
	name string
	read func(p *parser, value []byte) error
}

// shared are the members that entries and summaries have, the most frequent
// first; members and summaryMembers are all of each.
var (
	shared = []member{
		{"type", func(p *parser, v []byte) error { return text(v, &p.e.Type) }},
		{"name", func(p *parser, v []byte) error { return text(v, &p.e.Name) }},
		{"issuer", func(p *parser, v []byte) error { return text(v, &p.e.Issuer) }},
		{"account", func(p *parser, v []byte) error { return text(v, &p.e.Account) }},
		{"algorithm", func(p *parser, v []byte) error { return text(v, &p.e.Algorithm) }},
		{"digits", func(p *parser, v []byte) error { return small(v, &p.e.Digits) }},
		{"period", func(p *parser, v []byte) error { return small(v, &p.e.Period) }},
		{"counter", func(p *parser, v []byte) error { return number(v, &p.e.Counter, math.MaxUint64) }},
		{"tags", (*parser).tags},
		{"pinned", func(p *parser, v []byte) error { return boolean(v, &p.e.Pinned) }},
		{"source", func(p *parser, v []byte) error { return text(v, &p.e.Source) }},
		{"created", func(p *parser, v []byte) error { return millis(v, &p.e.Created) }},
		{"updated", func(p *parser, v []byte) error { return millis(v, &p.e.Updated) }},
		{"device", func(p *parser, v []byte) error { return text(v, &p.e.Device) }},
		{"trashed", func(p *parser, v []byte) error { return millis(v, &p.e.Trashed) }},
	}
	members = slices.Concat(shared, []member{
		{"id", func(p *parser, v []byte) error { return parseHexID(v, &p.e.ID) }},
		{"secret", func(p *parser, v []byte) error { return parseSecret(v, &p.e.Secret) }},
		{"pin", func(p *parser, v []byte) error { return parseSecret(v, &p.e.PIN) }},
		{"note", func(p *parser, v []byte) error { return text(v, &p.e.Note) }},
		{"stamps", (*parser).stamps},
	})
	summaryMembers = slices.Concat(shared, []member{
		{"mask", func(p *parser, v []byte) error { return text(v, &p.mask) }},
	})
)

// object reads the JSON object that is data: members by their table, which has
// at most 32, others by other. The syntax is checked first, so that the walk
// may trust it.
func (p *parser) object(data []byte, table []member, other func(name string, value []byte) error) error {
	if !json.Valid(data) || !utf8.Valid(data) {
		return invalid("not JSON")
	}
	err := walk(data, func(name, value []byte) error {
		for i, m := range table {
			if m.name == string(name) {
				if p.seen&(1<<i) != 0 {
					return errTwice
				}
				p.seen |= 1 << i
				return m.read(p, value)
			}
		}
		return other(string(name), value)
	})
	if p.e.Updated == 0 {
		p.e.Updated = p.e.Created // it is left out if it is the same
	}
	return err
}

// errTwice refuses a member that comes twice: readers disagree on which counts.
var errTwice = invalid("a member of the entry comes twice")

func (p *parser) unknown(name string, value []byte) error {
	if _, twice := p.e.unknown[name]; twice {
		return errTwice
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
	return jsonwalk.List(value, func(item []byte) error {
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
		err := jsonwalk.List(value, func(item []byte) error {
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

// walk calls f for each member of the object that is data. Almost every name is
// one of a few, so names stay bytes.
func walk(data []byte, f func(name, value []byte) error) error {
	if jsonwalk.First(data) != '{' {
		return invalid("not a JSON object")
	}
	return jsonwalk.Object(data, func(quoted, value []byte) error {
		name, plain := jsonwalk.Plain(quoted)
		if !plain {
			var unescaped string
			if err := text(quoted, &unescaped); err != nil {
				return err
			}
			name = []byte(unescaped)
		}
		return f(name, value)
	})
}

// The values. Each function is given one whole value of valid JSON.

func text(value []byte, to *string) error {
	if value[0] != '"' {
		return invalid("a text is not a string")
	}
	if words, plain := jsonwalk.Plain(value); plain {
		*to = common(words)
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
