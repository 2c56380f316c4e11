package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

func editCommand() *command.Command {
	return &command.Command{
		Use:      "edit NAME...",
		Synonyms: []string{"change", "modify", "update"},
		Wary:     true,
		Short:    "Change an entry",
		Long: `Only what a flag names changes; an empty text ('') empties a field. Without a
flag it is asked for, field by field. "o2fa undo" brings back what was before.

NAME is found as by "o2fa code"; several words are one name. --secret asks for
the new secret, unseen, or reads it from standard input: it is no argument.`,
		Example: `o2fa edit github                  # asks
o2fa edit github --name 'GitHub work' --add-tag work --pin
o2fa edit github --note - < note.txt
o2fa edit github --secret < secret.txt
o2fa edit token --counter 12`,
		Flags: []command.Flag{
			{Name: "name", Short: "n", Default: "", Value: "NAME", Usage: "new name"},
			{Name: "issuer", Default: "", Value: "TEXT", Usage: "who asks for the codes"},
			{Name: "account", Default: "", Value: "TEXT", Usage: "the account there"},
			{Name: "note", Default: "", Value: "TEXT", Usage: "a note; - reads it from stdin"},
			{Name: "tag", Default: []string(nil), Value: "TAG", Usage: "replace all tags; may be repeated", Complete: tagNames},
			{Name: "add-tag", Default: []string(nil), Value: "TAG", Usage: "add a tag; may be repeated", Complete: tagNames},
			{Name: "drop-tag", Default: []string(nil), Value: "TAG", Usage: "remove a tag; may be repeated", Complete: tagNames},
			{Name: "pin", Default: false, Usage: "list it before the others"},
			{Name: "unpin", Default: false, Usage: "list it among the others again"},
			{Name: "secret", Default: false, Usage: "change the secret: asked for, or read from stdin"},
			{Name: "type", Default: "", Value: "TYPE", Usage: "totp (by time) or hotp (by counter)", Values: []string{"totp", "hotp"}},
			{Name: "algorithm", Default: "", Value: "HASH", Usage: "SHA1, SHA256 or SHA512", Values: []string{"SHA1", "SHA256", "SHA512"}},
			{Name: "digits", Default: 0, Value: "N", Usage: "digits of a code, 6 to 10"},
			{Name: "period", Default: 0, Value: "SECONDS", Usage: "how long a code lives"},
			{Name: "counter", Default: uint64(0), Value: "N", Usage: "counter of the next hotp code"},
		},
		MaxArgs:  -1,
		Complete: entryNames,
		Run:      runEdit,
	}
}

func runEdit(ctx context.Context, inv *command.Invocation) error {
	name, err := nameOf(inv)
	if err != nil {
		return err
	}
	byFlags := slices.ContainsFunc(inv.Command.Flags, func(f command.Flag) bool { return inv.Given(f.Name) })
	if !byFlags && !inv.CanAsk() {
		return command.Usage(editExample(name), "no flag says what to change, and nobody can be asked")
	}
	if err := checkEdit(inv); err != nil {
		return err
	}
	a, err := connect(inv)
	if err != nil {
		return err
	}
	raw, err := a.detail(ctx, name, false)
	if err != nil {
		return secretAsName(inv, err)
	}
	before, err := decode[ipc.EntryDetail](raw)
	if err != nil {
		return err
	}
	req := ipc.EditRequest{}
	if byFlags {
		req, err = editOptions(ctx, inv)
	} else {
		req, err = askEdit(ctx, inv, before)
	}
	if err != nil {
		return err
	}
	req.ID = before.ID
	if raw, err = a.do(ctx, client.Request{Method: "POST", Path: ipc.PathEdit, Body: req}); err != nil {
		return err
	}
	return present(inv, raw, func(r ipc.EditReply) { showEdit(inv, before, r) })
}

// editExample is a call that changes something.
func editExample(name string) string {
	if !typable(name) {
		name = "NAME"
	}
	return "o2fa edit " + command.Quote(name) + " --name NEW"
}

// checkEdit refuses flags that contradict each other.
func checkEdit(inv *command.Invocation) error {
	switch {
	case inv.Bool("pin") && inv.Bool("unpin"):
		return command.Usage(inv.Path+" --help", "--pin and --unpin contradict each other")
	case inv.Given("tag") && (inv.Given("add-tag") || inv.Given("drop-tag")):
		return command.Usage(inv.Path+" --help", "--tag replaces all tags: it goes with neither --add-tag nor --drop-tag")
	case inv.Bool("secret") && inv.String("note") == stdinWord:
		return errStdinTwice(inv)
	}
	return nil
}

// secretAsName is err, unless what was taken for a part of the name may be the
// new secret.
func secretAsName(inv *command.Invocation, err error) error {
	last := inv.Args[len(inv.Args)-1]
	if inv.Bool("secret") && errors.Is(err, ipc.ErrNotFound) && (last == stdinWord || command.MayBeSecret(last)) {
		return command.Usage(editFromFile, "--secret takes no argument: it asks, or reads standard input")
	}
	return err
}

// editOptions reads the flags, and what they read from standard input.
func editOptions(ctx context.Context, inv *command.Invocation) (ipc.EditRequest, error) {
	req := ipc.EditRequest{
		Name: given(inv, "name", inv.String), Issuer: given(inv, "issuer", inv.String), Account: given(inv, "account", inv.String),
		AddTags: inv.Strings("add-tag"), DropTags: inv.Strings("drop-tag"),
		Type: given(inv, "type", inv.String), Algorithm: given(inv, "algorithm", inv.String),
		Digits: given(inv, "digits", inv.Int), Period: given(inv, "period", inv.Int), Counter: given(inv, "counter", inv.Uint64),
	}
	if req.Name != nil {
		*req.Name = strings.TrimSpace(*req.Name)
	}
	if inv.Given("tag") {
		tags := slices.DeleteFunc(slices.Clone(inv.Strings("tag")), func(tag string) bool { return tag == "" })
		req.Tags = &tags
	}
	if inv.Bool("pin") || inv.Bool("unpin") {
		pinned := inv.Bool("pin")
		req.Pinned = &pinned
	}
	if inv.Given("note") {
		note, err := readNote(inv)
		if err != nil {
			return req, err
		}
		req.Note = &note
	}
	if inv.Bool("secret") {
		text, err := readSecret(ctx, inv, editFromFile, checkBare)
		if err != nil {
			return req, err
		}
		if wrong := checkBare(text); wrong != nil {
			return req, command.Usage(editFromFile, "reading the secret: %w", wrong)
		}
		req.Secret = &text
	}
	return req, nil
}

// editFromFile changes a secret without a terminal.
const editFromFile = "o2fa edit NAME --secret < FILE"

// checkBare is checkSecret for where a URI is too much: it is a whole entry.
func checkBare(text string) error {
	if isURI(text) {
		return errors.New("it is a URI, and the secret alone is wanted: o2fa add makes an entry of a URI")
	}
	return checkSecret(text)
}

// given returns the value of a flag, nil if it was not given.
func given[T any](inv *command.Invocation, name string, get func(string) T) *T {
	if !inv.Given(name) {
		return nil
	}
	value := get(name)
	return &value
}

// readNote returns the note that a flag gives, for "-" the one on standard input.
func readNote(inv *command.Invocation) (string, error) {
	note := inv.String("note")
	if note != stdinWord {
		return note, nil
	}
	if command.IsTerminal(inv.In) {
		if !inv.CanAsk() {
			return "", command.Usage(inv.Path+" --help", "no note on standard input, and no questions allowed")
		}
		inv.Note("The note, up to Ctrl-D on a line of its own (Windows: Ctrl-Z):")
	}
	text, err := command.ReadAll(inv.In, ipc.MaxRequestBody/2)
	return strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), "\n"), err
}
