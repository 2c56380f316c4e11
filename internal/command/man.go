package command

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Manual is what pages of the manual say beside the commands.
type Manual struct {
	Release string    // of the program
	Date    time.Time // shown as a day, UTC
}

// Pages returns the manual of a program: a page in roff for it and for each of
// its commands, by file name, such as o2fa-code.1.
func (m Manual) Pages(root *Command) map[string]string {
	root = withHelp(root)
	pages := map[string]string{}
	var walk func(chain []*Command)
	walk = func(chain []*Command) {
		p := page{Manual: m, chain: chain, cmd: chain[len(chain)-1]}
		pages[p.name()+".1"] = p.write()
		for _, sub := range p.cmd.Sub {
			walk(append(slices.Clip(chain), sub))
		}
	}
	walk([]*Command{root})
	return pages
}

// WritePages writes what packages of programs carry below dir: man1/ with the
// manual and, for the first program, completions/ with its scripts.
func (m Manual) WritePages(dir string, programs ...*Command) error {
	files := map[string]string{}
	for _, root := range programs {
		for name, text := range m.Pages(root) {
			files[filepath.Join("man1", name)] = text
		}
	}
	program := programs[0].Name()
	for shell, name := range map[string]string{"bash": program, "zsh": "_" + program, "fish": program + ".fish", "powershell": program + ".ps1"} {
		files[filepath.Join("completions", shell, name)], _ = CompletionScript(program, shell)
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), fs.FileMode(0o755)); err != nil {
			return fmt.Errorf("writing pages: %w", err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return fmt.Errorf("writing pages: %w", err)
		}
	}
	return nil
}

// ReleaseDate returns the moment that SOURCE_DATE_EPOCH names, in seconds, so
// that what is built twice is the same; without it 1970 began.
func ReleaseDate(epoch string) (time.Time, error) {
	seconds, err := strconv.ParseInt(cmp.Or(epoch, "0"), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading SOURCE_DATE_EPOCH: it is no number of seconds")
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// page is one page while it is written.
type page struct {
	Manual
	chain []*Command // from the program to the command
	cmd   *Command
	b     strings.Builder
}

func (p *page) root() *Command { return p.chain[0] }

// name is that of the page: o2fa-code.
func (p *page) name() string { return pageName(p.chain) }

func pageName(chain []*Command) string {
	return strings.ReplaceAll(invocation(chain, Stdio{}).Path, " ", "-")
}

func (p *page) write() string {
	program := p.root().Name()
	p.b.WriteString(".\\\" Written by \"make pages\" from what \"" + program + " help\" shows.\n")
	fmt.Fprintf(&p.b, ".TH \"%s\" 1 \"%s\" \"%s\" \"%s\"\n", strings.ToUpper(roff(p.name())), p.Date.UTC().Format(time.DateOnly),
		roff(program+" "+p.Release), roff(program+" manual"))
	p.section("NAME")
	p.line(roff(p.name()) + ` \- ` + roff(lowerFirst(p.cmd.Short)))
	p.synopsis()
	p.description()
	p.commands()
	p.options()
	if p.cmd.Example != "" {
		p.section("EXAMPLES")
		p.literal(p.cmd.Example)
	}
	p.tables()
	p.seeAlso()
	return p.b.String()
}

func (p *page) section(title string) { fmt.Fprintf(&p.b, ".SH %s\n", title) }

// line writes a line of text that is roff already.
func (p *page) line(text string) {
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	p.b.WriteString(text + "\n")
}

// item writes a term and what it means.
func (p *page) item(term, text string) {
	p.b.WriteString(".TP\n")
	p.line(term)
	p.line(text)
}

// literal writes lines as they stand.
func (p *page) literal(text string) {
	p.b.WriteString(".RS 4\n.nf\n")
	for line := range strings.Lines(strings.Trim(text, "\n")) {
		p.line(roff(strings.TrimRight(line, "\n")))
	}
	p.b.WriteString(".fi\n.RE\n")
}

func (p *page) synopsis() {
	p.section("SYNOPSIS")
	text := bold(invocation(p.chain, Stdio{}).Path)
	if len(p.cmd.Flags) > 0 && p.cmd != p.root() {
		text += " [" + italic("FLAG") + "]..."
	}
	if _, arguments, ok := strings.Cut(p.cmd.Use, " "); ok {
		text += " " + placeholders(arguments)
	}
	p.line(text)
}

// description takes the paragraphs of the help, which go on where the short
// one ends; indented ones are tables.
func (p *page) description() {
	p.section("DESCRIPTION")
	p.line(roff(p.cmd.Short) + ".")
	long := strings.Trim(p.cmd.Long+"\n\n"+p.cmd.Manual, "\n")
	for i, paragraph := range strings.Split(long, "\n\n") {
		table := strings.HasPrefix(paragraph, "  ")
		if i > 0 || table {
			p.b.WriteString(".PP\n")
		}
		if table {
			p.literal(outdent(paragraph))
			continue
		}
		for line := range strings.Lines(paragraph) {
			p.line(roff(strings.TrimSpace(line)))
		}
	}
	if len(p.cmd.Aliases) > 0 {
		p.b.WriteString(".PP\n")
		p.line("Other spellings: " + bold(strings.Join(p.cmd.Aliases, ", ")))
	}
}

// outdent takes two blanks off each line.
func outdent(text string) string { return strings.ReplaceAll("\n"+text, "\n  ", "\n")[1:] }

func (p *page) commands() {
	if len(p.cmd.Sub) == 0 {
		return
	}
	p.section("COMMANDS")
	for i, sub := range p.cmd.Sub {
		if sub.Group != "" && (i == 0 || sub.Group != p.cmd.Sub[i-1].Group) {
			fmt.Fprintf(&p.b, ".SS \"%s\"\n", roff(sub.Group))
		}
		p.item(bold(sub.Name()), roff(sub.Short)+".")
	}
}

func (p *page) options() {
	p.section("OPTIONS")
	flags := slices.Concat(p.cmd.Flags, p.root().Flags)
	if p.cmd == p.root() {
		flags = slices.Clone(p.root().Flags)
	}
	for _, f := range append(flags, ownHelp) {
		term := bold("--" + f.Name)
		if f.Short != "" {
			term = bold("-"+f.Short) + ", " + term
		}
		if f.Value != "" {
			term += " " + italic(f.Value)
		}
		p.item(term, roff(f.Usage+f.defaultText()))
	}
}

// tables writes what holds for the whole program.
func (p *page) tables() {
	root := p.root()
	if len(root.Exits) > 0 {
		p.section("EXIT STATUS")
		for _, row := range exitRows(root.Exits) {
			p.item(bold(strconv.Itoa(row.code)), roff(row.meaning))
		}
	}
	for _, table := range []struct {
		title string
		items []Item
		style func(string) string
	}{{"ENVIRONMENT", root.Environment, bold}, {"FILES", root.Files, italic}} {
		if len(table.items) == 0 {
			continue
		}
		p.section(table.title)
		for _, item := range table.items {
			p.item(table.style(item.Name), roff(item.Text))
		}
	}
}

// seeAlso names the pages above, beside and below.
func (p *page) seeAlso() {
	var names []string
	for i := 1; i < len(p.chain); i++ {
		names = append(names, pageName(p.chain[:i]))
	}
	for _, sub := range p.cmd.Sub {
		names = append(names, pageName(append(slices.Clip(p.chain), sub)))
	}
	if p.cmd == p.root() {
		names = append(names, p.root().SeeAlso...)
	}
	if len(names) == 0 {
		return
	}
	p.section("SEE ALSO")
	for i, name := range names {
		end := ","
		if i == len(names)-1 {
			end = ""
		}
		p.line(bold(name) + "(1)" + end)
	}
}

func bold(text string) string   { return `\fB` + roff(text) + `\fR` }
func italic(text string) string { return `\fI` + roff(text) + `\fR` }

// placeholders sets the words in capitals, which stand for something, in italics.
func placeholders(arguments string) string {
	var b strings.Builder
	for word := range strings.FieldsFuncSeq(roff(arguments), func(r rune) bool { return r == ' ' }) {
		if b.Len() > 0 {
			b.WriteString(" ")
		}
		begin := strings.IndexFunc(word, isCapital)
		end := strings.LastIndexFunc(word, isCapital) + 1
		if begin < 0 {
			b.WriteString(word)
			continue
		}
		b.WriteString(word[:begin] + `\fI` + word[begin:end] + `\fR` + word[end:])
	}
	return b.String()
}

func isCapital(r rune) bool { return r >= 'A' && r <= 'Z' }

// roff writes text so that it comes out as it stands: as ASCII, with hyphens
// that can be copied and no character that roff means something by.
func roff(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch r {
		case '\\':
			b.WriteString(`\e`)
		case '-':
			b.WriteString(`\-`)
		case '\'':
			b.WriteString(`\(aq`)
		case '`':
			b.WriteString(`\(ga`)
		case '^':
			b.WriteString(`\(ha`)
		case '~':
			b.WriteString(`\(ti`)
		case '"':
			b.WriteString(`\(dq`)
		default:
			if r > '~' {
				fmt.Fprintf(&b, `\[u%04X]`, r)
			} else {
				b.WriteRune(r)
			}
		}
	}
	return b.String()
}

// lowerFirst leaves a word alone that is written in capitals.
func lowerFirst(text string) string {
	if len(text) > 1 && isCapital(rune(text[1])) {
		return text
	}
	return strings.ToLower(text[:1]) + text[1:]
}
