package command

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Escape returns text that is safe to print in one line on a terminal: control
// characters of both sets, line and paragraph separators, and all invisible
// format characters (bidi overrides and isolates, zero-width, tags) are shown
// as \u{…}, bytes that are no UTF-8 as \x{…}. A backslash that would read as
// such an escape is itself escaped, so different texts stay different.
func Escape(text string) string {
	if isPlain(text) {
		return text
	}
	var b strings.Builder
	for i, size := 0, 0; i < len(text); i += size {
		var r rune
		r, size = utf8.DecodeRuneInString(text[i:])
		rest := text[i+size:]
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x{%x}`, text[i])
		case unsafeRune(r), r == '\\' && (strings.HasPrefix(rest, "u{") || strings.HasPrefix(rest, "x{")):
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// EscapeJSON writes the same characters of a JSON text as \uXXXX, but for the
// newlines and tabs between its values. The result means the same.
func EscapeJSON(raw []byte) []byte {
	if isPlain(string(raw)) {
		return raw
	}
	out := make([]byte, 0, len(raw)+16)
	for _, r := range string(raw) {
		switch {
		case r == '\n', r == '\t', !unsafeRune(r):
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// isPlain is the quick answer for nearly every text: printable ASCII without a
// backslash.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '\\' {
			return false
		}
	}
	return true
}

// unsafeRune says whether r could act on a terminal, or deceive its reader.
func unsafeRune(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
}

// wide lists the ranges of two cells, from Unicode's East Asian Width as
// terminals draw it. Names are short: a few ranges do where a table would cost
// each start of the program.
var wide = [...][2]rune{
	{0x1100, 0x115f}, {0x2e80, 0x303e}, {0x3041, 0x33ff}, {0x3400, 0x4dbf}, {0x4e00, 0x9fff},
	{0xa000, 0xa4cf}, {0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0xfe30, 0xfe6f}, {0xff00, 0xff60},
	{0xffe0, 0xffe6}, {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
}

// Width returns how many cells of a terminal an escaped text takes: combining
// marks take none, East Asian and emoji two.
func Width(text string) int {
	cells := 0
	for _, r := range text {
		switch {
		case r < 0x300:
			cells++
		case unicode.In(r, unicode.Mn, unicode.Me):
		case isWide(r):
			cells += 2
		default:
			cells++
		}
	}
	return cells
}

func isWide(r rune) bool {
	for _, w := range wide {
		if r >= w[0] && r <= w[1] {
			return true
		}
	}
	return false
}

// Pad returns text with blanks up to the given number of cells.
func Pad(text string, cells int) string {
	return text + strings.Repeat(" ", max(0, cells-Width(text)))
}
