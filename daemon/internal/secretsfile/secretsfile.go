// Package secretsfile owns open2fa's secrets.json: what its bytes mean, whether the
// file may be trusted, what differs from the rows last taken, when it is time to
// look again, and how the file is written so that nobody's content is lost. It
// knows nothing of the vault: rows meet entries by fingerprints and ids that the
// caller makes.
package secretsfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/o2fa/o2fa/internal/jsonwalk"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/totp"
)

// Bounds of the file. What is larger is a mistake, not a secrets file.
const (
	MaxSize   = 64 << 20 // bytes of the file
	MaxRows   = 1 << 18  // rows, good and bad
	MaxName   = 1 << 10  // bytes of one name
	MaxSecret = 1 << 10  // bytes of one secret, decoded
)

// ErrInvalid says that the whole file makes no sense: it is empty, half
// written, or something else than a secrets file. The text that wraps it tells
// the place and never quotes content.
var ErrInvalid = errors.New("not a valid secrets file")

// File is what one look at the file found. Every row of the file is in exactly
// one of Rows and Problems, both in the file's order.
type File struct {
	Rows     []Row
	Problems []Problem
}

// Row is a good row: one TOTP secret, with open2fa's fixed SHA-1, 6 digits and
// 30 seconds. Rows, names and secrets may repeat.
type Row struct {
	Position int     // in the file; first is 1
	Name     *string // as it stands there; nil for null or none
	Secret   secret.Bytes
	Extra    bool // it has other keys too, or one of them twice, which only the file can keep
}

// Problem is a row that was left alone.
type Problem struct {
	Position int    // in the file; first is 1
	Reason   string // lower case, without any content of the row
}

// Wipe overwrites all secrets of f.
func (f File) Wipe() {
	for _, r := range f.Rows {
		r.Secret.Wipe()
	}
}

// Parse reads the content of a secrets file. Keys that it does not know are
// fine anywhere. A bad row becomes a Problem and does not disturb the others;
// only content that is no list of rows at all is an error, ErrInvalid.
func Parse(data []byte) (File, error) {
	list, err := secretsList(data)
	if err != nil {
		return File{}, err
	}
	var f File
	position := 0
	err = jsonwalk.List(list, func(raw []byte) error {
		if position++; position > MaxRows {
			return fmt.Errorf("more than %d rows: %w", MaxRows, ErrInvalid)
		}
		row, reason := parseRow(raw)
		if reason != "" {
			f.Problems = append(f.Problems, Problem{Position: position, Reason: reason})
			return nil
		}
		row.Position = position
		f.Rows = append(f.Rows, row)
		return nil
	})
	if err != nil {
		f.Wipe()
		return File{}, err
	}
	return f, nil
}

// secretsList returns the part of data that is the array under "secrets", which
// is valid JSON.
func secretsList(data []byte) ([]byte, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("larger than %d bytes: %w", MaxSize, ErrInvalid)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // Windows editors add it
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, fmt.Errorf("file is empty: %w", ErrInvalid)
	}
	if at := firstInvalidUTF8(data); at >= 0 {
		return nil, fmt.Errorf("%s is not UTF-8: %w", place(data, at), ErrInvalid)
	}
	if !json.Valid(data) {
		return nil, invalidJSON(data)
	}
	if jsonwalk.First(data) != '{' {
		return nil, fmt.Errorf("content is not a JSON object: %w", ErrInvalid)
	}
	list := member(data, "secrets")
	if len(list) == 0 || list[0] != '[' {
		return nil, fmt.Errorf(`no list named "secrets": %w`, ErrInvalid)
	}
	return list, nil
}

// invalidJSON tells where data stops being JSON. The text of the error that finds
// it is dropped: it may quote a character of a secret.
func invalidJSON(data []byte) error {
	// Unmarshal reports an early end only in words; a decoder has a value for it.
	var value json.RawMessage
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&value); errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("content ends too early, %s: %w", place(data, len(data)), ErrInvalid)
	}
	syntax := new(json.SyntaxError)
	errors.As(json.Unmarshal(data, &value), &syntax)
	return fmt.Errorf("%s is not JSON: %w", place(data, int(syntax.Offset)-1), ErrInvalid)
}

// member returns the value of a member of a JSON object, the last one of several,
// or nil. The spelling of the name counts: encoding/json would let "SECRETS" pass
// for "secrets".
func member(object []byte, name string) (found []byte) {
	_ = jsonwalk.Object(object, func(quoted, value []byte) error {
		if words, plain := jsonwalk.Plain(quoted); plain && string(words) == name || !plain && unquote(quoted) == name {
			found = value
		}
		return nil
	})
	return found
}

// unquote returns what a JSON string says.
func unquote(quoted []byte) (text string) {
	if words, plain := jsonwalk.Plain(quoted); plain {
		return string(words)
	}
	_ = json.Unmarshal(quoted, &text) // it is valid
	return text
}

// place names the byte at offset as an editor does, both numbers from 1.
func place(data []byte, offset int) string {
	before := data[:max(0, min(offset, len(data)))]
	line := bytes.Count(before, []byte("\n"))
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	return fmt.Sprintf("line %d, column %d", line+1, column+1)
}

// firstInvalidUTF8 returns the offset of the first byte that is not UTF-8, or -1.
func firstInvalidUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for at := 0; at < len(data); {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return -1
}

// parseRow returns the row that raw holds, or why it holds none.
func parseRow(raw []byte) (row Row, reason string) {
	if raw[0] != '{' {
		return Row{}, "row is not an object"
	}
	name, typed, extra := parts(raw)
	row.Extra = extra
	if name != nil && string(name) != "null" {
		if name[0] != '"' {
			return Row{}, "name is neither text nor null"
		}
		text := unquote(name)
		if len(text) > MaxName {
			return Row{}, fmt.Sprintf("name is longer than %d bytes", MaxName)
		}
		row.Name = &text
	}
	switch {
	case typed == nil:
		return Row{}, "row has no secret"
	case typed[0] != '"':
		return Row{}, "secret is not text"
	}
	if words, plain := jsonwalk.Plain(typed); plain {
		row.Secret, reason = decode(string(words))
	} else {
		row.Secret, reason = decode(unquote(typed))
	}
	return row, reason
}

// parts returns the values of a row that mean something, the last ones of several,
// and whether there are others.
func parts(raw []byte) (name, typed []byte, extra bool) {
	_ = jsonwalk.Object(raw, func(quoted, value []byte) error {
		switch unquote(quoted) {
		case "name":
			extra, name = extra || name != nil, value
		case "secret":
			extra, typed = extra || typed != nil, value
		default:
			extra = true
		}
		return nil
	})
	return name, typed, extra
}

// decode returns the key bytes that a person typed as base32, or why there are none.
func decode(typed string) (key secret.Bytes, reason string) {
	b, err := totp.DecodeSecret(typed)
	wrong := (*totp.SecretError)(nil)
	switch {
	case errors.Is(err, totp.ErrEmpty):
		return secret.Bytes{}, "secret is empty"
	case errors.As(err, &wrong):
		// Put together from parts that quote nothing.
		return secret.Bytes{}, fmt.Sprintf("secret is not base32: character %d: %v", wrong.Position, wrong.Err)
	case err != nil:
		return secret.Bytes{}, "secret is not base32"
	case len(b) > MaxSecret:
		clear(b)
		return secret.Bytes{}, fmt.Sprintf("secret is longer than %d bytes", MaxSecret)
	}
	return secret.New(b), ""
}
