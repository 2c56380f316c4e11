package ptytest

import "unicode"

// Three ideas of width, of which the terminals in use have one or a mixture.

// Summed counts each character by itself, as xterm and VTE do: pictures take two
// cells, also those that are joined, and a selector changes nothing.
func Summed(_ rune, _ int, r rune) int {
	switch {
	case r == 0x200d, unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r >= 0x1f3fb && r <= 0x1f3ff:
		return 2
	}
	return eastAsian(r)
}

// Joined counts each picture once, as kitty and others do that follow Unicode's
// grapheme clusters: a selector makes a symbol wide.
func Joined(before rune, cells int, r rune) int {
	switch {
	case before == 0x200d, r >= 0x1f3fb && r <= 0x1f3ff:
		return 0
	case r == 0xfe0f && cells == 1:
		return 1
	case r == 0xfe0f:
		return 0
	}
	return Summed(before, cells, r)
}

// Narrow gives one cell to everything, as a terminal without a table does.
func Narrow(_ rune, _ int, r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me) || r == 0x200d {
		return 0
	}
	return 1
}

// eastAsian is coarse: it has two cells for what tests show.
func eastAsian(r rune) int {
	if r >= 0x1100 && r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 || r >= 0xff01 && r <= 0xff60 ||
		r >= 0x1f300 && r <= 0x1f64f || r >= 0x1f680 && r <= 0x1f6ff || r >= 0x1f900 && r <= 0x1f9ff || r >= 0x20000 {
		return 2
	}
	return 1
}
