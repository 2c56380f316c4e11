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
	for _, topic := range cmd.Topics {
		found = append(found, Candidate{Value: topic.Name})
	}
	return found
}

func runHelp(_ context.Context, inv *Invocation) error {
	chain := []*Command{inv.Root}
	for i, word := range inv.Args {
		cmd := chain[len(chain)-1]
		for _, topic := range cmd.Topics {
			if strings.EqualFold(topic.Name, word) {
				inv.Printf("%s", topic.Text())
				return nil
			}
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
	writeCommands(&b, cmd.Sub)
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

// writeCommands lists commands under the headings of their groups.
func writeCommands(b *strings.Builder, commands []*Command) {
	for i, sub := range commands {
		if title := cmp.Or(sub.Group, "Commands"); i == 0 {
			fmt.Fprintf(b, "\n%s:\n", title)
		} else if sub.Group != commands[i-1].Group {
			fmt.Fprintf(b, "%s:\n", title)
		}
		fmt.Fprintf(b, "  %-10s %s\n", sub.Name(), sub.Short)
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
	if len(root.Topics) == 0 {
		return
	}
	pages := make([]string, len(root.Topics))
	for i, topic := range root.Topics {
		pages[i] = root.Name() + " help " + topic.Name
	}
	fmt.Fprintf(b, "More: %s\n", strings.Join(pages, ", "))
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
