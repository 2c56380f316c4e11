package cli

import (
	"math"
	"strings"
	"unicode/utf8"

	"github.com/o2fa/o2fa/internal/command"
)

// paint is how a text looks: the parameters of the terminal's SGR sequence.
type paint string

const (
	plain   paint = ""
	bold    paint = "1"
	dim     paint = "2"
	red     paint = "31"
	green   paint = "32"
	yellow  paint = "33"
	boldRed paint = "1;31"
)

// line collects the texts of one line and never takes more cells than it has.
type line struct {
	look   look
	room   int // cells
	used   int // cells of text
	blanks int // cells to leave free before the next text
	text   strings.Builder
	odd    bool // a text was added whose cells a terminal may count in another way
}

// line returns an empty line.
func (l look) line() *line {
	if l.columns == 0 {
		return &line{look: l, room: math.MaxInt}
	}
	return &line{look: l, room: l.columns}
}

// add adds a text that is fit for a terminal, cut to what is left of the line.
func (l *line) add(text string, p paint) *line {
	left := l.room - l.used - l.blanks
	if text == "" || left <= 0 {
		return l
	}
	l.advance()
	text = command.Cut(text, left)
	l.used += command.Width(text)
	l.odd = strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf })
	if l.look.colours && p != plain {
		text = "\x1b[" + string(p) + "m" + text + "\x1b[0m"
	}
	l.text.WriteString(text)
	return l
}

// to leaves the cells up to a column free, at least one.
func (l *line) to(column int) *line {
	l.blanks = max(1, column-l.used)
	return l
}

// gap leaves some cells more free.
func (l *line) gap(cells int) *line {
	l.blanks += cells
	return l
}

// advance writes the free cells.
func (l *line) advance() {
	if l.blanks == 0 {
		return
	}
	l.used += l.blanks
	if l.odd && l.look.live {
		l.text.WriteString(command.EraseLine + command.Column(l.used))
	} else {
		l.text.WriteString(strings.Repeat(" ", l.blanks))
	}
	l.blanks = 0
}

// end returns the line. On a screen it covers what stood there before.
func (l *line) end() string {
	if l.look.live && l.used < l.room {
		l.text.WriteString(command.EraseLine)
	}
	return l.text.String()
}
