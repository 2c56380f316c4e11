package command

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Terminals agree about the width of ASCII and of little else: what an emoji of
// several characters takes, or a character of the last Unicode, differs between
// those that people use. So Width is the most that is usual, Cut and Pad go by
// it, and Align tells a terminal where the next column begins, instead of
// counting on where the last one ended.

// Width returns how many cells of a terminal an escaped text takes: marks take
// none, East Asian characters and emoji two. Emoji joined to one picture count
// each, since many terminals draw them so.
func Width(text string) int {
	cells, last := 0, 0
	for _, r := range text {
		n := runeWidth(r)
		if r == asPicture && last == 1 {
			n = 1 // the symbol before it becomes a picture of two cells
		}
		cells, last = cells+n, n
	}
	return cells
}

func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case r == joiner, r >= 0x1160 && r <= 0x11ff, r >= 0xd7b0 && r <= 0xd7fb, isMark(r):
		return 0 // vowels and finals of Hangul are drawn into the syllable
	case isWide(r):
		return 2
	}
	return 1
}

// wideSymbols are the symbols among the narrow ones that are pictures by themselves.
const wideSymbols = "⌚⌛⏩⏪⏫⏬⏰⏳◽◾☔☕☰☱☲☳☴☵☶☷♈♉♊♋♌♍♎♏♐♑♒♓♿⚊⚋⚌⚍⚎⚏⚓⚡⚪⚫⚽⚾⛄⛅⛎⛔⛪⛲⛳⛵⛺⛽✅✊✋✨❌❎❓❔❕❗➕➖➗➰➿⬛⬜⭐⭕\u2329\u232a"

// wide lists the other ranges of two cells: East Asian Width W and F of Unicode
// 17, with the unassigned and the invisible between them.
var wide = [...][2]rune{
	{0x1100, 0x115f}, {0x2e80, 0x303e}, {0x3041, 0xa4c6}, {0xa960, 0xa97c}, {0xac00, 0xd7a3},
	{0xf900, 0xfaff}, {0xfe10, 0xfe6b}, {0xff01, 0xff60}, {0xffe0, 0xffe6}, {0x16fe0, 0x18df2},
	{0x1aff0, 0x1b2fb}, {0x1d300, 0x1d376}, {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f18e},
	{0x1f191, 0x1f19a}, {0x1f200, 0x1f320}, {0x1f32d, 0x1f335}, {0x1f337, 0x1f37c}, {0x1f37e, 0x1f393},
	{0x1f3a0, 0x1f3ca}, {0x1f3cf, 0x1f3d3}, {0x1f3e0, 0x1f3f0}, {0x1f3f4, 0x1f3f4}, {0x1f3f8, 0x1f43e},
	{0x1f440, 0x1f440}, {0x1f442, 0x1f4fc}, {0x1f4ff, 0x1f53d}, {0x1f54b, 0x1f54e}, {0x1f550, 0x1f567},
	{0x1f57a, 0x1f57a}, {0x1f595, 0x1f596}, {0x1f5a4, 0x1f5a4}, {0x1f5fb, 0x1f64f}, {0x1f680, 0x1f6c5},
	{0x1f6cc, 0x1f6cc}, {0x1f6d0, 0x1f6d2}, {0x1f6d5, 0x1f6df}, {0x1f6eb, 0x1f6ec}, {0x1f6f4, 0x1f6fc},
	{0x1f7e0, 0x1f7f0}, {0x1f90c, 0x1f93a}, {0x1f93c, 0x1f945}, {0x1f947, 0x1f9ff}, {0x1fa70, 0x1faff},
	{0x20000, 0x3fffd},
}

func isWide(r rune) bool {
	if r >= 0x2190 && r <= 0x2bff {
		return strings.ContainsRune(wideSymbols, r)
	}
	_, found := slices.BinarySearchFunc(wide[:], r, func(w [2]rune, r rune) int {
		switch {
		case r < w[0]:
			return 1
		case r > w[1]:
			return -1
		}
		return 0
	})
	return found
}

// Cut returns an escaped text that takes at most the given number of cells, the
// last of which is … where something was cut off. It takes escapes, marked
// characters and joined emoji whole or not at all.
func Cut(text string, cells int) string {
	if Width(text) <= cells {
		return text
	}
	if cells < 1 {
		return ""
	}
	kept, at := 0, 0
	for at < len(text) {
		n := unit(text[at:])
		if kept += Width(text[at : at+n]); kept > cells-1 {
			break
		}
		at += n
	}
	return text[:at] + "…"
}

// Shorten is Cut for a text that is not escaped yet: what it returns takes at
// most that many cells once it is.
func Shorten(text string, cells int) string {
	if Width(Escape(text)) <= cells {
		return text
	}
	short := ""
	for at := range text {
		shown := Width(Escape(text[:at] + "…"))
		if shown <= cells {
			short = text[:at] + "…"
		} else if shown > 2*cells { // a joiner at the end takes more than with what it joins
			break
		}
	}
	return short
}

// unit returns how many bytes at the beginning of an escaped text belong
// together: an escape, or a character with its marks and what is joined to it.
func unit(text string) int {
	if strings.HasPrefix(text, `\u{`) || strings.HasPrefix(text, `\x{`) {
		return max(1, strings.IndexByte(text, '}')+1)
	}
	first, n := utf8.DecodeRuneInString(text)
	for joined := false; n < len(text); {
		r, size := utf8.DecodeRuneInString(text[n:])
		pair := isRegional(first) && isRegional(r)
		if !joined && !pair && runeWidth(r) > 0 && !isSkinTone(r) {
			break
		}
		if pair {
			first = 0 // a flag has two letters
		}
		joined = r == joiner
		n += size
	}
	return n
}

// isRegional says whether r is one of the letters of which two make a flag.
func isRegional(r rune) bool { return r >= 0x1f1e6 && r <= 0x1f1ff }

// isSkinTone says whether r colours the emoji before it.
func isSkinTone(r rune) bool { return r >= 0x1f3fb && r <= 0x1f3ff }

// Pad returns text with blanks up to the given number of cells.
func Pad(text string, cells int) string {
	return text + strings.Repeat(" ", max(0, cells-Width(text)))
}

// Align returns the lines of a table for a terminal that understands ANSI's
// sequences: behind each text of which terminals do not agree how wide it is,
// the cursor is set to where the next column begins. Columns stand apart by two
// blanks or more. Lines of more than width cells would wrap and stay as they
// are; 0 means no bound.
func Align(table string, width int) string {
	if isPlain(strings.ReplaceAll(table, "\n", "")) {
		return table
	}
	var b strings.Builder
	for line := range strings.Lines(table) {
		if isPlain(strings.TrimSuffix(line, "\n")) || width > 0 && Width(strings.TrimSuffix(line, "\n")) > width {
			b.WriteString(line)
			continue
		}
		alignLine(&b, line)
	}
	return b.String()
}

// alignLine writes one line of a table, with the cursor's moves.
func alignLine(b *strings.Builder, line string) {
	for at, cells := 0, 0; at < len(line); {
		text, _, found := strings.Cut(line[at:], "  ")
		if !found {
			b.WriteString(line[at:])
			return
		}
		blanks := len(line[at+len(text):]) - len(strings.TrimLeft(line[at+len(text):], " "))
		cells += Width(text) + blanks
		b.WriteString(text + strings.Repeat(" ", blanks))
		if !isPlain(text) {
			// What an earlier frame left between is erased.
			b.WriteString("\x1b[K\x1b[" + strconv.Itoa(cells+1) + "G")
		}
		at += len(text) + blanks
	}
}
