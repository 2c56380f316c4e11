package command

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// withHelp returns root with the help command that every program has: "help"
// shows the program, "help COMMAND" one of its commands.
func withHelp(root *Command) *Command {
	program := root.Name()
	help := &Command{
		Use:     "help [COMMAND]",
		Aliases: []string{"-h", "--help", "-help"},
		Short:   "Show how to use a command",
		Example: program + " help\n" + program + " help " + root.Sub[0].Name(),
		MaxArgs: -1,
		Run: func(_ context.Context, inv *Invocation) error {
			chain, _, err := resolve(inv.Root, inv.Args)
			if err != nil {
				return err
			}
			inv.PrintHelp(chain)
			return nil
		},
	}
	whole := *root
	whole.Sub = append(slices.Clip(root.Sub), help)
	return &whole
}

// PrintHelp writes the help of the last command of a chain that begins at the
// program.
func (inv *Invocation) PrintHelp(chain []*Command) {
	cmd := chain[len(chain)-1]
	path := invocation(chain, inv.Stdio).Path
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nUsage:\n  %s\n", cmd.Short, usageLine(cmd, path))
	if len(cmd.Aliases) > 0 {
		fmt.Fprintf(&b, "\nAlso spelt:\n  %s\n", strings.Join(cmd.Aliases, ", "))
	}
	if len(cmd.Sub) > 0 {
		b.WriteString("\nCommands:\n")
		for _, sub := range cmd.Sub {
			fmt.Fprintf(&b, "  %-10s %s\n", sub.Name(), sub.Short)
		}
	}
	if cmd.Long != "" {
		fmt.Fprintf(&b, "\n%s\n", strings.Trim(cmd.Long, "\n"))
	}
	if cmd != inv.Root {
		writeFlags(&b, "Flags", cmd.Flags)
	}
	writeFlags(&b, "Flags of every command", append(slices.Clip(inv.Root.Flags),
		Flag{Name: helpFlag, Short: "h", Default: false, Usage: "show the command's help"}))
	if cmd.Example != "" {
		b.WriteString("\nExamples:\n")
		for line := range strings.Lines(strings.Trim(cmd.Example, "\n")) {
			b.WriteString("  " + strings.TrimRight(line, "\n") + "\n")
		}
	}
	inv.Printf("%s", b.String())
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
