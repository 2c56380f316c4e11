package command

import (
	"strings"
	"testing"
)

// widths are texts with the cells that they take. Where terminals differ it is
// the most that xterm 379, VTE 0.70, tmux 3.3a, screen 4.9 and kitty 0.26 give,
// but for what kitty alone does.
var widths = []struct {
	text  string
	cells int
}{
	{"", 0}, {"abc", 3}, {"Zürich", 6}, {"Zu\u0308rich", 6}, {"Ж", 1}, {"שָׁלוֹם", 4}, {"مرحبا", 5}, {"ที่", 1},
	{"日本", 4}, {"한국", 4}, {"\u1112\u1161\u11ab", 2}, {"Ａ", 2}, {"ｱ", 1}, {"か\u3099", 2}, {"葛\U000e0100", 2}, {"𠀀", 2}, {"㉈", 2}, {"䷀", 2}, {"𛀀", 2},
	{"👍", 2}, {"👍🏽", 4}, {"👨\u200d👩", 4}, {"👨\u200d👩\u200d👧", 6}, {"🏳\ufe0f\u200d🌈", 4}, {"🏴\u200d☠\ufe0f", 4}, {"👩🏽\u200d⚕\ufe0f", 6},
	{"❤", 1}, {"❤\ufe0f", 2}, {"❤\ufe0e", 1}, {"⚙\ufe0f", 2}, {"©\ufe0f", 2}, {"1\ufe0f\u20e3", 2}, {"🌡", 1}, {"🌡\ufe0f", 2}, {"👍\ufe0f", 2},
	{"🇨🇭", 2}, {"✅", 2}, {"⭐", 2}, {"⚡", 2}, {"⌚", 2}, {"🀄", 2}, {"🃏", 2}, {"🆎", 2}, {"🈀", 2}, {"🟠", 2}, {"🪐", 2}, {"🩰", 2}, {"\U0001fae8", 2},
	{"🛠", 1}, {"🛰", 1}, {"🙐", 1}, {"🚀", 2}, {"↔", 1}, {"─", 1}, {"○", 1}, {"\ue0b0", 1}, {"\ufffd", 1},
}

func TestWidth(t *testing.T) {
	for _, tc := range widths {
		if got := Width(tc.text); got != tc.cells || Escape(tc.text) != tc.text {
			t.Errorf("Width(%q) = %d, want %d; escaped: %s", tc.text, got, tc.cells, Escape(tc.text))
		}
	}
	if got := Pad("日本", 6) + "|"; got != "日本  |" {
		t.Errorf("%q", got)
	}
	if got := Pad("long", 2); got != "long" {
		t.Errorf("%q", got)
	}
}

// The search needs the ranges in order, each with its ends in order.
func TestWideRanges(t *testing.T) {
	last := rune(0x1000)
	for _, w := range wide {
		if w[0] <= last || w[1] < w[0] {
			t.Errorf("%x", w)
		}
		for _, r := range w {
			if !isWide(r) {
				t.Errorf("%x is not wide", r)
			}
		}
		if isWide(w[0]-1) || isWide(w[1]+1) {
			t.Errorf("beside %x is wide", w)
		}
		last = w[1]
	}
}

func TestCut(t *testing.T) {
	for _, tc := range []struct {
		text  string
		cells int
		want  string
	}{
		{"", 3, ""}, {"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"日本語", 6, "日本語"}, {"日本語", 5, "日本…"}, {"日本語", 4, "日…"},
		{"abc", 1, "…"}, {"abc", 0, ""}, {"abc", -1, ""},
		{`ab\u{1b}cd`, 8, "ab…"}, {`ab\u{1b}cd`, 9, `ab\u{1b}…`}, {`\x{ff}abc`, 8, `\x{ff}a…`}, {`\u{`, 2, `\…`},
		{"Zu\u0308rich", 3, "Zu\u0308…"}, {"a👨\u200d👩\u200d👧b", 7, "a…"}, {"a👨\u200d👩\u200d👧bc", 8, "a👨\u200d👩\u200d👧…"},
		{"👍🏽👍🏽", 4, "…"}, {"👍🏽👍🏽", 5, "👍🏽…"}, {"🇨🇭🇨🇭🇨🇭", 5, "🇨🇭🇨🇭…"}, {"🇨🇭🇨🇭🇨🇭", 4, "🇨🇭…"}, {"1\ufe0f\u20e3abc", 3, "1\ufe0f\u20e3…"},
	} {
		if got := Cut(tc.text, tc.cells); got != tc.want || Width(got) > max(0, tc.cells) {
			t.Errorf("Cut(%q, %d) = %q, want %q", tc.text, tc.cells, got, tc.want)
		}
	}
}

// What is shortened fits once it is escaped, and keeps as much as fits.
func TestShorten(t *testing.T) {
	for _, tc := range []struct {
		text  string
		cells int
		want  string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"a\x1b[2J", 10, "a\x1b[2J"}, {"a\x1b[2J", 9, "a\x1b[…"}, {"\x1b\x1b\x1b", 13, "\x1b\x1b…"},
		{"\x1b\x1b", 5, "…"}, {"", 0, ""}, {"x", 0, ""}, {"日本語", 5, "日本…"}, {"👨\u200d👩\u200d👧b", 6, "👨\u200d👩…"},
	} {
		if got := Shorten(tc.text, tc.cells); got != tc.want || Width(Escape(got)) > tc.cells {
			t.Errorf("Shorten(%q, %d) = %q, want %q", tc.text, tc.cells, got, tc.want)
		}
	}
}

func FuzzCut(f *testing.F) {
	for _, tc := range widths {
		f.Add(tc.text+" "+tc.text, 3)
	}
	f.Add("a\x1b[2J\u202e\xff", 4)
	f.Fuzz(func(t *testing.T, text string, cells int) {
		cells %= 100
		if got := Shorten(text, cells); Width(Escape(got)) > max(0, cells) {
			t.Errorf("Shorten(%q, %d) = %q", text, cells, got)
		}
		text = Escape(text)
		got := Cut(text, cells)
		if Width(got) > max(0, cells) {
			t.Errorf("Cut(%q, %d) = %q of %d cells", text, cells, got, Width(got))
		}
		kept, cut := strings.CutSuffix(got, "…")
		if got != text && !(cut && strings.HasPrefix(text, kept) || got == "") {
			t.Errorf("Cut(%q, %d) = %q", text, cells, got)
		}
	})
}

func TestAlign(t *testing.T) {
	const plain = "\nName    Secret\n----    ------\nabc     I...E\n\n"
	for _, tc := range []struct {
		table string
		width int
		want  string
	}{
		{plain, 80, plain},
		{"⚙\ufe0f x    I...E  9\nabcd    I...E  9\n", 0, "⚙\ufe0f x    \x1b[K\x1b[9GI...E  9\nabcd    I...E  9\n"},
		{"日本    a  ü  b\n", 0, "日本    \x1b[K\x1b[9Ga  ü  \x1b[K\x1b[15Gb\n"},
		{"日本    a\n", 9, "日本    \x1b[K\x1b[9Ga\n"},
		{"日本    a\n", 8, "日本    a\n"}, // wraps
		{"no column ü\n", 0, "no column ü\n"},
		{"ü  ", 0, "ü  \x1b[K\x1b[4G"},
	} {
		if got := Align(tc.table, tc.width); got != tc.want {
			t.Errorf("Align(%q, %d) =\n%q, want\n%q", tc.table, tc.width, got, tc.want)
		}
	}
}
