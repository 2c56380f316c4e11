package jsonwalk

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"
	"unicode/utf8"
)

// values returns what a walk finds: by name, the last of several, or in order.
func values(t *testing.T, data []byte) (named map[string]string, listed []string) {
	t.Helper()
	named = map[string]string{}
	var err error
	switch First(data) {
	case '{':
		err = Object(data, func(quoted, value []byte) error {
			words, plain := Plain(quoted)
			name := string(words)
			if !plain {
				if err := json.Unmarshal(quoted, &name); err != nil {
					t.Fatal(err)
				}
			}
			named[name] = string(value)
			return nil
		})
	case '[':
		err = List(data, func(value []byte) error { listed = append(listed, string(value)); return nil })
	}
	if err != nil {
		t.Fatal(err)
	}
	return named, listed
}

// FuzzWalk holds the walk against encoding/json, which copies.
func FuzzWalk(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, ` {"a" : 1 , "b":[1,{"c":"]}"}],"a":null} `, "[\n1,\t\"\\\"]\" ,true,[[],{}],-0.5e+1 ]\r\n",
		`{"\u0061\"":"\\","":{"x":"{[\\\"","y":[]}}`, `"text"`, `7`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if !json.Valid(data) || !utf8.Valid(data) { // for which encoding/json puts another character
			return
		}
		before := bytes.Clone(data)
		named, listed := values(t, data)
		if !bytes.Equal(before, data) {
			t.Fatal("the walk changed its input")
		}
		var members map[string]json.RawMessage
		var items []json.RawMessage
		_, _ = json.Unmarshal(data, &members), json.Unmarshal(data, &items) // one of them does not apply
		if !maps.EqualFunc(named, members, func(a string, b json.RawMessage) bool { return a == string(b) }) {
			t.Errorf("%q: members %q, want %q", data, named, members)
		}
		if !slices.EqualFunc(listed, items, func(a string, b json.RawMessage) bool { return a == string(b) }) {
			t.Errorf("%q: items %q, want %q", data, listed, items)
		}
	})
}

func TestWalkEndsAtAnError(t *testing.T) {
	enough, n := errors.New("enough"), 0
	count := func() error {
		if n++; n%2 == 0 {
			return enough
		}
		return nil
	}
	if err := Object([]byte(`{"a":1,"b":2,"c":3}`), func(_, _ []byte) error { return count() }); !errors.Is(err, enough) || n != 2 {
		t.Errorf("%d members, %v", n, err)
	}
	if err := List([]byte(`[1,2,3]`), func([]byte) error { return count() }); !errors.Is(err, enough) || n != 4 {
		t.Errorf("%d values in all, %v", n, err)
	}
}
