package cli

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

// moment0 is open2fa's usual time for tests: 1234567890.
var moment0 = time.Unix(1234567890, 0).UTC()

// timedCode returns the code of an entry that has so much time left at moment0.
func timedCode(name, code, next string, left time.Duration) ipc.Code {
	return ipc.Code{Name: name, Type: "totp", Code: code, Next: next, Period: 30, ValidUntil: moment0.Add(left).Format(time.RFC3339Nano)}
}

func codesOf(codes ...ipc.Code) ipc.Codes {
	return ipc.Codes{Codes: codes, Total: len(codes), At: moment0.Format(time.RFC3339Nano)}
}

func countingCode(name string, counter uint64) ipc.Code {
	return ipc.Code{Name: name, Type: "hotp", Counter: &counter}
}

// The table is open2fa's where no screen is drawn.
func TestPlainFrame(t *testing.T) {
	v := viewOf(codesOf(
		timedCode("github", "005924", "590587", 30*time.Second),
		timedCode("", "590587", "240500", 9*time.Second/2),
		countingCode("token", 7),
		ipc.Code{Name: "steam", Type: "steam"},
		timedCode("a name that is longer than ten", "12345678", "", 1234*time.Millisecond),
	), moment0)
	for _, tc := range []struct {
		look look
		want string
	}{
		{look{}, `
Name                              Code        Next
------------------------------    --------    -----
github                            005924      30.00
None                              590587      4.50
token                             hotp        #7
steam                             steam       -
a name that is longer than ten    12345678    1.23
`},
		{look{columns: 30, lines: 6}, `
Name          Code      Next
----------    ------    -----
github        005924    30.00
None          590587    4.50
... [3] codes not shown ...
`},
		{look{columns: 30, lines: 9}, `
Name         Code        Next
---------    --------    -----
github       005924      30.00
None         590587      4.50
token        hotp        #7
steam        steam       -
a name t…    12345678    1.23
`},
		{look{columns: 20, lines: 5}, `
Name    Code   Next
------- ------ -----
github  005924 30.00
... [4] codes not s…
`},
	} {
		got := strings.Join(v.frame(moment0, tc.look), "\n") + "\n"
		if got != tc.want[1:] {
			t.Errorf("%+v:\n%s", tc.look, got)
		}
	}
}

// On a screen there are bars, and the next code once it matters.
func TestLiveFrame(t *testing.T) {
	v := viewOf(codesOf(timedCode("github", "005924", "590587", 30*time.Second), timedCode("gitlab", "590587", "240500", 8*time.Second),
		timedCode("日本", "111111", "222222", 4*time.Second), countingCode("token", 7)), moment0)
	v.note = "the vault is locked"
	const want = `
Press Ctrl+C to exit...·

Name          Code      Next
----------    ------    -----
github        005924    30.00    ━━━━━━━━━━━━━━━━━━━━
gitlab        590587     8.00    ━━━━━╸──────────────    then 240500
日本          111111     4.00    ━━━─────────────────    then 222222
token         hotp         #7
the vault is locked
`
	frame := v.frame(moment0, look{columns: 80, lines: 24, live: true})
	got := visible(strings.Join(frame, "\n")) + "\n"
	if got != strings.ReplaceAll(want, "·", " ") {
		t.Errorf("%s", got)
	}
	for _, line := range frame {
		if strings.Contains(line, "m") && strings.Contains(line, "\x1b[3") {
			t.Errorf("coloured: %q", line)
		}
	}
	if wide := v.frame(moment0, look{columns: 80, lines: 24, live: true})[7]; !strings.HasPrefix(wide, "日本\x1b[K\x1b[15G111111    ") {
		t.Errorf("where terminals may differ the cursor is set: %q", wide)
	}
	coloured := strings.Join(v.frame(moment0, look{columns: 80, lines: 24, live: true, colours: true}), "\n")
	for _, want := range []string{"\x1b[1m005924\x1b[0m", "\x1b[32m30.00\x1b[0m", "\x1b[33m8.00\x1b[0m", "\x1b[1;31m111111\x1b[0m", "\x1b[31m4.00\x1b[0m",
		"\x1b[2mthen 222222\x1b[0m", "\x1b[2m#7\x1b[0m"} {
		if !strings.Contains(coloured, want) {
			t.Errorf("no %q in %q", want, coloured)
		}
	}
	if visible(coloured)+"\n" != got {
		t.Errorf("colours change more than colours: %q", coloured)
	}
}

// A code that has run out gives way to the next one, and that to none.
func TestRowOverTime(t *testing.T) {
	v := viewOf(codesOf(timedCode("a", "111111", "222222", 10*time.Second), countingCode("b", 1)), moment0)
	for _, tc := range []struct {
		after time.Duration
		code  string
		left  time.Duration
		next  string
	}{
		{0, "111111", 10 * time.Second, "222222"},
		{10*time.Second - 1, "111111", 1, "222222"},
		{10 * time.Second, "222222", 30 * time.Second, ""},
		{40*time.Second - 1, "222222", 1, ""},
		{40 * time.Second, "------", 0, ""},
		{time.Hour, "------", 0, ""},
	} {
		if code, left, next := v.rows[0].at(moment0.Add(tc.after)); code != tc.code || left != tc.left || next != tc.next {
			t.Errorf("after %s: %s, %s, %s", tc.after, code, left, next)
		}
		if code, _, _ := v.rows[1].at(moment0.Add(tc.after)); code != "hotp" {
			t.Errorf("after %s: %s", tc.after, code)
		}
	}
}

// The clock of a daemon elsewhere may be wrong; its codes are still good for as
// long as it says. A reply that took a while is no other clock.
func TestSkew(t *testing.T) {
	for skew, want := range map[time.Duration]time.Duration{0: 20 * time.Second, 300 * time.Millisecond: 20300 * time.Millisecond,
		time.Hour: 20 * time.Second, -time.Hour: 20 * time.Second} {
		reply := codesOf(timedCode("a", "111111", "222222", 20*time.Second+skew))
		reply.At = moment0.Add(skew).Format(time.RFC3339Nano)
		if _, left, _ := viewOf(reply, moment0).rows[0].at(moment0); left != want {
			t.Errorf("%s: %s left", skew, left)
		}
	}
}

func TestBar(t *testing.T) {
	for _, tc := range []struct {
		left time.Duration
		want string
	}{{30 * time.Second, "━━━━|"}, {40 * time.Second, "━━━━|"}, {29 * time.Second, "━━━━|"}, {26 * time.Second, "━━━╸|"}, {15 * time.Second, "━━|──"},
		{1, "╸|───"}, {0, "|────"}, {-time.Second, "|────"}} {
		full, rest := bar(tc.left, 30*time.Second, 4)
		if got := full + "|" + rest; got != tc.want {
			t.Errorf("%s: %s, want %s", tc.left, got, tc.want)
		}
	}
}

// sequence matches what a frame may tell a terminal: colours, erase the rest of
// the line, set the column.
var sequence = regexp.MustCompile("\x1b\\[(?:[0-9;]*m|K|[0-9]+G)")

// visible returns what a terminal shows of a line, with the cursor moves that
// stand for blanks played.
func visible(frame string) string {
	lines := strings.Split(frame, "\n")
	for i, line := range lines {
		var b strings.Builder
		for line != "" {
			at := sequence.FindStringIndex(line)
			if at == nil {
				b.WriteString(line)
				break
			}
			b.WriteString(line[:at[0]])
			if s := line[at[0]:at[1]]; strings.HasSuffix(s, "G") {
				column := 0
				for _, digit := range s[2 : len(s)-1] {
					column = 10*column + int(digit-'0')
				}
				b.WriteString(strings.Repeat(" ", max(0, column-1-command.Width(b.String()))))
			}
			line = line[at[1]:]
		}
		lines[i] = b.String()
	}
	return strings.Join(lines, "\n")
}

// pieces are what names are made of at random: plain, wide, combining, joined,
// of the right-to-left, and what would act on a terminal.
var pieces = []string{"a", "Z", "7", " ", "-", ":", "@", "é", "u\u0308", "\u0301", "日", "한", "👍", "👨\u200d👩\u200d👧", "🏳\ufe0f\u200d🌈", "⚕\ufe0f", "א", "ש", "ع",
	"\u202e", "\u2066", "\u200b", "\x1b[2J", "\x1b]0;x\a", "\n", "\r", "\t", "\x00", "\x9b", "\xff", "\\u{1b}", "…", "\U0001f1e9\U0001f1ea", "ｆ"}

func randomName(random *rand.Rand) string {
	most := []int{0, 3, 12, 40, 1024}[random.IntN(5)]
	var b strings.Builder
	for b.Len() < most {
		b.WriteString(pieces[random.IntN(len(pieces))])
	}
	return b.String()
}

func randomCode(random *rand.Rand) ipc.Code {
	digits := 6 + random.IntN(5)
	c := timedCode(randomName(random), "1234567890"[:digits], "0987654321"[:digits], time.Duration(random.Int64N(int64(40*time.Second)))-5*time.Second)
	switch random.IntN(8) {
	case 0:
		c = countingCode(c.Name, random.Uint64())
	case 1:
		c.Period = 1 + random.IntN(100000)
	case 2:
		c = ipc.Code{Name: c.Name, Type: randomName(random)}
	case 3:
		c.Next = ""
	}
	return c
}

// Whatever the entries and the terminal, no line is wider and no frame higher
// than it, and nothing of an entry acts on it.
func TestFrameFits(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	for try := range 3000 {
		reply := ipc.Codes{Total: random.IntN(10)}
		for range random.IntN(30) {
			reply.Codes = append(reply.Codes, randomCode(random))
			reply.Total++
		}
		v := viewOf(reply, moment0)
		if random.IntN(3) == 0 {
			v.note = command.Escape(randomName(random))
		}
		look := look{columns: 1 + try%300, lines: 1 + random.IntN(50), live: random.IntN(2) == 0, colours: random.IntN(2) == 0}
		if problem := misfit(v, look); problem != "" {
			t.Fatalf("seed %d, try %d, %+v: %s", seed, try, look, problem)
		}
	}
}

// misfit says what is wrong with a frame.
func misfit(v view, look look) string {
	frame := v.frame(moment0, look)
	if len(frame) > look.lines || len(frame) == 0 {
		return strings.Join(frame, "\n")
	}
	for _, line := range frame {
		bare := sequence.ReplaceAllString(line, "")
		seen := visible(line)
		switch {
		case strings.ContainsFunc(bare, func(r rune) bool { return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 }), command.Escape(bare) != bare && !strings.Contains(bare, "\\"):
			return "raw text: " + line
		case command.Width(seen) > look.columns:
			return "too wide: " + line
		case !look.live && strings.ContainsAny(line, "\x1b") && !look.colours, !look.colours && strings.Contains(line, "m\x1b"):
			return "a sequence: " + line
		case look.live && command.Width(seen) < look.columns != strings.HasSuffix(line, command.EraseLine):
			return "the rest of the line: " + line
		}
	}
	shown := min(len(v.rows), look.most())
	if more := v.total - shown; more > 0 && look.columns > 60 && look.lines > shown+3 && !strings.Contains(strings.Join(frame, "\n"), "codes not shown") {
		return "nothing says that rows are left out: " + strings.Join(frame, "\n")
	}
	return ""
}

// In a terminal of 30 columns or more every column begins where its title does.
func TestColumnsStandInLine(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	for width := 30; width <= 300; width++ {
		var codes []ipc.Code
		for range 5 {
			codes = append(codes, timedCode(randomName(random)+"x", "123456", "654321", time.Duration(1+random.IntN(30))*time.Second))
		}
		v := viewOf(codesOf(codes...), moment0)
		for _, look := range []look{{columns: width, lines: 24}, {columns: width, lines: 24, live: true}} {
			frame := strings.Split(visible(strings.Join(v.frame(moment0, look), "\n")), "\n")
			if look.live {
				frame = frame[len(intro):]
			}
			at := strings.Index(frame[0], "Code")
			for _, line := range frame[2:] {
				if before, _, ok := strings.Cut(line, "123456    "); !ok || command.Width(before) != at {
					t.Fatalf("seed %d, %+v:\n%s", seed, look, strings.Join(frame, "\n"))
				}
			}
		}
	}
}
