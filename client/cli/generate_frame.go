package cli

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

// row is one entry of the table, its name fit for a terminal.
type row struct {
	name       string
	code, next string // next is the code after code
	until      time.Time
	period     time.Duration
	instead    string // what stands in place of the seconds of an entry without them
}

// view is what the table shows, as of the daemon's last reply.
type view struct {
	rows  []row
	total int    // entries that match, those beyond rows too
	note  string // a line below the table; fit for a terminal
}

// maxSkew is how far the daemon's clock may be away from ours before it counts:
// a reply takes its time, and a daemon may serve us from another machine.
const maxSkew = time.Second

// viewOf returns the reply as it came at a moment.
func viewOf(reply ipc.Codes, now time.Time) view {
	v := view{rows: make([]row, len(reply.Codes)), total: reply.Total}
	var skew time.Duration
	if at, err := time.Parse(time.RFC3339, reply.At); err == nil {
		if skew = at.Sub(now.Round(0)); skew.Abs() < maxSkew {
			skew = 0
		}
	}
	for i, c := range reply.Codes {
		r := row{name: orNone(c.Name), code: command.Escape(c.Code), next: command.Escape(c.Next), period: time.Duration(c.Period) * time.Second}
		until, err := time.Parse(time.RFC3339, c.ValidUntil)
		r.until = until.Add(-skew)
		switch {
		case c.Counter != nil:
			// No code: to ask for it would use it up.
			r.code, r.instead = typeName(c), fmt.Sprintf("#%d", *c.Counter)
		case err != nil || c.Code == "" || c.Period <= 0:
			r.code, r.instead = typeName(c), "-"
		}
		v.rows[i] = r
	}
	return v
}

// typeName is what stands in place of a code that cannot be shown.
func typeName(c ipc.Code) string { return command.Cut(command.Escape(c.Type), minCode) }

// at returns the code of a moment, how long it lives and the one after it, if
// that is known. Once a code has run out its successor takes its place; once that
// has, too, there is none.
func (r row) at(now time.Time) (code string, left time.Duration, next string) {
	left = r.until.Sub(now.Round(0)) // not by the clock that stands still while the machine sleeps
	switch {
	case r.instead != "" || left > 0:
		return r.code, left, r.next
	case left+r.period > 0 && r.next != "":
		return r.next, left + r.period, ""
	}
	return strings.Repeat("-", command.Width(r.code)), 0, ""
}

// expires returns when the next of the codes runs out; never if none does.
func (v view) expires() (first time.Time, ok bool) {
	for _, r := range v.rows {
		if r.instead == "" && (!ok || r.until.Before(first)) {
			first, ok = r.until, true
		}
	}
	return first, ok
}

// look says how a table is drawn.
type look struct {
	columns, lines int  // at most; 0 means no bound
	live           bool // on a screen: with bars, next codes and what Screen wants
	colours        bool
}

// exitHint and notShown are open2fa's, to the blank.
const (
	exitHint = "Press Ctrl+C to exit... "
	notShown = "... [%d] codes not shown ..."
)

// open2fa leaves so many lines of a terminal to what is not a row.
const otherLines = 4

// most returns how many rows fit.
func (l look) most() int {
	if l.lines == 0 {
		return math.MaxInt
	}
	return max(0, l.lines-otherLines)
}

// frame returns the lines of the table at a moment. No line takes more than
// look.columns cells, and there are at most look.lines.
func (v view) frame(now time.Time, look look) []string {
	shown := v.rows[:min(len(v.rows), look.most())]
	cols := v.columns(shown, look)
	var lines []string
	if look.live && len(shown)+otherLines+len(intro) <= look.lines {
		for _, text := range intro {
			lines = append(lines, look.line().add(text, dim).end())
		}
	}
	lines = append(lines, cols.header(look)...)
	for _, r := range shown {
		lines = append(lines, cols.row(r, now, look))
	}
	if more := v.total - len(shown); more > 0 {
		lines = append(lines, look.line().add(fmt.Sprintf(notShown, more), dim).end())
	}
	if v.note != "" {
		lines = append(lines, look.line().add(v.note, yellow).end())
	}
	if look.lines > 0 && len(lines) > look.lines {
		lines = lines[:look.lines]
	}
	return lines
}

// intro stands above the table on a screen with room for it.
var intro = [...]string{"", exitHint, ""}

// columns are the widths of the table's columns, in cells.
type columns struct {
	name, code, seconds int
	gap                 int
	bar, next           int // 0: none
}

// The narrowest columns, and what is kept for the bar where there is room.
const (
	minName, minCode, minSeconds = 10, 6, 5
	tightName                    = 4  // in a terminal that is too narrow for minName
	maxName                      = 60 // where nothing bounds a line: longer ones stand out
	maxLiveName                  = 48 // on a screen: a code stands near its name
	maxInstead                   = 8  // of what stands in place of seconds, before it is cut
	wideGap, tightGap            = 4, 1
	minBar, maxBar               = 10, 20
	barRoom                      = 40 // for name and bar together; in less there is no bar
)

// nextLabel stands before the next code.
const nextLabel = "then "

func (v view) columns(shown []row, look look) columns {
	c := columns{name: minName, code: minCode, seconds: minSeconds, gap: wideGap}
	timed := false
	for _, r := range shown {
		c.name = max(c.name, command.Width(r.name))
		c.code = max(c.code, command.Width(r.code))
		if r.instead != "" {
			c.seconds = max(c.seconds, min(len(r.instead), maxInstead))
		} else {
			c.seconds = max(c.seconds, len(formatSeconds(r.period)))
			timed = true
		}
	}
	if look.columns == 0 {
		c.name = min(c.name, maxName)
		return c
	}
	if look.live {
		c.name = min(c.name, maxLiveName)
	}
	room := look.columns - c.code - c.seconds
	if room < 2*wideGap+tightName {
		c.gap = tightGap
	}
	room -= 2 * c.gap
	if look.live && timed && room >= barRoom {
		c.name = min(c.name, room-c.gap-minBar)
		room -= c.name + c.gap
		if next := len(nextLabel) + c.code; room-c.gap-next >= minBar {
			c.next = next
			room -= c.gap + next
		}
		c.bar = min(room, maxBar)
		return c
	}
	c.name = max(1, min(c.name, room))
	return c
}

func (c columns) header(look look) []string {
	title := look.line().add("Name", bold).to(c.name+c.gap).add("Code", bold).to(c.name+c.code+2*c.gap).add("Next", bold)
	rule := look.line()
	for i, width := range []int{c.name, c.code, c.seconds} {
		rule.gap(c.gap*min(i, 1)).add(strings.Repeat("-", width), dim)
	}
	return []string{title.end(), rule.end()}
}

// Seconds left from which on a code is about to run out, and its successor is
// worth a look.
const (
	urgent = 5 * time.Second
	soon   = 10 * time.Second
)

func (c columns) row(r row, now time.Time, look look) string {
	code, left, next := r.at(now)
	name, seconds := r.name, formatSeconds(left)
	codePaint, paint := paints(left)
	if r.instead != "" {
		seconds, codePaint, paint = r.instead, dim, dim
	}
	if look.columns > 0 {
		name, seconds = command.Cut(name, c.name), command.Cut(seconds, c.seconds)
	}
	l := look.line().add(name, plain).to(c.name+c.gap).add(code, codePaint).to(c.name + c.code + 2*c.gap)
	if look.live { // right-aligned, so that the digits stand still
		l.gap(c.seconds - command.Width(seconds))
	}
	l.add(seconds, paint)
	if r.instead != "" {
		return l.end()
	}
	if c.bar > 0 {
		full, rest := bar(left, r.period, c.bar)
		l.gap(c.gap).add(full, paint).add(rest, dim)
	}
	if c.next > 0 && left < soon && next != "" {
		l.gap(c.gap).add(nextLabel+next, dim)
	}
	return l.end()
}

// paints returns how a code looks that lives so long, and its time.
func paints(left time.Duration) (code, rest paint) {
	switch {
	case left < urgent:
		return boldRed, red
	case left < soon:
		return bold, yellow
	}
	return bold, green
}

// formatSeconds is open2fa's form.
func formatSeconds(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()) }

// bar returns the two parts of a countdown bar of so many cells, in steps of half
// a cell. Without colours, too, they look different.
func bar(left, period time.Duration, cells int) (full, rest string) {
	halves := int(math.Ceil(float64(2*cells) * float64(left) / float64(period)))
	halves = max(0, min(halves, 2*cells))
	full = strings.Repeat("━", halves/2)
	if halves%2 == 1 {
		full += "╸"
	}
	return full, strings.Repeat("─", cells-(halves+1)/2)
}
