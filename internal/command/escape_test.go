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
		unsafe := func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != joiner }
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

func TestWidth(t *testing.T) {
	for _, tc := range []struct {
		text  string
		cells int
	}{{"", 0}, {"abc", 3}, {"Zürich", 6}, {"Zu\u0308rich", 6}, {"日本", 4}, {"👍", 2}, {"👨\u200d👩", 4}, {"Ж", 1}, {"한국", 4}} {
		if got := Width(tc.text); got != tc.cells {
			t.Errorf("Width(%q) = %d, want %d", tc.text, got, tc.cells)
		}
	}
	if got := Pad("日本", 6) + "|"; got != "日本  |" {
		t.Errorf("%q", got)
	}
	if got := Pad("long", 2); got != "long" {
		t.Errorf("%q", got)
	}
}

func TestCut(t *testing.T) {
	for _, tc := range []struct {
		text  string
		cells int
		want  string
	}{{"", 3, ""}, {"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"日本語", 6, "日本語"}, {"日本語", 5, "日本…"}, {"日本語", 4, "日…"}} {
		if got := Cut(tc.text, tc.cells); got != tc.want || Width(got) > tc.cells {
			t.Errorf("Cut(%q, %d) = %q, want %q", tc.text, tc.cells, got, tc.want)
		}
	}
}
