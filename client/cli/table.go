package cli

import (
	"slices"
	"strings"

	"github.com/o2fa/o2fa/internal/command"
)

// leastCells is how far a column that may be cut gives way to the others.
const leastCells = 10

// column is one column of a table. Its texts are escaped.
type column struct {
	title string
	texts []string
	cut   bool // texts may be cut to fit
	// rank says how soon the column is left out of a table that does not fit:
	// the highest goes first, 0 never. One above 0 without any text is left
	// out of every table.
	rank int
}

// table is rows under titles, each underlined by dashes, as open2fa prints them.
type table struct {
	columns []column
	gap     int // blanks between columns
}

// add appends a row: a text for each column.
func (t *table) add(texts ...string) {
	for i, text := range texts {
		t.columns[i].texts = append(t.columns[i].texts, text)
	}
}

// fit returns the lines of the table, with a blank one before and after. They
// are at most width cells wide, as far as that can be; 0 means no bound.
func (t *table) fit(width int) string {
	columns := slices.DeleteFunc(slices.Clone(t.columns), func(c column) bool { return c.rank > 0 && strings.Join(c.texts, "") == "" })
	for {
		widths, fits := measure(columns, t.gap, width)
		last := 0
		for i, c := range columns {
			if c.rank > columns[last].rank {
				last = i
			}
		}
		if fits || columns[last].rank == 0 {
			return draw(columns, widths, strings.Repeat(" ", t.gap))
		}
		columns = slices.Delete(columns, last, last+1)
	}
}

// measure returns how wide the columns are, and whether they fit. Those that may
// be cut give way, the widest of them first.
func measure(columns []column, gap, width int) (widths []int, fits bool) {
	total := gap * (len(columns) - 1)
	for _, c := range columns {
		most := command.Width(c.title)
		for _, text := range c.texts {
			most = max(most, command.Width(text))
		}
		widths, total = append(widths, most), total+most
	}
	for ; width > 0 && total > width; total-- {
		widest := -1
		for i, c := range columns {
			if c.cut && widths[i] > leastCells && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return widths, false
		}
		widths[widest]--
	}
	return widths, true
}

func draw(columns []column, widths []int, gap string) string {
	var b strings.Builder
	b.WriteString("\n")
	line := func(text func(i int) string) {
		var row strings.Builder
		for i, width := range widths {
			row.WriteString(command.Pad(command.Cut(text(i), width), width) + gap)
		}
		b.WriteString(strings.TrimRight(row.String(), " ") + "\n")
	}
	line(func(i int) string { return columns[i].title })
	line(func(i int) string { return strings.Repeat("-", widths[i]) })
	for n := range columns[0].texts {
		line(func(i int) string { return columns[i].texts[n] })
	}
	b.WriteString("\n")
	return b.String()
}

// print prints the table: on a terminal as wide as that is, elsewhere whole.
func (t *table) print(inv *command.Invocation) {
	if !command.IsTerminal(inv.Out) {
		inv.Printf("%s", t.fit(0))
		return
	}
	columns, _ := inv.Size()
	text := t.fit(columns)
	if inv.MovesCursor() {
		text = command.Align(text, columns)
	}
	inv.Printf("%s", text)
}
