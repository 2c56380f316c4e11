package pinentry

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// says holds a conversation with a program that says text, whatever it is told.
func says(text string) (Answer, string, error) {
	var told bytes.Buffer
	answer, err := converse(&told, strings.NewReader(text), nil, Dialog{Label: "L:"})
	return answer, told.String(), err
}

func TestConversation(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
		repeated         bool
	}{
		{"plain", "OK hello\nOK\nD secret\nOK\n", "secret", false},
		{"blanks and escapes", "OK\nOK\nD  a%25b%0Ac%0d%c3%a4 \nOK\n", " a%b\nc\rä ", false},
		{"in pieces", "OK\nOK\nD se\nD cr\nD et\nOK\n", "secret", false},
		{"nothing typed", "OK\nOK\nOK\n", "", false},
		{"carriage returns", "OK\r\nOK\r\nD secret\r\nOK\r\n", "secret", false},
		{"comments, states, unknown commands", "# hi\nOK\n# x\nERR 536871187 Unknown IPC command <x>\nS X\nS PIN_REPEATED\nD secret\nOK\n", "secret", true},
		{"a question", "OK\nOK\nINQUIRE QUALITY x\nD secret\nOK\n", "secret", false},
		{"an empty line", "OK\nOK\n\nD secret\nOK\n", "secret", false},
		{"the longest line", "OK\nOK\nD " + strings.Repeat("x", maxLine-3) + "\nOK\n", strings.Repeat("x", maxLine-3), false},
	} {
		got, told, err := says(c.text)
		if err != nil || string(got.Secret.Reveal()) != c.want || got.Repeated != c.repeated {
			t.Errorf("%s: %q, %v, %v", c.name, got.Secret.Reveal(), got.Repeated, err)
		}
		if asked := strings.Contains(told, "CAN\n"); asked != strings.Contains(c.text, "INQUIRE") || !strings.HasPrefix(told, "SETPROMPT L:\nGETPIN\n") {
			t.Errorf("%s: told %q", c.name, told)
		}
	}
}

func TestConversationsThatFail(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       error
	}{
		{"nothing", "", ErrNoDialog},
		{"no greeting", "hello\n", errProtocol},
		{"cut off", "OK\nOK\nD secret", ErrNoDialog},
		{"cut off after the answer", "OK\nOK\nD secret\n", ErrNoDialog},
		{"cancelled", "OK\nOK\nERR 83886179 Operation cancelled <Pinentry>\n", ErrCancelled},
		{"cancelled, by another source", "OK\nOK\nERR 99 cancelled\n", ErrCancelled},
		{"fully cancelled", "OK\nOK\nERR 83886278 x\n", ErrCancelled},
		{"timeout", "OK\nOK\nERR 83886142 Timeout <Pinentry>\n", ErrTimeout},
		{"no display", "OK\nOK\nS ERROR gtk2.isatty 83918950 \nERR 83918950 Inappropriate ioctl for device <Pinentry>\n", ErrNoDialog},
		{"an error without a number", "OK\nOK\nERR what\n", errProtocol},
		{"half an escape", "OK\nOK\nD secret%2\nOK\n", errProtocol},
		{"no escape", "OK\nOK\nD secret%zz\nOK\n", errProtocol},
		{"not UTF-8", "OK\nOK\nD secret%ff\nOK\n", ErrEncoding},
		{"a line without end", "OK\nOK\nD " + strings.Repeat("x", 2*maxLine), errProtocol},
		{"an answer without end", "OK\nOK\n" + strings.Repeat("D "+strings.Repeat("x", 900)+"\n", 5) + "OK\n", errProtocol},
		{"lines without end", "OK\n" + strings.Repeat("S x\n", 2*maxLines), errProtocol},
	} {
		_, _, err := says(c.text)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error repeats the answer: %v", c.name, err)
		}
	}
	if _, err := converse(brokenPipe{}, strings.NewReader("OK\nOK\nOK\n"), nil, Dialog{}); !errors.Is(err, ErrNoDialog) {
		t.Errorf("a program that does not listen: %v", err)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// What is told to the program are lines that each have one meaning, whatever the
// texts are, and bounded ones.
func TestTold(t *testing.T) {
	hostile := "a%b\nGETPIN\r\x00ä" + strings.Repeat("\n", maxLine)
	var told bytes.Buffer
	_, _ = converse(&told, strings.NewReader(strings.Repeat("OK\n", 20)), Program{Getenv: func(string) string { return hostile }}.settings(),
		Dialog{Title: hostile, Text: hostile, Label: hostile, Wrong: hostile, Repeat: hostile, Differ: hostile})
	lines := strings.Split(strings.TrimSuffix(told.String(), "\n"), "\n")
	if len(lines) != 14 || lines[len(lines)-2] != "GETPIN" || lines[len(lines)-1] != "BYE" {
		t.Errorf("%d lines: %q", len(lines), lines)
	}
	for _, line := range lines {
		if len(line) >= maxLine || !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return r < 0x20 }) {
			t.Errorf("%d bytes: %.100q", len(line), line)
		}
	}
	if want := "SETDESC a%25b%0AGETPIN%0D%00ä%0A"; !strings.HasPrefix(lines[7], want) {
		t.Errorf("%.60q, want %q", lines[7], want)
	}
}

// What was read is wiped, in the buffer and in the answer.
func TestNothingIsLeft(t *testing.T) {
	l := &lines{r: iotest.OneByteReader(strings.NewReader("D secret\nOK\n"))}
	for range 2 {
		if _, err := l.next(); err != nil {
			t.Fatal(err)
		}
	}
	if l.wipe(); !bytes.Equal(l.buf[:], make([]byte, len(l.buf))) {
		t.Errorf("the buffer holds %q", l.buf)
	}
	s := session{io.Discard, &lines{r: strings.NewReader("D secret\nERR 99 cancelled\n")}}
	if r, err := s.reply(); err == nil || r.data != nil {
		t.Errorf("%q, %v", r.data, err)
	}
}

// FuzzConversation: whatever a program says, the conversation ends, within
// bounds, and an answer comes back as it was meant.
func FuzzConversation(f *testing.F) {
	f.Add([]byte("OK Pleased to meet you\nOK\nS PIN_REPEATED\nD a%25b\nOK\n"), "a%b")
	f.Add([]byte("OK\nERR 536871187 Unknown IPC command\nERR 83886179 Operation cancelled <Pinentry>\n"), "")
	f.Add([]byte("OK\nOK\nINQUIRE QUALITY x\nD %C3%A4\nOK closing connection\n"), "ä\n\r%")
	f.Add([]byte("OK\nOK\nD x\nD y%0\nOK\n"), strings.Repeat("%", 400))
	f.Fuzz(func(t *testing.T, said []byte, typed string) {
		answer, err := converse(io.Discard, bytes.NewReader(said), nil, Dialog{Label: typed})
		switch {
		case err == nil && (answer.Secret.Len() > maxAnswer || !utf8.Valid(answer.Secret.Reveal())):
			t.Errorf("an answer of %d bytes", answer.Secret.Len())
		case err != nil && answer.Secret.Len() > 0:
			t.Errorf("an answer beside %v", err)
		case err != nil && !errors.Is(err, ErrNoDialog) && !errors.Is(err, ErrCancelled) && !errors.Is(err, ErrTimeout) && !errors.Is(err, ErrEncoding):
			t.Errorf("%v is none of the package's errors", err)
		}
		if !utf8.ValidString(typed) {
			return
		}
		escaped := escape(typed, maxLine)
		back, err := unescape(nil, []byte(escaped))
		if err != nil || !strings.HasPrefix(typed, string(back)) || len(escaped) < maxLine-3 && string(back) != typed {
			t.Errorf("%q became %q, and then %q, %v", typed, escaped, back, err)
		}
	})
}
