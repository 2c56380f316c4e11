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
// such an escape is itself escaped, so different texts stay different. The one
// format character let through is the joiner between two emoji, which makes one
// picture of them.
func Escape(text string) string {
	if isPlain(text) {
		return text
	}
	var b strings.Builder
	var before rune
	for i, size := 0, 0; i < len(text); i += size {
		var r rune
		r, size = utf8.DecodeRuneInString(text[i:])
		rest := text[i+size:]
		joins := r == joiner && isEmoji(before) && startsWithEmoji(rest)
		before = r
		switch {
		case joins:
			b.WriteRune(r)
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

// joiner is U+200D, the zero-width joiner.
const joiner = 0x200d

// isEmoji says whether r is, or ends, a picture that a joiner may join: a
// pictograph, a skin tone, or the selector that makes a symbol a picture.
func isEmoji(r rune) bool {
	return r >= 0x1f000 && r <= 0x1faff || r >= 0x2190 && r <= 0x2bff || r == 0xfe0f
}

// startsWithEmoji says whether a picture begins text; a selector only ends one.
func startsWithEmoji(text string) bool {
	r, _ := utf8.DecodeRuneInString(text)
	return r != 0xfe0f && isEmoji(r)
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
		case r == joiner, unicode.In(r, unicode.Mn, unicode.Me):
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

// Cut returns an escaped text that takes at most the given number of cells, the
// last of which is … where something was cut off.
func Cut(text string, cells int) string {
	if Width(text) <= cells {
		return text
	}
	kept := 0
	for i, r := range text {
		if kept += Width(string(r)); kept > cells-1 {
			return text[:i] + "…"
		}
	}
	return text
}

// Pad returns text with blanks up to the given number of cells.
func Pad(text string, cells int) string {
	return text + strings.Repeat(" ", max(0, cells-Width(text)))
}
