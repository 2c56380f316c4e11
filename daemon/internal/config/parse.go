package config

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// mark is what some editors put before a text; TOML has no place for it.
var mark = []byte("\ufeff")

// span is a piece of a text.
type span struct{ from, to int }

// setting is one line, or more, of the text that gives a key its value.
type setting struct {
	key          *Key
	whole, value span
}

// Parse reads a text. It refuses what is larger than MaxSize, no TOML, an unknown
// key, a value of the wrong type or out of bounds, and a key that stands twice:
// always with an *Error, the first one there is.
func Parse(text []byte) (Config, error) {
	c, _, err := parse(text)
	if err != nil {
		return Config{}, err
	}
	return c, nil
}

// parse is Parse, and where each key stands.
func parse(text []byte) (Config, []setting, error) {
	c := Default()
	if len(text) > MaxSize {
		return c, nil, &Error{Line: 1, Message: fmt.Sprintf("the file is larger than %d bytes", MaxSize)}
	}
	skip := 0
	if bytes.HasPrefix(text, mark) {
		skip = len(mark)
	}
	var p unstable.Parser
	p.Reset(text[skip:])
	var settings []setting
	for p.NextExpression() {
		s, err := read(&c, &p, p.Expression())
		if err != nil {
			return c, nil, err
		}
		for _, piece := range []*span{&s.whole, &s.value} {
			piece.from += skip
			piece.to += skip
		}
		settings = append(settings, s)
	}
	if err := p.Error(); err != nil {
		return c, nil, notTOML(&p, err)
	}
	return c, settings, nil
}

// read takes one expression of the text into c.
func read(c *Config, p *unstable.Parser, node *unstable.Node) (setting, error) {
	name, at := keyOf(node)
	wrong := func(format string, args ...any) (setting, error) {
		return setting{}, &Error{Line: p.Shape(at).Start.Line, Message: fmt.Sprintf(format, args...)}
	}
	if node.Kind != unstable.KeyValue {
		return wrong("there are no tables in this file")
	}
	k, ok := find(name)
	if !ok {
		return wrong("%s", unknown(name))
	}
	if c.Given(*k) {
		return wrong("%s stands here a second time", name)
	}
	value := node.Value()
	if text, ok := k.text(value); !ok || !k.put(c, text) {
		return wrong("%s must be %s%s", name, k.Values, k.quotes(value.Kind))
	}
	c.given = append(c.given, name)
	return setting{key: k, whole: spanOf(node.Raw), value: spanOf(value.Raw)}, nil
}

// text returns a value in the form that Edit takes, if it is of k's type.
func (k *Key) text(value *unstable.Node) (text string, ok bool) {
	if !k.number {
		return string(value.Data), value.Kind == unstable.String
	}
	n, err := strconv.ParseInt(string(value.Data), 0, 64) // TOML has 0x1e and 1_000, too
	return strconv.FormatInt(n, 10), value.Kind == unstable.Integer && err == nil
}

// quotes is what a message adds where the value has quotes that it must not
// have, or none although it must.
func (k *Key) quotes(kind unstable.Kind) string {
	switch {
	case k.number && kind == unstable.String:
		return ", without quotes"
	case !k.number && kind != unstable.String:
		return ", in quotes"
	}
	return ""
}

func spanOf(r unstable.Range) span {
	return span{int(r.Offset), int(r.Offset + r.Length)}
}

// keyOf returns the name of an expression, dots and all, and where it stands.
func keyOf(node *unstable.Node) (name string, at unstable.Range) {
	var parts []string
	for it := node.Key(); it.Next(); {
		if len(parts) == 0 {
			at = it.Node().Raw
		}
		parts = append(parts, string(it.Node().Data))
	}
	return strings.Join(parts, "."), at
}

// notTOML is the parser's own error. It quotes no more than one character.
func notTOML(p *unstable.Parser, err error) error {
	syntax := (*unstable.ParserError)(nil)
	if !errors.As(err, &syntax) {
		return &Error{Line: 1, Message: "not valid TOML"}
	}
	return &Error{Line: p.Shape(p.Range(syntax.Highlight)).Start.Line, Message: "not valid TOML: " + syntax.Message}
}
