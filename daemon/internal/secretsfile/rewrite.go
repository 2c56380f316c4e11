package secretsfile

import (
	"bytes"
	"encoding/base32"
	"fmt"
	"unicode/utf8"

	"github.com/o2fa/o2fa/internal/jsonwalk"
	"github.com/o2fa/o2fa/internal/secret"
)

// Edit is what becomes of one row of the file.
type Edit struct {
	Drop bool // the row leaves, whatever else is said
	// Secret takes the place of the row's; none leaves it as it was typed.
	Secret secret.Bytes
	// Rename says that Name takes the place of the row's name; nil is null.
	Rename bool
	Name   *string
}

// Rewrite returns data, the content of a secrets file, with other rows: edits go
// by position, add comes at the end. All else stays, in its order: rows that are
// no good, keys that nobody knows, a secret that is typed in lower case. The text
// is as open2fa writes it, by Python's json.dumps. No data is a file without rows.
// The caller wipes what comes back. The error is ErrInvalid where data is no
// secrets file, or would be one no more, as it became too large.
func Rewrite(data []byte, edits map[int]Edit, add []Row) ([]byte, error) {
	if data == nil {
		data = []byte(`{"secrets": []}`)
	}
	list, err := secretsList(data)
	if err != nil {
		return nil, err
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	w := writer{out: make([]byte, 0, sizeAfter(data, edits, add))}
	w.object(data, func(_, value []byte) bool {
		if !isPart(value, list) {
			return false
		}
		w.list(value, edits, add)
		return true
	})
	if rows := countRows(list) + len(add); len(w.out) > MaxSize || rows > MaxRows {
		clear(w.out)
		return nil, fmt.Errorf("with %d rows it would be too large: %w", rows, ErrInvalid)
	}
	return w.out, nil
}

// isPart says whether value is the very part of a text, not one that is equal.
func isPart(value, part []byte) bool { return &value[0] == &part[0] }

func countRows(list []byte) (n int) {
	_ = jsonwalk.List(list, func([]byte) error { n++; return nil })
	return n
}

// sizeAfter is how many bytes Rewrite writes at most: a slice that grows leaves
// copies of secrets behind.
func sizeAfter(data []byte, edits map[int]Edit, add []Row) int {
	const frame = len(`{"secret": "", "name": null}, `)
	size := len(data) + bytes.Count(data, []byte(",")) + bytes.Count(data, []byte(":")) + frame
	for _, c := range data {
		if c >= utf8.RuneSelf {
			size += 5 // \uXXXX for a byte, at most
		}
	}
	name := func(text *string) int {
		if text == nil {
			return 0
		}
		return 6 * len(*text)
	}
	for _, e := range edits {
		size += frame + base32.StdEncoding.EncodedLen(e.Secret.Len()) + name(e.Name)
	}
	for _, r := range add {
		size += frame + base32.StdEncoding.EncodedLen(r.Secret.Len()) + name(r.Name)
	}
	return size
}

// writer writes JSON as Python's json.dumps does by default: ", " and ": "
// between parts, no other blanks, ASCII alone.
type writer struct{ out []byte }

// list writes the list of rows.
func (w *writer) list(list []byte, edits map[int]Edit, add []Row) {
	w.out = append(w.out, '[')
	first, position := true, 0
	next := func() {
		if !first {
			w.out = append(w.out, ", "...)
		}
		first = false
	}
	_ = jsonwalk.List(list, func(raw []byte) error {
		position++
		e, edited := edits[position]
		switch {
		case e.Drop:
		case edited:
			next()
			w.edited(raw, e)
		default:
			next()
			w.value(raw)
		}
		return nil
	})
	for _, row := range add {
		next()
		w.row(row)
	}
	w.out = append(w.out, ']')
}

// edited writes a good row with another secret, another name, or both.
func (w *writer) edited(raw []byte, e Edit) {
	key, name := member(raw, "secret"), member(raw, "name")
	w.object(raw, func(_, value []byte) bool {
		switch {
		case isPart(value, key) && e.Secret.Len() > 0:
			w.secret(e.Secret)
		case name != nil && isPart(value, name) && e.Rename:
			w.name(e.Name)
		default:
			return false
		}
		return true
	})
	if name == nil && e.Rename && e.Name != nil {
		w.out = append(w.out[:len(w.out)-1], `, "name": `...)
		w.name(e.Name)
		w.out = append(w.out, '}')
	}
}

// row writes a new row.
func (w *writer) row(r Row) {
	w.out = append(w.out, `{"secret": `...)
	w.secret(r.Secret)
	w.out = append(w.out, `, "name": `...)
	w.name(r.Name)
	w.out = append(w.out, '}')
}

// object writes an object; replace writes the value of a member itself where it
// returns true.
func (w *writer) object(raw []byte, replace func(quoted, value []byte) bool) {
	w.out = append(w.out, '{')
	first := true
	_ = jsonwalk.Object(raw, func(quoted, value []byte) error {
		if !first {
			w.out = append(w.out, ", "...)
		}
		first = false
		w.value(quoted)
		w.out = append(w.out, ": "...)
		if !replace(quoted, value) {
			w.value(value)
		}
		return nil
	})
	w.out = append(w.out, '}')
}

// secret writes a key as base32, padded: Python's decoder wants that.
func (w *writer) secret(key secret.Bytes) {
	w.out = append(w.out, '"')
	w.out = base32.StdEncoding.AppendEncode(w.out, key.Reveal())
	w.out = append(w.out, '"')
}

func (w *writer) name(text *string) {
	if text == nil {
		w.out = append(w.out, "null"...)
		return
	}
	w.out = append(w.out, '"')
	for _, r := range *text {
		switch {
		case r == '"' || r == '\\':
			w.out = append(w.out, '\\', byte(r))
		case r < ' ':
			w.control(r)
		default:
			w.letter(r)
		}
	}
	w.out = append(w.out, '"')
}

// control writes a control character as it has to stand in a string.
func (w *writer) control(r rune) {
	if at := bytes.IndexByte([]byte("\b\t\n\f\r"), byte(r)); at >= 0 {
		w.out = append(w.out, '\\', "btnfr"[at])
		return
	}
	w.escape(r)
}

// letter writes a character that is none of control, quote and backslash.
func (w *writer) letter(r rune) {
	switch {
	case r < 0x7f:
		w.out = append(w.out, byte(r))
	case r < 0x10000:
		w.escape(r)
	default:
		r -= 0x10000
		w.escape(0xd800 + r>>10)
		w.escape(0xdc00 + r&0x3ff)
	}
}

func (w *writer) escape(r rune) { w.out = fmt.Appendf(w.out, `\u%04x`, r) }

// value writes any JSON value, which is valid.
func (w *writer) value(raw []byte) {
	for i, inside := 0, false; i < len(raw); i++ {
		c := raw[i]
		switch {
		case inside && c == '\\':
			w.out = append(w.out, c, raw[i+1])
			i++
		case c == '"':
			inside = !inside
			w.out = append(w.out, c)
		case inside && c >= 0x7f:
			r, size := utf8.DecodeRune(raw[i:])
			w.letter(r)
			i += size - 1
		case inside:
			w.out = append(w.out, c)
		case c == ',' || c == ':':
			w.out = append(w.out, c, ' ')
		case c != ' ' && c != '\t' && c != '\n' && c != '\r':
			w.out = append(w.out, c)
		}
	}
}
