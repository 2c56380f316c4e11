package vault

import "bytes"

// A walk over JSON that is known to be valid. encoding/json would copy every
// value, the secret among them, into memory that nobody can wipe.

// walk calls member for each member of an object, in order. Almost every name
// is one of a few, so names stay bytes.
func walk(data []byte, member func(name, value []byte) error) error {
	i := skipSpace(data, 0)
	if data[i] != '{' {
		return invalid("not a JSON object")
	}
	for i = skipSpace(data, i+1); data[i] != '}'; i = skipSpace(data, i) {
		if data[i] == ',' {
			i = skipSpace(data, i+1)
		}
		end := valueEnd(data, i)
		name, err := memberName(data[i:end])
		if err != nil {
			return err
		}
		i = skipSpace(data, end) // at the colon
		i = skipSpace(data, i+1)
		end = valueEnd(data, i)
		if err := member(name, data[i:end]); err != nil {
			return err
		}
		i = end
	}
	return nil
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

// walkList calls item for each item of a list, in order.
func walkList(data []byte, item func(value []byte) error) error {
	for i := skipSpace(data, 1); data[i] != ']'; i = skipSpace(data, i) {
		if data[i] == ',' {
			i = skipSpace(data, i+1)
		}
		end := valueEnd(data, i)
		if err := item(data[i:end]); err != nil {
			return err
		}
		i = end
	}
	return nil
}

func skipSpace(data []byte, i int) int {
	for data[i] == ' ' || data[i] == '\t' || data[i] == '\n' || data[i] == '\r' {
		i++
	}
	return i
}

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
	for ; i < len(data); i++ {
		switch data[i] {
		case ',', '}', ']', ' ', '\t', '\n', '\r':
			return i
		}
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
