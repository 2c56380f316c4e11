package vault

import "bytes"

// A walk over JSON that is known to be valid. encoding/json would copy every
// value, the secret among them, into memory that nobody can wipe.

// walk calls member for each member of an object, in order. Almost every name
// is one of a few, so names stay bytes.
func walk(data []byte, member func(name, value []byte) error) error {
	if data[skipSpace(data, 0)] != '{' {
		return invalid("not a JSON object")
	}
	var name []byte
	return walkList(data, func(value []byte) (err error) {
		if name == nil {
			name, err = memberName(value)
			return err
		}
		err = member(name, value)
		name = nil
		return err
	})
}

// walkList calls item for each item of a list, in order; of an object for each
// name and each value.
func walkList(data []byte, item func(value []byte) error) error {
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

// memberName returns what a quoted name says.
func memberName(quoted []byte) ([]byte, error) {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1], nil
	}
	var name string
	err := text(quoted, &name)
	return []byte(name), err
}

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
