package vault

import (
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
)

// The JSON of an entry, one schema for vault, sync record and export:
// docs/entry.md. It is written by hand for one reason: the secret passes
// through one buffer, which the caller wipes, and through no string.

// AppendJSON appends e as JSON to dst. Members that have no value are left out,
// those of a newer o2fa are kept. The result holds the secret: wipe it after
// use. So that growing leaves no copy behind, it takes one buffer of the size
// that it needs when dst is too small.
func (e *Entry) AppendJSON(dst []byte) []byte {
	w := newWriter(dst, e.sizeHint())
	w.raw("id", `"`+hex.EncodeToString(e.ID[:])+`"`)
	w.account(e)
	w.secret("secret", e.Secret.Reveal())
	if e.PIN.Len() > 0 {
		w.secret("pin", e.PIN.Reveal())
	}
	w.optional("note", e.Note)
	w.stamps(e.Stamps)
	w.unknown(e.unknown)
	return w.end()
}

// appendSummaryJSON appends what a list shows of e: no id, which is the
// record's key, and nothing secret but the mask.
func (e *Entry) appendSummaryJSON(dst []byte) []byte {
	w := newWriter(dst, e.sizeHint())
	w.account(e)
	w.text("mask", mask(e.Secret.Reveal()))
	return w.end()
}

// sizeHint returns a size that e as JSON does not exceed, unless its text is
// full of control characters, which take six bytes each; then it is counted.
func (e *Entry) sizeHint() int {
	n := 640 + 2*(e.Secret.Len()+e.PIN.Len())
	for _, s := range []string{e.Type, e.Name, e.Issuer, e.Account, e.Algorithm, e.Note, e.Source, e.Device} {
		n += quotedLen(s)
	}
	for _, s := range e.Tags {
		n += quotedLen(s) + 1
	}
	for f, s := range e.Stamps {
		n += quotedLen(string(f)) + quotedLen(s.Device) + 32
	}
	for k, v := range e.unknown {
		n += quotedLen(k) + len(v) + 2
	}
	return n
}

// writer appends the members of one JSON object.
type writer struct{ b []byte }

func newWriter(dst []byte, need int) *writer {
	if cap(dst)-len(dst) < need {
		grown := make([]byte, len(dst), len(dst)+need)
		copy(grown, dst)
		dst = grown
	}
	return &writer{append(dst, '{')}
}

// account writes what an entry and its summary have in common.
func (w *writer) account(e *Entry) {
	w.text("type", e.Type)
	w.text("name", e.Name)
	w.optional("issuer", e.Issuer)
	w.optional("account", e.Account)
	w.text("algorithm", e.Algorithm)
	w.number("digits", uint64(e.Digits))
	if e.Period != 0 {
		w.number("period", uint64(e.Period))
	}
	if e.Counter != 0 || e.Type == "hotp" {
		w.number("counter", e.Counter)
	}
	if len(e.Tags) > 0 {
		w.key("tags")
		for i, tag := range e.Tags {
			w.b = appendQuoted(append(w.b, "[,"[min(i, 1)]), tag)
		}
		w.b = append(w.b, ']')
	}
	if e.Pinned {
		w.raw("pinned", "true")
	}
	w.text("source", e.Source)
	w.number("created", uint64(e.Created))
	if e.Updated != 0 && e.Updated != e.Created {
		w.number("updated", uint64(e.Updated))
	}
	w.text("device", e.Device)
	if e.Trashed != 0 {
		w.number("trashed", uint64(e.Trashed))
	}
}

// stamps writes {"name":[1700000000000,"device"]}, sorted, so that equal
// entries have equal bytes.
func (w *writer) stamps(stamps map[Field]Stamp) {
	if len(stamps) == 0 {
		return
	}
	w.key("stamps")
	in := writer{append(w.b, '{')}
	for _, f := range slices.Sorted(maps.Keys(stamps)) {
		in.key(string(f))
		in.b = strconv.AppendInt(append(in.b, '['), stamps[f].MS, 10)
		in.b = append(appendQuoted(append(in.b, ','), stamps[f].Device), ']')
	}
	w.b = in.end()
}

func (w *writer) unknown(members map[string]json.RawMessage) {
	for _, name := range slices.Sorted(maps.Keys(members)) {
		w.key(name)
		w.b = append(w.b, members[name]...)
	}
}

func (w *writer) key(name string) {
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(appendQuoted(w.b, name), ':')
}

func (w *writer) raw(name, value string) {
	w.key(name)
	w.b = append(w.b, value...)
}

func (w *writer) text(name, value string) {
	w.key(name)
	w.b = appendQuoted(w.b, value)
}

func (w *writer) optional(name, value string) {
	if value != "" {
		w.text(name, value)
	}
}

func (w *writer) number(name string, value uint64) {
	w.key(name)
	w.b = strconv.AppendUint(w.b, value, 10)
}

func (w *writer) secret(name string, value []byte) {
	w.key(name)
	w.b = append(w.b, '"')
	w.b = append(base32Secret.AppendEncode(w.b, value), '"')
}

func (w *writer) end() []byte { return append(w.b, '}') }

const hexDigits = "0123456789abcdef"

// appendQuoted appends text, which is valid UTF-8, as a JSON string. Only what
// JSON demands is escaped.
func appendQuoted(dst []byte, text string) []byte {
	dst = append(dst, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// quotedLen returns the length of what appendQuoted appends.
func quotedLen(text string) int {
	n := len(text) + 2
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			n++
		case c < ' ':
			n += 5
		}
	}
	return n
}
