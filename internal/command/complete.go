package command

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Candidate is one way in which a word that was begun may go on.
type Candidate struct {
	Value string // the whole word as the program is to get it, without quotes
	Text  string // what it means, for shells that show that; may be empty
}

// Completion is a call that somebody is typing.
type Completion struct {
	Stdio
	Root *Command
	Args []string // the arguments before the word, without flags
	Word string   // what stands of the word already; in --flag=word what follows "="
	More int      // set by a Completer: how many candidates it left out
}

// Completer returns how c.Word may go on. It may return more than what begins
// so. It prints nothing and asks nobody; what fails has no candidates.
type Completer func(ctx context.Context, c *Completion) []Candidate

// completeWord is the first argument by which the scripts call the program. It
// is no command: help and suggestions do not know it.
const completeWord = "__complete"

// The line up to the cursor, and, from bash, the part that its answers replace,
// travel in the environment: a secret may stand there, and the arguments of a
// process are for everybody to read.
const (
	envCompleteLine = "COMPLETE_LINE"
	envCompleteWord = "COMPLETE_WORD"
)

// completeTime is how long somebody who pressed a key waits at most.
const completeTime = 200 * time.Millisecond

// complete prints how the line in the environment may go on, in the form that
// the script of a shell, the first of args, wants. It never prints an error: it
// would stand in the middle of what is being typed.
func complete(ctx context.Context, root *Command, args []string, s Stdio) int {
	ctx, cancel := context.WithTimeout(ctx, completeTime)
	defer cancel()
	if len(args) == 0 {
		return ExitUsage
	}
	i := slices.IndexFunc(shells[:], func(sh shell) bool { return sh.name == args[0] })
	if i < 0 {
		return ExitUsage
	}
	line := s.Getenv(envCompleteLine)
	words, _ := split(shells[i].rules, line)
	words = withoutProgram(root.Name(), words)
	if len(words) == 0 {
		return ExitOK
	}
	found := candidates(ctx, root, words, s)
	shells[i].reply(s, proposal{shells[i].rules, line, args[1:], found})
	return ExitOK
}

// withoutProgram returns what follows the program's name, which may be a path;
// before it may stand another command, such as sudo.
func withoutProgram(program string, words []string) []string {
	for i, word := range words {
		base := path.Base(strings.ReplaceAll(word, `\`, "/"))
		if i+1 < len(words) && strings.EqualFold(strings.TrimSuffix(base, ".exe"), program) {
			return words[i+1:]
		}
	}
	return nil
}

// candidates returns how the last of words may go on.
func candidates(ctx context.Context, root *Command, words []string, s Stdio) []Candidate {
	last := len(words) - 1
	chain, rest, err := resolve(root, words[:last])
	if err != nil {
		return nil
	}
	call := scanCall(invocation(chain, s).flags, rest)
	c := &Completion{Stdio: s, Root: root, Args: call.args, Word: words[last]}
	cmd := chain[len(chain)-1]
	switch name, value, isFlag := flagValueOf(c.Word); {
	case call.open != nil:
		return begin(c, "", ofFlag(ctx, c, call.open))
	case isFlag && !call.closed:
		f := findFlag(call.flags, name)
		if f == nil {
			return nil
		}
		c.Word = value
		return begin(c, name+"=", ofFlag(ctx, c, f))
	case strings.HasPrefix(c.Word, "-") && !call.closed:
		return append(begin(c, "", call.unused()), dashed(ctx, c, cmd)...)
	}
	found := begin(c, "", ofArguments(ctx, c, cmd))
	if !call.closed {
		// A name that begins like a flag would be taken for one.
		found = slices.DeleteFunc(found, func(f Candidate) bool { return f.Value[0] == '-' })
	}
	return found
}

// flagValueOf cuts --name=value in two.
func flagValueOf(word string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(word, "=")
	return name, value, ok && strings.HasPrefix(name, "--")
}

// ofFlag returns the values of a flag as far as they are known.
func ofFlag(ctx context.Context, c *Completion, f *Flag) []Candidate {
	if f.Complete != nil {
		return f.Complete(ctx, c)
	}
	return OneOf(f.Values...)(ctx, c)
}

// ofArguments returns what may stand as an argument: a command, while none was
// named, and what the command itself knows.
func ofArguments(ctx context.Context, c *Completion, cmd *Command) (found []Candidate) {
	if len(c.Args) == 0 {
		for _, sub := range cmd.Sub {
			found = append(found, Candidate{sub.Name(), sub.Short})
		}
	}
	full := cmd.MaxArgs >= 0 && len(c.Args) >= cmd.MaxArgs
	if cmd.Complete != nil && !full {
		found = append(found, cmd.Complete(ctx, c)...)
	}
	return found
}

// dashed returns "--" where an argument begins with a dash, which can only
// stand behind that.
func dashed(ctx context.Context, c *Completion, cmd *Command) []Candidate {
	if !strings.HasPrefix("--", c.Word) || cmd.Complete == nil {
		return nil
	}
	if len(begin(c, "", ofArguments(ctx, c, cmd))) == 0 {
		return nil
	}
	return []Candidate{{"--", "what follows is no flag"}}
}

// begin returns those candidates that go on from c.Word and are safe to show,
// each once, with what stands before the word put before them. If some were left
// out, one that says so keeps the shell from completing what the rest has in
// common.
func begin(c *Completion, before string, all []Candidate) []Candidate {
	found := make([]Candidate, 0, len(all))
	seen := map[string]bool{}
	for _, f := range all {
		if _, ok := CutFold(f.Value, c.Word); !ok || f.Value == "" || seen[f.Value] || Escape(f.Value) != f.Value {
			continue
		}
		seen[f.Value] = true
		found = append(found, Candidate{before + f.Value, Escape(f.Text)})
	}
	if c.More > 0 && len(found) > 0 {
		found = append(found, Candidate{before + c.Word + "…", "more than can be listed: type on"})
	}
	return found
}

// OneOf completes one argument to one of values.
func OneOf(values ...string) Completer {
	return func(_ context.Context, c *Completion) (found []Candidate) {
		for _, v := range values {
			found = append(found, Candidate{Value: v})
		}
		return found
	}
}

// CutFold returns what follows prefix in text, in any case.
func CutFold(text, prefix string) (rest string, ok bool) {
	for _, want := range prefix {
		r, size := utf8.DecodeRuneInString(text)
		if size == 0 || r != want && !strings.EqualFold(string(r), string(want)) {
			return "", false
		}
		text = text[size:]
	}
	return text, true
}

// partCall is a call whose end is not typed yet.
type partCall struct {
	flags  []Flag
	args   []string
	given  map[string]bool
	open   *Flag // the flag whose value comes next
	closed bool  // "--" was there: what comes is no flag
}

// scanCall takes words as the parser will, as far as they go. It knows nothing
// of values, and what it does not know it passes over.
func scanCall(flags []Flag, words []string) partCall {
	call := partCall{flags: append(slices.Clip(flags), ownHelp), given: map[string]bool{}}
	for _, word := range words {
		switch {
		case call.open != nil:
			call.open = nil
		case call.closed || len(word) < 2 || word[0] != '-':
			call.args = append(call.args, word)
		case word == "--":
			call.closed = true
		case word[1] == '-':
			name, _, hasValue := strings.Cut(word, "=")
			call.note(findFlag(call.flags, name), hasValue)
		default:
			call.shorts(word[1:])
		}
	}
	return call
}

// shorts takes letters behind one dash: switches, then one flag with its value.
func (call *partCall) shorts(letters string) {
	for i := range len(letters) {
		f := findFlag(call.flags, "-"+letters[i:i+1])
		if call.note(f, i+1 < len(letters)); f == nil || !f.isSwitch() {
			return
		}
	}
}

// note remembers that f was given, and whether its value is still to come.
func (call *partCall) note(f *Flag, hasValue bool) {
	if f == nil {
		return
	}
	call.given[f.Name] = true
	if !hasValue && !f.isSwitch() {
		call.open = f
	}
}

// unused returns the flags that can still be given.
func (call *partCall) unused() (found []Candidate) {
	for _, f := range call.flags {
		if _, again := f.Default.([]string); again || !call.given[f.Name] {
			found = append(found, Candidate{"--" + f.Name, f.Usage})
		}
	}
	return found
}

// findFlag returns the flag of that spelling, dashes and all.
func findFlag(flags []Flag, word string) *Flag {
	for i, f := range flags {
		if name, long := strings.CutPrefix(word, "--"); long && (name == f.Name || slices.Contains(f.Aliases, name)) ||
			word == "-"+cmp.Or(f.Short, "-") {
			return &flags[i]
		}
	}
	return nil
}

func (f *Flag) isSwitch() bool { _, ok := f.Default.(bool); return ok }
