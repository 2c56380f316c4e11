package command

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestEscape(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", ""}, {"GitHub: ann@example.com", "GitHub: ann@example.com"},
		{"日本 Zürich 👍", "日本 Zürich 👍"},
		{"a\nb\r\tc\x00", `a\u{a}b\u{d}\u{9}c\u{0}`},
		{"\x1b[31mred\x7f", `\u{1b}[31mred\u{7f}`},
		{"\u009b2J", `\u{9b}2J`},
		{"\u202egpj.exe\u202c \u2066x\u2069 \u200fy", `\u{202e}gpj.exe\u{202c} \u{2066}x\u{2069} \u{200f}y`},
		{"a\u200bb\ufeff\u2060\u00ad", `a\u{200b}b\u{feff}\u{2060}\u{ad}`},
		{"a\u2028b\u2029", `a\u{2028}b\u{2029}`},
		{"\U000e0041", `\u{e0041}`},
		{"👨\u200d👩\u200d👧 🏳\ufe0f\u200d🌈 👩🏽\u200d⚕\ufe0f", "👨\u200d👩\u200d👧 🏳\ufe0f\u200d🌈 👩🏽\u200d⚕\ufe0f"},
		{"a\u200db 👨\u200d \u200d👨 👨\u200d\u200d👨 👨\u200d", `a\u{200d}b 👨\u{200d} \u{200d}👨 👨\u{200d}\u{200d}👨 👨\u{200d}`},
		{"bad\xff\xfe", `bad\x{ff}\x{fe}`},
		{`C:\users`, `C:\users`}, {`\u{1b}`, `\u{5c}u{1b}`}, {`\x{1b}`, `\u{5c}x{1b}`},
		{"\ufffd", "\ufffd"},
		// Marks: as many as scripts need, and never on what stands before the text.
		{"Z\u0301\u0302\u0303\u0304\u0305\u0306o\u0301", "Z\u0301\u0302\u0303\u0304\\u{305}\\u{306}o\u0301"},
		{"\u0301x", `\u{301}x`}, {"\x1b\u0301", `\u{1b}\u{301}`}, {"e\u20dd", "e\u20dd"},
		{"שָׁלוֹם ที่ বাংলা བསྒྲུབས", "שָׁלוֹם ที่ বাংলা བསྒྲུབས"},
		// Selectors: only where they select.
		{"⚙\ufe0f ❤\ufe0e 1\ufe0f\u20e3 ©\ufe0f 葛\U000e0100 🇨🇭", "⚙\ufe0f ❤\ufe0e 1\ufe0f\u20e3 ©\ufe0f 葛\U000e0100 🇨🇭"},
		{"a\ufe0f 1\ufe0f ⚙\ufe0f\ufe0f \ufe0f a\ufe00 a\U000e0100", `a\u{fe0f} 1\u{fe0f} ⚙` + "\ufe0f" + `\u{fe0f} \u{fe0f} a\u{fe00} a\u{e0100}`},
		// What shows nothing, or is no character.
		{"a\u3164b\uffa0c\u115f\u1160\u2800", `a\u{3164}b\u{ffa0}c\u{115f}\u{1160}\u{2800}`},
		{"a\u034fb\u17b4\u180e\u061c", `a\u{34f}b\u{17b4}\u{180e}\u{61c}`},
		{"\ufffe\U0010ffff\u0378", `\u{fffe}\u{10ffff}\u{378}`},
		{"\U0001fae9 \ue0b0", "\U0001fae9 \ue0b0"}, // newer than our tables; of the user's own font
		{"🏴\U000e0067\U000e007f", `🏴\u{e0067}\u{e007f}`},
	} {
		if got := Escape(tc.in); got != tc.want {
			t.Errorf("Escape(%q) = %s, want %s", tc.in, got, tc.want)
		}
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"plain", "\x1b[0m", "\u202e", "\xff", `\u{1b}`, "日本", `\\u{`, "👨\u200d👩"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Escape(s)
		unsafe := func(r rune) bool {
			return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) || unicode.Is(unicode.Cf, r) && r != joiner
		}
		if !utf8.ValidString(got) || strings.ContainsFunc(got, unsafe) {
			t.Errorf("Escape(%q) = %q", s, got)
		}
		if back := unescape(got); back != s {
			t.Errorf("Escape(%q) = %q, which reads as %q", s, got, back)
		}
		raw, err := json.Marshal(map[string]string{"name": s})
		if err != nil {
			t.Fatal(err)
		}
		var want, have map[string]string
		_ = json.Unmarshal(raw, &want)
		if err := json.Unmarshal(EscapeJSON(raw), &have); err != nil || !reflect.DeepEqual(want, have) {
			t.Errorf("EscapeJSON(%s) = %s: %v", raw, EscapeJSON(raw), err)
		}
	})
}

// unescape is the inverse that shows that no two texts look alike.
func unescape(s string) string {
	var b strings.Builder
	for s != "" {
		if rest, ok := strings.CutPrefix(s, `\u{`); ok {
			hex, after, _ := strings.Cut(rest, "}")
			b.WriteRune(rune(parseHex(hex)))
			s = after
		} else if rest, ok := strings.CutPrefix(s, `\x{`); ok {
			hex, after, _ := strings.Cut(rest, "}")
			b.WriteByte(byte(parseHex(hex)))
			s = after
		} else {
			_, size := utf8.DecodeRuneInString(s)
			b.WriteString(s[:size])
			s = s[size:]
		}
	}
	return b.String()
}

func parseHex(s string) (n int) {
	for _, c := range s {
		n = n*16 + strings.IndexRune("0123456789abcdef", c)
	}
	return n
}
