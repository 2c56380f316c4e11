package command

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// withHelp returns root with the help command that every program has: "help"
// shows the program, "help WORD" one of its commands or topics.
func withHelp(root *Command) *Command {
	program := root.Name()
	help := &Command{
		Use:      "help [COMMAND]",
		Aliases:  []string{"-h", "--help", "-help"},
		Short:    "Show how to use a command",
		Example:  program + " help\n" + program + " help " + root.Sub[0].Name(),
		Group:    root.Sub[len(root.Sub)-1].Group,
		MaxArgs:  -1,
		Complete: completeHelp,
		Run:      runHelp,
	}
	whole := *root
	whole.Sub = append(slices.Clip(root.Sub), help)
	return &whole
}

// ownHelp is the flag that every command has by itself.
var ownHelp = Flag{Name: helpFlag, Short: "h", Default: false, Usage: "show the command's help"}

// completeHelp completes what "help" can be asked for.
func completeHelp(_ context.Context, c *Completion) (found []Candidate) {
	cmd := c.Root
	for _, word := range c.Args {
		if cmd = cmd.find(word); cmd == nil {
			return nil
		}
	}
	for _, sub := range cmd.Sub {
		found = append(found, Candidate{sub.Name(), sub.Short})
	}
	if cmd == c.Root {
		for _, t := range topics(cmd) {
			found = append(found, Candidate{t.name, t.about})
		}
	}
	return found
}

// topic is a page of help that is about no command.
type topic struct {
	name, about string
	text        func() string
}

// topics returns the pages that a program has.
func topics(root *Command) []topic {
	program := root.Name()
	all := []topic{{"commands", "all commands", func() string {
		var b strings.Builder
		b.WriteString("The commands of " + program + ":\n")
		writeCommands(&b, root.Sub, nil)
		return b.String()
	}}}
	if len(root.Exits) > 0 {
		all = append(all, topic{"exit-codes", "what it exits with", func() string {
			items := []Item{}
			for _, row := range exitRows(root.Exits) {
				items = append(items, Item{fmt.Sprintf("%-3d", row.code), row.meaning})
			}
			return "What " + program + " exits with:\n\n" + itemTable(items)
		}})
	}
	if len(root.Environment) > 0 {
		all = append(all, topic{"environment", "the variables that count", func() string {
			return "What " + program + " and its daemon read from the environment:\n\n" + itemTable(root.Environment)
		}})
	}
	if len(root.Files) > 0 {
		all = append(all, topic{"files", "the files that count", func() string {
			return "The files of " + program + ":\n\n" + itemTable(root.Files)
		}})
	}
	return all
}

// itemTable returns items, a line each.
func itemTable(items []Item) string {
	width := 0
	for _, item := range items {
		width = max(width, len(item.Name))
	}
	var b strings.Builder
	for _, item := range items {
		b.WriteString("  " + Pad(item.Name, width) + "  " + item.Text + "\n")
	}
	return b.String()
}

func runHelp(_ context.Context, inv *Invocation) error {
	chain := []*Command{inv.Root}
	for i, word := range inv.Args {
		cmd := chain[len(chain)-1]
		if i == 0 && inv.topic(word) {
			return nil
		}
		if len(cmd.Sub) == 0 {
			break
		}
		sub := cmd.find(word)
		if sub == nil {
			return unknownPage(inv, cmd, inv.Args[:i], word)
		}
		chain = append(chain, sub)
	}
	inv.PrintHelp(chain)
	return nil
}

// topic prints the page of that name, if there is one.
func (inv *Invocation) topic(name string) bool {
	for _, t := range topics(inv.Root) {
		if strings.EqualFold(t.name, name) {
			inv.Printf("%s", t.text())
			return true
		}
	}
	return false
}

// unknownPage returns the failure of a word after "help" that names nothing
// below cmd, to which the words before led.
func unknownPage(inv *Invocation, cmd *Command, before []string, word string) error {
	hint := inv.Path
	if near := suggest(cmd, word); near != nil {
		hint = strings.Join(append(append([]string{hint}, before...), near.Name()), " ")
	}
	if len(word) > longestTypo || MayBeSecret(word) {
		return Usage(hint, "there is no help on that")
	}
	return Usage(hint, "there is no help on %q", word)
}

// PrintHelp writes the help of the last command of a chain that begins at the
// program.
func (inv *Invocation) PrintHelp(chain []*Command) {
	cmd := chain[len(chain)-1]
	path := invocation(chain, inv.Stdio).Path
	var b strings.Builder
	usage := "Usage:\n  " // a line less for the program, whose help has to fit on a screen
	if cmd == inv.Root {
		usage = "Usage: "
	}
	fmt.Fprintf(&b, "%s\n\n%s%s\n", cmd.Short, usage, usageLine(cmd, path))
	if cmd.Long != "" {
		fmt.Fprintf(&b, "\n%s\n", strings.Trim(cmd.Long, "\n"))
	}
	if len(cmd.Aliases) > 0 {
		fmt.Fprintf(&b, "\nAliases:\n  %s\n", strings.Join(cmd.Aliases, ", "))
	}
	if len(cmd.Sub) > 0 {
		writeCommands(&b, cmd.Sub, cmd.Terse)
	}
	common := append(slices.Clip(inv.Root.Flags), ownHelp)
	if cmd != inv.Root {
		writeFlags(&b, "Flags", cmd.Flags)
		writeFlags(&b, "Flags of every command", common)
	}
	if cmd.Example != "" {
		b.WriteString("\nExamples:\n")
		for line := range strings.Lines(strings.Trim(cmd.Example, "\n")) {
			b.WriteString("  " + strings.TrimRight(line, "\n") + "\n")
		}
	}
	if cmd == inv.Root {
		writeClosing(&b, cmd, common)
	}
	inv.Printf("%s", b.String())
}

// writeCommands lists commands under the headings of their groups, those of
// terse groups by their names only.
func writeCommands(b *strings.Builder, commands []*Command, terse []string) {
	width := 10
	for _, sub := range commands {
		if !slices.Contains(terse, sub.Group) {
			width = max(width, len(sub.Name())+1)
		}
	}
	b.WriteString("\n")
	for i, sub := range commands {
		title := cmp.Or(sub.Group, "Commands")
		first := i == 0 || sub.Group != commands[i-1].Group
		switch isTerse := slices.Contains(terse, sub.Group); {
		case isTerse && first:
			fmt.Fprintf(b, "%s %s", Pad(title+":", width+2), sub.Name())
		case isTerse:
			b.WriteString(", " + sub.Name())
		case first:
			fmt.Fprintf(b, "%s:\n", title)
			fallthrough
		default:
			fmt.Fprintf(b, "  %s %s", Pad(sub.Name(), width), sub.Short)
		}
		if i+1 == len(commands) || sub.Group != commands[i+1].Group || !slices.Contains(terse, sub.Group) {
			b.WriteString("\n")
		}
	}
}

// writeClosing ends the help of the program with the flags and pages that
// belong to no command, by their names only.
func writeClosing(b *strings.Builder, root *Command, flags []Flag) {
	names := make([]string, len(flags))
	for i, f := range flags {
		names[i] = "--" + f.Name
	}
	fmt.Fprintf(b, "Flags of every command: %s\n", strings.Join(names, ", "))
	pages := []string{"COMMAND"}
	for _, t := range topics(root) {
		pages = append(pages, t.name)
	}
	fmt.Fprintf(b, "More: %s help %s\n", root.Name(), strings.Join(pages, " | "))
}

// usageLine returns the full path with arguments.
func usageLine(cmd *Command, path string) string {
	_, arguments, _ := strings.Cut(cmd.Use, " ")
	return strings.TrimSpace(path + " " + arguments)
}

// writeFlags writes a table of flags, one a line.
func writeFlags(b *strings.Builder, title string, flags []Flag) {
	if len(flags) == 0 {
		return
	}
	width := 0
	for _, f := range flags {
		width = max(width, len(f.spelling()))
	}
	fmt.Fprintf(b, "\n%s:\n", title)
	for _, f := range flags {
		fmt.Fprintf(b, "  %s  %s%s\n", Pad(f.spelling(), width), f.Usage, f.defaultText())
	}
}

// spelling returns "-n, --name NAME".
func (f Flag) spelling() string {
	short := "    "
	if f.Short != "" {
		short = "-" + f.Short + ", "
	}
	return strings.TrimRight(short+"--"+f.Name+" "+f.Value, " ")
}

// defaultText returns " (default 5s)" where a value applies that was not given.
func (f Flag) defaultText() string {
	switch d := f.Default.(type) {
	case string:
		if d != "" {
			return " (default " + d + ")"
		}
	case int:
		if d != 0 {
			return fmt.Sprintf(" (default %d)", d)
		}
	case time.Duration:
		if d != 0 {
			return fmt.Sprintf(" (default %s)", d)
		}
	}
	return ""
}
