package command

import "strings"

// quoting says how a shell writes words. Nothing is ever expanded: to press a
// key must not run what stands between $( and ).
type quoting struct {
	escape rune // outside quotes it takes the meaning from the next character
	quotes []quote
	plain  func(rune) rune // the usual form of a character that has several; nil: none has
}

// quote is a pair of quotes. The last character of open closes it.
type quote struct {
	open    string
	escape  rune   // as outside; 0: none works inside
	only    string // what escape works on; all for ""
	doubled bool   // a doubled quote stands for one
}

var (
	// bash and zsh
	posix = quoting{escape: '\\', quotes: []quote{{open: "'"}, {open: `"`, escape: '\\', only: "$`\"\\"}, {open: "$'", escape: '\\'}}}
	fish  = quoting{escape: '\\', quotes: []quote{{open: "'", escape: '\\', only: `'\`}, {open: `"`, escape: '\\', only: `"$\`}}}
	// PowerShell takes typographic quotes for plain ones.
	powershell = quoting{escape: '`', quotes: []quote{{open: "'", doubled: true}, {open: `"`, escape: '`', doubled: true}}, plain: plainQuote}
)

func plainQuote(r rune) rune {
	switch r {
	case '\u2018', '\u2019', '\u201a', '\u201b':
		return '\''
	case '\u201c', '\u201d', '\u201e':
		return '"'
	}
	return r
}

// split returns the words of a line that is being typed, without quotes. The
// last is the one that the cursor stands in, empty after a blank; open is the
// quote that it has not closed.
func split(q quoting, line string) (words []string, open string) {
	s := splitter{quoting: q, rest: []rune(line)}
	for len(s.rest) > 0 {
		s.step()
	}
	if s.in != nil {
		open = s.in.open
	}
	return append(s.words, s.word.String()), open
}

type splitter struct {
	quoting
	rest  []rune // not read yet
	words []string
	word  strings.Builder
	begun bool   // a word has begun, if only by its quote
	in    *quote // that is open
}

// step reads one character, or two that belong together.
func (s *splitter) step() {
	r, next := s.rest[0], rune(0)
	if len(s.rest) > 1 {
		next = s.rest[1]
	}
	switch {
	case s.in == nil && strings.ContainsRune(" \t\n", r):
		if s.begun {
			s.words = append(s.words, s.word.String())
			s.word.Reset()
		}
		s.begun, s.rest = false, s.rest[1:]
	case s.in == nil && s.opens():
	case s.escapes(r, next):
		s.take(next, 2)
	case s.in != nil && s.usual(r) == s.in.closing():
		if s.in.doubled && s.usual(next) == s.in.closing() {
			s.take(r, 2)
			return
		}
		s.in, s.rest = nil, s.rest[1:]
	default:
		s.take(r, 1)
	}
}

// take puts r into the word and passes n characters.
func (s *splitter) take(r rune, n int) {
	s.begun, s.rest = true, s.rest[n:]
	s.word.WriteRune(r)
}

// opens passes an opening quote, if there is one.
func (s *splitter) opens() bool {
	for i, q := range s.quotes {
		n := len(q.open)
		if n > len(s.rest) {
			continue
		}
		text := ""
		for _, r := range s.rest[:n] {
			text += string(s.usual(r))
		}
		if text == q.open {
			s.in, s.begun, s.rest = &s.quotes[i], true, s.rest[n:]
			return true
		}
	}
	return false
}

// escapes says whether r takes its meaning from next.
func (s *splitter) escapes(r, next rune) bool {
	if s.in == nil {
		return r == s.escape && next != 0
	}
	return r == s.in.escape && next != 0 && (s.in.only == "" || strings.ContainsRune(s.in.only, next))
}

func (s *splitter) usual(r rune) rune {
	if s.plain == nil {
		return r
	}
	return s.plain(r)
}

func (q *quote) closing() rune { return rune(q.open[len(q.open)-1]) }

// quoteBash returns text as it goes on inside the open quote, "" for none, and
// leaves that open.
func quoteBash(text, open string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case open == "'" && r == '\'':
			b.WriteString(`'\''`)
		case open == `"` && r == '!':
			b.WriteString(`"\!"`) // inside it would call up history
		case open == `"` && strings.ContainsRune("$`\"\\", r), open == "$'" && strings.ContainsRune(`'\`, r),
			open == "" && needsQuotes(r):
			b.WriteRune('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// quotePowerShell returns text as one word.
func quotePowerShell(text string) string {
	if text != "" && !strings.ContainsFunc(text, powerShellMeans) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if plainQuote(r) == '\'' {
			b.WriteRune(r)
		}
		b.WriteRune(r)
	}
	return "'" + b.String() + "'"
}

// powerShellMeans says whether r could be more than a letter to PowerShell.
func powerShellMeans(r rune) bool {
	return plainQuote(r) != r || needsQuotes(r) || strings.ContainsRune("@%=,", r)
}
