package command

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"golang.org/x/term"
)

// The size of a terminal that does not tell its own.
const (
	defaultColumns = 80
	defaultLines   = 24
)

// Size returns the columns and lines of the terminal that Out is. COLUMNS and
// LINES win over what the terminal says; where neither tells, it is 80 by 24.
func (s Stdio) Size() (columns, lines int) {
	if file, ok := s.Out.(*os.File); ok {
		columns, lines, _ = term.GetSize(int(file.Fd())) // zero where it has none
	}
	return s.dimension("COLUMNS", columns, defaultColumns), s.dimension("LINES", lines, defaultLines)
}

// dimension returns the variable's number, else what was measured, else usual.
func (s Stdio) dimension(variable string, measured, usual int) int {
	if n, err := strconv.Atoi(s.Getenv(variable)); err == nil && n > 0 {
		return n
	}
	if measured > 0 {
		return measured
	}
	return usual
}

// Colours says whether results may be coloured: a person looks at them, on a
// terminal that can, and did not ask for none (no-color.org).
func (s Stdio) Colours() bool {
	return IsTerminal(s.Out) && s.Getenv("NO_COLOR") == "" && !s.isDumb()
}

// MovesCursor says whether Out is a terminal that takes the sequences of Align.
func (s Stdio) MovesCursor() bool {
	return IsTerminal(s.Out) && s.Getenv("TERM") != "" && !s.isDumb() && takesSequences(s.Out.(*os.File))
}

// Unicode says whether what is printed may hold more than ASCII: the locale says
// so, or the system has no other.
func (s Stdio) Unicode() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := strings.ToLower(s.Getenv(name)); locale != "" {
			return strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
		}
	}
	return alwaysUnicode
}

// isDumb says whether the terminal of Out only prints: by its own word, or
// because nothing is known of it.
func (s Stdio) isDumb() bool {
	kind := s.Getenv("TERM")
	return kind == "dumb" || kind == "" && needsTERM
}

// Control sequences of a screen, all of ECMA-48 or of the private modes that
// terminals took over from DEC and xterm. One that does not know a mode ignores it.
const (
	altOn, altOff       = "\x1b[?1049h", "\x1b[?1049l" // a screen beside the one with the shell's text
	cursorOff, cursorOn = "\x1b[?25l", "\x1b[?25h"
	wrapOff, wrapOn     = "\x1b[?7l", "\x1b[?7h"       // a line that is too wide is cut, not continued
	syncOn, syncOff     = "\x1b[?2026h", "\x1b[?2026l" // show nothing before the frame is whole
	eraseBelow          = "\x1b[J"                     // from the cursor on
	noColours           = "\x1b[0m"
)

// Screen is a terminal while a program redraws it in place: its alternate
// screen, without cursor, echo or wrapped lines. Whoever opens one closes it,
// also on a panic: defer Close. It is for one goroutine.
type Screen struct {
	stdio   Stdio
	out     *os.File
	signals chan os.Signal
	release func() // gives the console its mode back
	echo    func() // shows again what is typed; nil while that is shown
	open    bool
	last    string // frame on the screen
	lines   int    // of last, or anyLines
	resumed bool   // the next SIGCONT is the end of our own suspension
}

// OpenScreen takes the terminal of Out over. It returns false where Out is no
// terminal, or none that can be redrawn.
func (s Stdio) OpenScreen() (*Screen, bool) {
	out, ok := s.Out.(*os.File)
	if !ok || !IsTerminal(out) || s.isDumb() {
		return nil, false
	}
	release, ok := redrawable(out)
	if !ok {
		return nil, false
	}
	screen := &Screen{stdio: s, out: out, release: release, signals: make(chan os.Signal, 8)}
	signal.Notify(screen.signals, append(caught(), changes()...)...)
	screen.enter()
	return screen, true
}

// Close gives the terminal back as it was. A second call does nothing.
func (s *Screen) Close() {
	s.leave()
	signal.Stop(s.signals)
	s.release()
	s.release = func() {}
}

// enter shows the alternate screen, empty.
func (s *Screen) enter() {
	if in, ok := s.stdio.In.(*os.File); ok && IsTerminal(in) {
		// What is typed would stand in the frame.
		if restore, err := hide(in); err == nil && s.echo == nil {
			s.echo = restore
		}
	}
	s.open = true
	s.forget()
	_, _ = s.out.WriteString(altOn + cursorOff + wrapOff) // Draw will tell
}

// forget makes the next frame cover all that may be on the screen.
func (s *Screen) forget() { s.last, s.lines = "", anyLines }

// anyLines is more than a screen has.
const anyLines = 1 << 20

// leave shows what was there before enter.
func (s *Screen) leave() {
	if !s.open {
		return
	}
	s.open = false
	// A terminal without an alternate screen keeps the frame: it goes first.
	_, _ = s.out.WriteString(noColours + row(0) + eraseBelow + wrapOn + cursorOn + altOff) // best we can do
	if s.echo != nil {
		s.echo()
		s.echo = nil
	}
}

// Size returns the columns and lines of the terminal as it is now.
func (s *Screen) Size() (columns, lines int) { return s.stdio.Size() }

// Draw shows a frame in place of the last one, by one write. A line takes at most
// a row, and erases what it does not cover: see EraseLine.
func (s *Screen) Draw(frame []string) error {
	var b strings.Builder
	for i, line := range frame {
		b.WriteString(row(i) + line) // not a newline, which could scroll
	}
	if _, lines := s.Size(); len(frame) < min(s.lines, lines) {
		b.WriteString(row(len(frame)) + eraseBelow)
	}
	if b.String() == s.last {
		return nil
	}
	if _, err := s.out.WriteString(syncOn + b.String() + syncOff); err != nil {
		return fmt.Errorf("writing output: %w", err)
	}
	s.last, s.lines = b.String(), len(frame)
	return nil
}

// row moves the cursor to the beginning of a row, the first being 0.
func row(n int) string { return fmt.Sprintf("\x1b[%dH", n+1) }

// EraseLine erases from the cursor to the end of its line. It must not follow a
// line that is as wide as the screen: the cursor still stands on its last cell.
const EraseLine = "\x1b[K"

// Column moves the cursor to a column, the first being 0. It puts right what
// program and terminal count differently, such as emoji.
func Column(n int) string { return fmt.Sprintf("\x1b[%dG", n+1) }

// ErrTerminated is how a screen ends that met another signal than Ctrl-C. It is
// an ErrInterrupted, too.
var ErrTerminated = fmt.Errorf("terminated: %w", ErrInterrupted)

// Signals returns what the system says to the program or of its terminal. Each
// one goes to Handle.
func (s *Screen) Signals() <-chan os.Signal { return s.signals }

// Handle does what a signal is for. It returns ErrInterrupted for Ctrl-C, and
// ErrTerminated for what else ends a program. On nil the frame is due again: the
// terminal has another size, or the program was stopped and is back.
func (s *Screen) Handle(sig os.Signal) error {
	switch {
	case sig == os.Interrupt:
		return ErrInterrupted
	case stops(sig):
		s.leave()
		suspend()
		s.enter()
		s.resumed = true
	case resumes(sig):
		if !s.resumed { // somebody else stopped it: the screen may show anything
			s.enter()
		}
		s.resumed = false
		s.forget()
	case resizes(sig):
		s.forget()
	default:
		return ErrTerminated
	}
	return nil
}
