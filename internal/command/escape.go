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
// characters (bidi overrides and isolates, zero-width, tags, fillers) are shown
// as \u{…}, bytes that are no UTF-8 as \x{…}. A backslash that would read as
// such an escape is itself escaped, so different texts stay different.
//
// Marks pass where they belong: up to maxMarks on one character, a joiner
// between two emoji, a selector behind what it selects a form of. Marks at the
// beginning would stand on what was printed before.
func Escape(text string) string {
	if isPlain(text) {
		return text
	}
	var b strings.Builder
	for g := (gaze{rest: text}); g.rest != ""; {
		r, size, safe := g.next()
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x{%x}`, text[len(text)-len(g.rest)-1])
		case !safe, r == '\\' && (strings.HasPrefix(g.rest, "u{") || strings.HasPrefix(g.rest, "x{")):
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
	return escapeJSON(raw, false)
}

// escapeJSON is EscapeJSON, which may escape all that is not ASCII, too.
func escapeJSON(raw []byte, ascii bool) []byte {
	out := make([]byte, 0, len(raw)+16)
	for g := (gaze{rest: string(raw)}); g.rest != ""; {
		r, _, safe := g.next()
		switch {
		case r == '\n', r == '\t', safe && (!ascii || r <= '~'):
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

// maxMarks is how many marks one character may carry: more than any script
// needs, and too few to paint over the lines around.
const maxMarks = 4

// gaze walks over a text and says of each character whether it is fit to be
// shown where it stands.
type gaze struct {
	rest   string
	before rune // the last character that was fit, 0 at the beginning and after one that was not
	marks  int  // how many marks the last character has
}

// next returns the character that begins the rest, its bytes, and whether it
// is fit to be shown.
func (g *gaze) next() (r rune, size int, safe bool) {
	r, size = utf8.DecodeRuneInString(g.rest)
	g.rest = g.rest[size:]
	mark := isMark(r)
	switch {
	case r == utf8.RuneError && size == 1:
	case r == joiner:
		safe = isEmoji(g.before) && startsWithEmoji(g.rest)
	case unicode.Is(unicode.Variation_Selector, r):
		safe = g.selects(r)
	case mark && (g.before == 0 || g.marks == maxMarks):
	default:
		safe = !unsafeRune(r)
	}
	if g.before = 0; safe {
		g.before = r
	}
	if g.marks++; !mark {
		g.marks = 0
	}
	return r, size, safe
}

// selects says whether a selector picks a form of the character before it: the
// picture or the letter of a symbol or a keycap, or a variant of a Han character.
func (g *gaze) selects(selector rune) bool {
	if selector == asText || selector == asPicture {
		return g.before != asPicture && isEmoji(g.before) || strings.ContainsRune("©®‼⁉™ℹ〰〽㊗㊙", g.before) ||
			strings.ContainsRune("0123456789#*", g.before) && strings.HasPrefix(g.rest, "\u20e3")
	}
	return unicode.Is(unicode.Han, g.before)
}

// unsafeRune says whether r could act on a terminal, or deceive its reader: what
// shows nothing, and what no character is yet, which some terminals leave out.
func unsafeRune(r rune) bool {
	switch {
	case r < 0x80:
		return unicode.IsControl(r)
	case r == 0x2800: // a Braille pattern of no dots
		return true
	case isEmoji(r):
		return false // newer ones than our tables, too
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Cn, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point)
}

// isMark says whether r is drawn onto the character before it.
func isMark(r rune) bool { return r >= 0x300 && unicode.In(r, unicode.Mn, unicode.Me) }

const (
	joiner    = 0x200d // zero-width joiner
	asText    = 0xfe0e // variation selector 15
	asPicture = 0xfe0f // variation selector 16
)

// isEmoji says whether r is, or ends, a picture that a joiner may join: a
// pictograph, a skin tone, or the selector that makes a symbol a picture.
func isEmoji(r rune) bool {
	return r >= 0x1f000 && r <= 0x1faff || r >= 0x2190 && r <= 0x2bff || r == asPicture
}

// startsWithEmoji says whether a picture begins text; a selector only ends one.
func startsWithEmoji(text string) bool {
	r, _ := utf8.DecodeRuneInString(text)
	return r != asPicture && isEmoji(r)
}
