// Package jsonwalk owns a walk over JSON that hands out the bytes as they stand
// there. encoding/json would copy every value, the secret among them, into memory
// that nobody can wipe, and more than once. It knows nothing of what it walks
// over, and checks nothing: the JSON must have passed json.Valid, else it panics.
package jsonwalk

import "bytes"

// Object calls member for each member of the object that is data, in order, until
// one returns an error. Names come with their quotes, see Plain.
func Object(data []byte, member func(quoted, value []byte) error) error {
	var name []byte
	return List(data, func(value []byte) (err error) {
		if name == nil {
			name = value
			return nil
		}
		err = member(name, value)
		name = nil
		return err
	})
}

// List calls item for each item of the list that is data, in order, until one
// returns an error; of an object for each name and each value.
func List(data []byte, item func(value []byte) error) error {
	for i := skipSpace(data, 0) + 1; ; {
		for isSpace(data[i]) || data[i] == ',' || data[i] == ':' {
			i++
		}
		if data[i] == ']' || data[i] == '}' {
			return nil
		}
		end := valueEnd(data, i)
		if err := item(data[i:end]); err != nil {
			return err
		}
		i = end
	}
}

// Plain returns what a string says without its quotes; plain is false if there
// are escapes in it, which encoding/json knows how to read.
func Plain(quoted []byte) (text []byte, plain bool) {
	return quoted[1 : len(quoted)-1], bytes.IndexByte(quoted, '\\') < 0
}

// First returns the first byte of a value, which tells its kind.
func First(data []byte) byte { return data[skipSpace(data, 0)] }

func skipSpace(data []byte, i int) int {
	for isSpace(data[i]) {
		i++
	}
	return i
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// valueEnd returns where the value that begins at i ends.
func valueEnd(data []byte, i int) int {
	switch data[i] {
	case '"':
		return stringEnd(data, i)
	case '{', '[':
		for depth := 0; ; i++ {
			switch data[i] {
			case '"':
				i = stringEnd(data, i) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
	}
	for i < len(data) && !isSpace(data[i]) && data[i] != ',' && data[i] != ']' && data[i] != '}' {
		i++
	}
	return i
}

func stringEnd(data []byte, i int) int {
	for i++; data[i] != '"'; i++ {
		if data[i] == '\\' {
			i++
		}
	}
	return i + 1
}
