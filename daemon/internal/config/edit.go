package config

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Edit returns text with the keys of set changed to their values and those of
// unset taken out. Comments, blank lines, the order of keys and the form of all
// others stay as they are; a key that was not there comes last.
//
// The error is a *ValueError for a change that makes no sense, and an *Error for
// a text that is no configuration: such a text is never edited.
func Edit(text []byte, set map[string]string, unset []string) ([]byte, error) {
	was, settings, err := parse(text)
	if err != nil {
		return nil, err
	}
	want, err := was.with(set, unset)
	if err != nil {
		return nil, err
	}
	edited := slices.Clone(text)
	for _, s := range slices.Backward(settings) { // so that the places before stay valid
		switch k := s.key; {
		case !want.Given(*k):
			edited = cut(edited, s.whole)
		case k.get(want) != k.get(was):
			edited = slices.Replace(edited, s.value.from, s.value.to, []byte(k.quote(set[k.Name]))...)
		}
	}
	for _, k := range keys {
		if want.Given(k) && !was.Given(k) {
			edited = appendLine(edited, k.Name+" = "+k.quote(set[k.Name]))
		}
	}
	// Nobody writes what does not say exactly what was asked for.
	if got, err := Parse(edited); err != nil || !got.same(want) {
		return nil, errors.New("editing the configuration: the new text does not say what was asked for")
	}
	return edited, nil
}

// with returns c with changes made.
func (c Config) with(set map[string]string, unset []string) (Config, error) {
	c.given = slices.Clone(c.given)
	for _, name := range slices.Sorted(maps.Keys(set)) {
		k, ok := find(name)
		switch {
		case !ok:
			return c, Unknown(name)
		case slices.Contains(unset, name):
			return c, &ValueError{Message: name + " cannot be set and unset at once"}
		case !k.put(&c, set[name]):
			return c, &ValueError{Message: name + " must be " + k.Values}
		case !c.Given(*k):
			c.given = append(c.given, name)
		}
	}
	for _, name := range unset {
		k, ok := find(name)
		if !ok {
			return c, Unknown(name)
		}
		k.put(&c, k.Default)
		c.given = slices.DeleteFunc(c.given, func(g string) bool { return g == name })
	}
	return c, nil
}

// cut takes a setting out of the text, with its line; but where a comment stands
// behind it, that keeps the line.
func cut(text []byte, s span) []byte {
	to := s.to
	for to < len(text) && (text[to] == ' ' || text[to] == '\t') {
		to++
	}
	if to < len(text) && text[to] == '#' {
		return slices.Delete(text, s.from, to)
	}
	if end := bytes.IndexByte(text[to:], '\n'); end >= 0 {
		to += end + 1
	} else {
		to = len(text)
	}
	from := s.from
	for from > 0 && (text[from-1] == ' ' || text[from-1] == '\t') {
		from--
	}
	return slices.Delete(text, from, to)
}

// appendLine adds a line, in the manner of those before it.
func appendLine(text []byte, line string) []byte {
	end := "\n"
	if bytes.Contains(text, []byte("\r\n")) {
		end = "\r\n"
	}
	if rest := bytes.TrimPrefix(text, mark); len(rest) > 0 && rest[len(rest)-1] != '\n' {
		text = append(text, end...)
	}
	return append(text, line+end...)
}

// quote returns a value as it stands in the text. No value has a control
// character.
func (k *Key) quote(value string) string {
	switch {
	case k.number:
		n, err := strconv.Atoi(value)
		if err != nil {
			panic("config: " + k.Name + " was not checked") // put has done it
		}
		return strconv.Itoa(n)
	case !strings.ContainsAny(value, `"\`):
		return `"` + value + `"`
	case !strings.Contains(value, "'"):
		return "'" + value + "'" // paths of Windows read better so
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}
