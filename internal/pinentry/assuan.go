package pinentry

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/o2fa/o2fa/internal/secret"
)

// The bounds of the protocol, which is called Assuan: a line with its newline,
// the lines of one reply, and the bytes of an answer. A person's passphrase has
// neither so many.
const (
	maxLine   = 1002
	maxLines  = 1000
	maxAnswer = 4 << 10
)

// errProtocol is an error of the program that is on none of a person's doing.
var errProtocol = fmt.Errorf("%w: it does not speak as a pinentry", ErrNoDialog)

// The low 16 bits of the codes by which GnuPG's programs refuse.
const (
	codeTimeout        = 62
	codeCancelled      = 99
	codeFullyCancelled = 198
)

// converse holds one conversation with a program: it sets the dialog up as
// settings and d say and returns the answer.
func converse(in io.Writer, out io.Reader, settings []string, d Dialog) (Answer, error) {
	s := session{in: in, out: &lines{r: out}}
	defer s.out.wipe()
	if _, err := s.reply(); err != nil { // its greeting
		return Answer{}, err
	}
	for _, line := range append(settings, d.commands()...) {
		// What a program does not know is no matter: old ones lack some.
		if _, err := s.call(line); err != nil && errors.Is(err, ErrNoDialog) {
			return Answer{}, err
		}
	}
	r, err := s.call("GETPIN")
	if err != nil {
		return Answer{}, refusalOf(err)
	}
	if !utf8.Valid(r.data) {
		clear(r.data)
		return Answer{}, ErrEncoding
	}
	_, _ = io.WriteString(in, "BYE\n")
	return Answer{secret.New(r.data), r.repeated}, nil
}

// commands are the lines that set d up.
func (d Dialog) commands() (lines []string) {
	for _, part := range []struct{ command, text string }{
		{"SETTITLE", d.Title}, {"SETDESC", d.Text}, {"SETPROMPT", d.Label},
		{"SETERROR", d.Wrong}, {"SETREPEAT", d.Repeat}, {"SETREPEATERROR", d.Differ},
	} {
		if part.text != "" {
			lines = append(lines, part.command+" "+escape(part.text, maxLine-len(part.command)-2))
		}
	}
	return lines
}

// session is a conversation under way.
type session struct {
	in  io.Writer
	out *lines
}

// refused is an answer of ERR.
type refused struct {
	code int
	text string
}

// Error returns what the program says.
func (r *refused) Error() string { return fmt.Sprintf("it refuses with %d (%s)", r.code, r.text) }

// refusalOf gives a refusal of GETPIN its meaning.
func refusalOf(err error) error {
	var r *refused
	if !errors.As(err, &r) {
		return err
	}
	switch r.code & 0xffff {
	case codeCancelled, codeFullyCancelled:
		return ErrCancelled
	case codeTimeout:
		return ErrTimeout
	}
	return fmt.Errorf("%w: %w", ErrNoDialog, err)
}

// reply is what a program says to one command.
type reply struct {
	data     []byte // decoded
	repeated bool
}

// call sends one command and reads the reply. The error is *refused, or
// ErrNoDialog where the conversation is over.
func (s session) call(line string) (reply, error) {
	if _, err := io.WriteString(s.in, line+"\n"); err != nil {
		return reply{}, fmt.Errorf("%w: it has ended", ErrNoDialog)
	}
	return s.reply()
}

// reply reads lines up to the one that ends a reply.
func (s session) reply() (r reply, err error) {
	defer func() {
		if err != nil {
			clear(r.data)
			r.data = nil
		}
	}()
	for range maxLines {
		line, err := s.out.next()
		if err != nil {
			return r, err
		}
		word, rest, _ := bytes.Cut(line, []byte(" "))
		switch string(word) {
		case "OK":
			return r, nil
		case "ERR":
			return r, parseRefusal(rest)
		case "D":
			if r.data, err = unescape(r.data, rest); err != nil {
				return r, err
			}
		case "S":
			r.repeated = r.repeated || string(rest) == "PIN_REPEATED"
		case "INQUIRE": // about the quality of a passphrase: no comment
			if _, err := io.WriteString(s.in, "CAN\n"); err != nil {
				return r, fmt.Errorf("%w: it has ended", ErrNoDialog)
			}
		default:
			if len(line) > 0 && line[0] != '#' {
				return r, errProtocol
			}
		}
	}
	return r, errProtocol
}

// maxRefusal is how much of a program's own text an error repeats, in bytes.
const maxRefusal = 100

// parseRefusal reads what follows ERR: a number and a text for people. The text
// comes after no answer, so it repeats none.
func parseRefusal(rest []byte) error {
	number, text, _ := strings.Cut(string(rest), " ")
	code, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return errProtocol
	}
	return &refused{int(code), strings.ToValidUTF8(text[:min(len(text), maxRefusal)], "")}
}

// escape returns text as it stands in a line, at most limit bytes of it.
func escape(text string, limit int) string {
	var b strings.Builder
	for _, r := range text {
		part := string(r)
		if r < 0x20 || r == 0x7f || r == '%' {
			part = fmt.Sprintf("%%%02X", r)
		}
		if b.Len()+len(part) > limit {
			break
		}
		b.WriteString(part)
	}
	return b.String()
}

// unescape appends what an escaped line says to data. It leaves no copies behind
// that it does not wipe.
func unescape(data, line []byte) ([]byte, error) {
	if data == nil {
		data = make([]byte, 0, maxAnswer) // never grows
	}
	for i := 0; i < len(line); i++ {
		c := line[i]
		if c == '%' {
			if i+2 >= len(line) {
				return data, errProtocol
			}
			high, low := digit(line[i+1]), digit(line[i+2])
			if high < 0 || low < 0 {
				return data, errProtocol
			}
			c, i = byte(high<<4|low), i+2
		}
		if len(data) == maxAnswer {
			return data, errProtocol
		}
		data = append(data, c)
	}
	return data, nil
}

// digit returns the value of a hexadecimal digit, -1 for anything else.
func digit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
