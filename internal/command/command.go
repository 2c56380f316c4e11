// Package command owns what every program of o2fa does in front of a person:
// it turns arguments into one call of a command, asks questions, prints errors
// and hints, writes help and ends with a stable exit code. It is the only
// importer of pflag, and it knows nothing of vaults, daemons or codes.
package command

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// Stdio is the world as a program sees it. Only a main builds one from the
// process; tests build it from buffers.
type Stdio struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) string
	// Process is for a program that executes itself again; nil where it cannot.
	Process *Process
}

// Process is how a process was started, and its environment.
type Process struct {
	Args     []string // the program's name first
	Environ  func() []string
	Unsetenv func(name string) error
	// Stop ends the signals' way into the context of Run: from then on they do
	// what they do to any process, or go to whom the program has named.
	Stop func()
}

// Command is one command, or, at the top, a whole program with its commands in
// Sub. It is plain data: nothing is parsed or built before it is asked for.
type Command struct {
	// Use is the name, then the arguments as help shows them: "code NAME...".
	Use string
	// Aliases are further spellings of the name, dashes and all. Names and
	// aliases match in any case.
	Aliases []string
	// Synonyms are words that people type for it. They are no spellings of it:
	// whoever types one is told the name. Lower case.
	Synonyms []string
	Short    string // one capitalised line without a full stop
	Long     string // paragraphs for the command's own help; they go on where Short ends
	Example  string // lines to type, each with the program's name
	// Flags of this command. Those at the top belong to every command and
	// must be switches.
	Flags []Flag
	// MinArgs and MaxArgs bound the arguments; MaxArgs < 0 means no bound. A
	// word that names none of the commands below is an argument, where there may
	// be one, and else a mistake.
	MinArgs, MaxArgs int
	// Wary commands do harm when they were not meant: they are suggested for a
	// word with one typing error, not for two.
	Wary bool
	// Group is the heading under which the help of the program lists the
	// command. Commands of one group stand together in Sub.
	Group string
	// Complete completes the arguments in a shell; nil: nothing is known of them.
	Complete Completer
	// Run does the work. A command without one shows its help.
	Run func(ctx context.Context, inv *Invocation) error
	Sub []*Command

	// What follows is for the top only. Terse are the groups of whose commands
	// the help of the program tells no more than the names.
	Terse []string
	// Exits are the exit codes in use, Environment and Files what the program
	// reads: pages of help, and sections of the manual.
	Exits              []int
	Environment, Files []Item
	// Manual is text for the page of the program in the manual, which has more
	// room than a screen. SeeAlso names other pages.
	Manual  string
	SeeAlso []string
	// Unknown returns the hints for words that name no command. Without it the
	// hint is the help.
	Unknown func(words []string) []string
}

// Item is a row of a table: a name and what it means, in lower case.
type Item struct{ Name, Text string }

// Name returns the first word of Use.
func (c *Command) Name() string {
	name, _, _ := strings.Cut(c.Use, " ")
	return name
}

// Flag is an option of a command. Its kind is the type of Default: bool,
// string, int, uint64, time.Duration or []string (may be repeated).
type Flag struct {
	Name    string   // long name, without dashes
	Short   string   // one letter, or none
	Aliases []string // further long names, not shown
	Value   string   // what help calls the value: NAME; none for a switch
	Default any
	Usage   string // lower case, no full stop
	// Values are all that the flag takes, where they are few: shells complete
	// them. Complete does that where they are not known beforehand.
	Values   []string
	Complete Completer
}

// The flags that mean the same in every program. A program has them if its
// top command lists them.
var (
	JSONFlag = Flag{Name: "json", Default: false,
		Usage: "print the reply as JSON, and errors too"}
	NoInputFlag = Flag{Name: "no-input", Default: false,
		Usage: "never ask a question: fail instead"}
)

// Invocation is one call of a command.
type Invocation struct {
	Stdio
	Root, Command *Command
	Path          string // program and command: "o2fa code"
	Args          []string

	flags  []Flag         // those of the top and of Command
	given  map[string]any // values by name, of the flags that were given
	outErr error          // first failure of writing to Out
	hidden *guard         // of the terminal while it shows nothing; see AskHidden
	cancel context.CancelCauseFunc
}

// Given says whether the flag of that name stood among the arguments.
func (inv *Invocation) Given(name string) bool { _, ok := inv.given[name]; return ok }

// Bool returns the value of a switch.
func (inv *Invocation) Bool(name string) bool { return value[bool](inv, name) }

// String returns the value of a text flag.
func (inv *Invocation) String(name string) string { return value[string](inv, name) }

// Int returns the value of a number flag.
func (inv *Invocation) Int(name string) int { return value[int](inv, name) }

// Uint64 returns the value of a counter flag.
func (inv *Invocation) Uint64(name string) uint64 { return value[uint64](inv, name) }

// Duration returns the value of a time flag.
func (inv *Invocation) Duration(name string) time.Duration { return value[time.Duration](inv, name) }

// Strings returns the values of a flag that may be repeated.
func (inv *Invocation) Strings(name string) []string { return value[[]string](inv, name) }

// JSON says whether the caller wants JSON. It is false where the program has
// no such flag.
func (inv *Invocation) JSON() bool {
	_, ok := inv.given[JSONFlag.Name]
	return ok && inv.Bool(JSONFlag.Name)
}

// NoInput says whether the caller forbids questions.
func (inv *Invocation) NoInput() bool {
	return inv.Given(NoInputFlag.Name) && inv.Bool(NoInputFlag.Name)
}

// CanAsk says whether questions may be asked: a person sits at both ends, and
// did not forbid it.
func (inv *Invocation) CanAsk() bool {
	return !inv.NoInput() && IsTerminal(inv.In) && IsTerminal(inv.Err)
}

// Write writes to Out and remembers a failure, so that commands need not
// check: the call then ends with that error, unless it has one of its own.
func (inv *Invocation) Write(p []byte) (int, error) {
	n, err := inv.Out.Write(p)
	if err != nil && inv.outErr == nil {
		inv.outErr = fmt.Errorf("writing output: %w", err)
	}
	return n, inv.outErr
}

// Printf formats to Out; see Write.
func (inv *Invocation) Printf(format string, args ...any) { fmt.Fprintf(inv, format, args...) }

// value looks up a flag. A name or type that the command does not declare is a
// defect of the command, found by the first test that runs it.
func value[T any](inv *Invocation, name string) T {
	if v, ok := inv.given[name]; ok {
		return v.(T)
	}
	for _, f := range inv.flags {
		if f.Name == name {
			return f.Default.(T)
		}
	}
	panic("command: " + inv.Path + " declares no flag " + name)
}
