package ptytest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Grid is what a terminal shows of what a program wrote. Terminals differ about
// widths, so a grid is drawn by one idea of them; it takes the few sequences that
// programs of ours send, and nothing else.
type Grid struct {
	// Widest is the number of cells that the widest line took, before it wrapped.
	Widest int

	columns  int
	widths   Widths
	rows     [][]string // a text for each cell; none behind a wide one
	x, y     int
	last     rune
	lastX    int // the cell of the last character
	lastWide int // and what that took
}

// Widths is an idea of how many cells r takes that follows before, the character
// that was drawn last and took cells.
type Widths func(before rune, cells int, r rune) int

// Draw returns what a terminal of that many columns shows of text. Its error
// tells of what must never reach a terminal: control characters, but for line
// ends and our own sequences, and what shows nothing or turns text around.
func Draw(text string, columns int, widths Widths) (*Grid, error) {
	g := &Grid{columns: columns, widths: widths, rows: [][]string{nil}}
	for text != "" {
		r, size := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && size == 1 {
			return nil, fmt.Errorf("byte %#x is no UTF-8", text[0])
		}
		switch {
		case r == '\n':
			g.move(0, g.y+1)
		case r == '\r':
			g.x = 0
		case r == 0x1b:
			var err error
			if size, err = g.sequence(text); err != nil {
				return nil, err
			}
		case harmful(r):
			return nil, fmt.Errorf("%U reaches the terminal in %.60q", r, text)
		default:
			g.put(r)
		}
		text = text[size:]
	}
	return g, nil
}

// harmful says whether r acts on a terminal, turns text around, or is not to be
// seen. The joiner is what makes one picture of two emoji.
func harmful(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control, unicode.Other_Default_Ignorable_Code_Point) ||
		unicode.Is(unicode.Cf, r) && r != 0x200d
}

// sequence does what a control sequence at the beginning of text says, and
// returns its length.
func (g *Grid) sequence(text string) (int, error) {
	end := strings.IndexFunc(text[min(2, len(text)):], func(r rune) bool { return r >= 0x40 })
	if !strings.HasPrefix(text, "\x1b[") || end < 0 {
		return 0, fmt.Errorf("%.60q is no sequence of ours", text)
	}
	parameter, final := text[2:2+end], text[2+end]
	n, _ := strconv.Atoi(parameter)
	switch {
	case final == 'm', (final == 'h' || final == 'l') && slices.Contains([]string{"?25", "?7", "?1049", "?2026"}, parameter):
	case final == 'G':
		g.x = min(max(n, 1), g.columns) - 1
	case final == 'H':
		g.move(0, max(n, 1)-1)
	case final == 'K' && parameter == "":
		g.clear(g.x)
	case final == 'J' && parameter == "":
		g.clear(g.x)
		g.rows = g.rows[:g.y+1]
	default:
		return 0, fmt.Errorf("%.60q is no sequence of ours", text)
	}
	return 3 + end, nil
}

func (g *Grid) clear(from int) {
	if row := g.rows[g.y]; from < len(row) {
		g.rows[g.y] = row[:from]
	}
}

func (g *Grid) move(x, y int) {
	g.x, g.y, g.last = x, y, 0
	for len(g.rows) <= y {
		g.rows = append(g.rows, nil)
	}
}

// put draws a character, over several cells or onto the one before.
func (g *Grid) put(r rune) {
	cells := g.widths(g.last, g.lastWide, r)
	row := func() []string { return g.rows[g.y] }
	if (cells == 0 || r == 0xfe0f) && g.last != 0 {
		row()[g.lastX] += string(r)
		for range cells { // a selector that makes a symbol wide
			g.set(g.x, "")
			g.x++
		}
		g.last, g.lastWide = r, g.lastWide+cells
		g.Widest = max(g.Widest, g.x)
		return
	}
	if g.x+cells > g.columns {
		g.move(0, g.y+1)
		g.Widest = max(g.Widest, g.columns+1)
	}
	g.set(g.x, string(r))
	for i := 1; i < cells; i++ {
		g.set(g.x+i, "")
	}
	g.last, g.lastX, g.lastWide = r, g.x, cells
	g.x += cells
	g.Widest = max(g.Widest, g.x)
}

func (g *Grid) set(x int, text string) {
	row := g.rows[g.y]
	for len(row) <= x {
		row = append(row, " ")
	}
	row[x] = text
	g.rows[g.y] = row
}

// Lines returns what each row shows, without blanks at its end.
func (g *Grid) Lines() []string {
	lines := make([]string, len(g.rows))
	for i, row := range g.rows {
		lines[i] = strings.TrimRight(strings.Join(row, ""), " ")
	}
	return lines
}

// Columns returns where text stands in each row that has it, the first column
// being 0; the last place counts.
func (g *Grid) Columns(text string) (columns []int) {
	for _, row := range g.rows {
		for x := len(row) - 1; x >= 0; x-- {
			if row[x] != "" && strings.HasPrefix(strings.Join(row[x:], ""), text) {
				columns = append(columns, x)
				break
			}
		}
	}
	return columns
}
