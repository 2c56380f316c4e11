package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Run carries out one call of the program root and returns its exit code. It
// prints what went wrong, so a main has nothing left to do but to exit. The
// program has at least one command; help comes by itself.
func Run(ctx context.Context, root *Command, args []string, s Stdio) int {
	root = withHelp(root)
	if len(args) > 0 && args[0] == completeWord {
		return complete(ctx, root, args[1:], s)
	}
	err := run(ctx, root, args, s)
	if err != nil {
		report(s, root.Name(), err, asksJSON(root, args))
	}
	return exitCode(err)
}

func run(ctx context.Context, root *Command, args []string, s Stdio) error {
	if i := slices.IndexFunc(args, func(a string) bool { return !utf8.ValidString(a) }); i >= 0 {
		return Usage("", "reading argument %d: %w", i+1, errEncoding)
	}
	chain, rest, err := resolve(root, args)
	if err != nil {
		return err
	}
	inv := invocation(chain, s)
	if plain(rest) {
		inv.Args = rest
	} else if err := inv.parse(rest); err != nil {
		return err
	}
	cmd := inv.Command
	switch {
	case cmd.Run == nil, inv.Given(helpFlag):
		inv.PrintHelp(chain)
		return inv.outErr
	case len(inv.Args) < cmd.MinArgs:
		return Usage(inv.Path+" --help", "%s needs more arguments: %s", inv.Path, cmd.Use)
	case cmd.MaxArgs == 0 && len(inv.Args) > 0:
		return Usage(inv.Path+" --help", "%s takes no words", inv.Path)
	case cmd.MaxArgs > 0 && len(inv.Args) > cmd.MaxArgs:
		return Usage(inv.Path+" --help", "%d words, at most %d: put a name with blanks in quotes", len(inv.Args), cmd.MaxArgs)
	}
	return inv.call(ctx)
}

// call runs the command and leaves the terminal as it was.
func (inv *Invocation) call(ctx context.Context) error {
	ctx, inv.cancel = context.WithCancelCause(ctx)
	defer inv.cancel(nil)
	defer inv.Reveal()
	err := inv.Command.Run(ctx, inv)
	switch {
	case err == nil:
		return inv.outErr
	case errors.Is(context.Cause(ctx), ErrInterrupted):
		return ErrInterrupted // whatever the work made of it
	}
	return err
}

// invocation returns the call of the last command of chain, with no flag given.
func invocation(chain []*Command, s Stdio) *Invocation {
	root, cmd := chain[0], chain[len(chain)-1]
	names := make([]string, len(chain))
	for i, c := range chain {
		names[i] = c.Name()
	}
	flags := root.Flags
	if cmd != root {
		flags = slices.Concat(cmd.Flags, root.Flags)
	}
	return &Invocation{Stdio: s, Root: root, Command: cmd, Path: strings.Join(names, " "), flags: flags}
}

// plain says whether args hold no flag. Most calls do not ("o2fa code github"),
// and then there is nothing for a parser to do: the flags have their defaults.
// That is a tenth of the time of a whole process.
func plain(args []string) bool {
	return !slices.ContainsFunc(args, func(a string) bool { return len(a) > 1 && a[0] == '-' })
}

// resolve finds the command that args ask for, as the chain from root to it,
// and returns the arguments without its words. Switches of the top may stand
// before a command's name.
func resolve(root *Command, args []string) (chain []*Command, rest []string, err error) {
	chain, rest = []*Command{root}, args
	for cmd := root; len(cmd.Sub) > 0; {
		i := slices.IndexFunc(rest, func(a string) bool { return cmd.find(a) != nil || !root.isSwitch(a) })
		if i < 0 {
			break
		}
		sub := cmd.find(rest[i])
		if sub == nil && cmd != root && (cmd.MaxArgs != 0 || strings.HasPrefix(rest[i], "-")) {
			break // an argument or a flag of cmd itself
		}
		if sub == nil {
			return nil, nil, unknown(chain, rest, i)
		}
		rest = slices.Concat(rest[:i], rest[i+1:])
		chain, cmd = append(chain, sub), sub
	}
	return chain, rest, nil
}

// find returns the command under c that word names: by its name first, so that
// no alias ever hides one.
func (c *Command) find(word string) *Command {
	for _, sub := range c.Sub {
		if strings.EqualFold(sub.Name(), word) {
			return sub
		}
	}
	for _, sub := range c.Sub {
		for _, alias := range sub.Aliases {
			if strings.EqualFold(alias, word) {
				return sub
			}
		}
	}
	return nil
}

// isSwitch says whether word is one of c's own flags.
func (c *Command) isSwitch(word string) bool {
	name, _, _ := strings.Cut(word, "=")
	return slices.ContainsFunc(c.Flags, func(f Flag) bool {
		return name == "--"+f.Name || len(f.Short) > 0 && word == "-"+f.Short
	})
}

// asksJSON says whether args ask for JSON; also where they cannot be parsed.
func asksJSON(root *Command, args []string) bool {
	if !root.isSwitch("--" + JSONFlag.Name) {
		return false
	}
	for _, a := range args {
		if a == "--" {
			return false
		}
		if a == "--json" || a == "--json=true" {
			return true
		}
	}
	return false
}

// longestTypo is the longest word that an error repeats. A longer one may be
// a secret that was typed where a command belongs.
const longestTypo = 12

// unknown returns the failure of words, of which the one at i is no command,
// with what they may have meant.
func unknown(chain []*Command, words []string, i int) error {
	cmd, path, word := chain[len(chain)-1], invocation(chain, Stdio{}).Path, words[i]
	if strings.HasPrefix(word, "-") {
		return unknownFlag(chain, words[i:])
	}
	program, below, nested := strings.Cut(path, " ")
	hints := []string{program + " help"}
	if nested {
		hints[0] += " " + below
	}
	if near := suggest(cmd, word); near != nil {
		others := slices.Concat(words[:i], words[i+1:])
		hints[0] = path + " " + near.Name()
		if arguments := typed(near, others); arguments != "" {
			hints[0] += " " + arguments
		}
	} else if cmd.Unknown != nil {
		hints = cmd.Unknown(words)
	}
	hint := strings.Join(hints, "\n")
	if len(word) > longestTypo || MayBeSecret(word) {
		return Usage(hint, "that is no command of %s", path)
	}
	return Usage(hint, "%s is no command of %s", fmt.Sprintf("%q", word), path)
}

// typed returns the arguments for a hint: those that were typed, or, where
// there are none or a hint must not or cannot show them, one for each that c needs.
func typed(c *Command, words []string) string {
	_, arguments, takesAny := strings.Cut(c.Use, " ")
	if !takesAny && plain(words) {
		return ""
	}
	if call := Quote(words...); call != "" && !MayBeSecret(words...) && Escape(call) == call {
		return call
	}
	if strings.HasPrefix(arguments, "[") {
		return ""
	}
	needed := strings.Fields(arguments)
	for i, argument := range needed {
		argument, _, _ = strings.Cut(argument, "|")
		needed[i] = strings.TrimSuffix(argument, "...")
	}
	return strings.Join(needed, " ")
}

// unknownFlag returns the failure of a first word that is no flag of the
// program. Flags of a command stand after its name.
func unknownFlag(chain []*Command, words []string) error {
	cmd, inv := chain[len(chain)-1], invocation(chain, Stdio{})
	name, _, _ := strings.Cut(words[0], "=")
	hint, known := inv.meant(words, name, inv.Path+" help")
	for i, word := range words {
		sub := cmd.find(word)
		if sub == nil {
			continue
		}
		of := invocation(append(slices.Clip(chain), sub), Stdio{})
		if !known {
			hint, known = of.meant(slices.Concat(words[:i], words[i+1:]), name, of.Path+" --help")
		}
		break
	}
	if near := suggest(cmd, strings.TrimLeft(name, "-")); !known && near != nil {
		hint, known = inv.Path+" "+near.Name(), true // a command behind dashes: --lits
	}
	if !known && len(name) > longestTypo {
		return Usage(hint, "%s has no such flag", inv.Path)
	}
	return Usage(hint, "%s has no flag %s", inv.Path, name)
}
