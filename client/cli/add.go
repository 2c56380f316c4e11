package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

// stdinWord stands for standard input.
const stdinWord = "-"

// fromFile adds a secret without a terminal.
const fromFile = "o2fa add - NAME < FILE"

// fromFileAs is fromFile for an entry of that name.
func fromFileAs(name string) string {
	if !typable(name) {
		return fromFile
	}
	return "o2fa add - " + command.Quote(name) + " < FILE"
}

func addCommand() *command.Command {
	return &command.Command{
		Use:      "add [SECRET|URI|-] [NAME]",
		Aliases:  []string{"a", "-a", "-add", "--add"},
		Synonyms: []string{"insert", "new"},
		Short:    "Add a secret",
		Long: `In base32, as services show it, or as an otpauth:// URI. Without arguments it is
asked for, unseen, and then its name; "-" reads it from standard input. Neither
way leaves it in the shell's history.

Secret and name may stand in either order: the first word that is a secret is
the secret. A name alone makes it ask for the secret. The first time the vault
is made, too: see "o2fa help init".`,
		Example: `o2fa add                                  # asks
o2fa add github                           # asks for the secret
o2fa add I65VU7K5ZQL7WB4E github
o2fa add - github < secret.txt
o2fa add 'otpauth://totp/GitHub:ann?secret=I65VU7K5ZQL7WB4E'
o2fa add --type hotp --counter 7 - token < secret.txt`,
		Flags: []command.Flag{
			{Name: "name", Short: "n", Default: "", Value: "NAME", Usage: "name of the entry"},
			{Name: "issuer", Default: "", Value: "TEXT", Usage: "who asks for the codes"},
			{Name: "account", Default: "", Value: "TEXT", Usage: "the account there"},
			{Name: "type", Default: "totp", Value: "TYPE", Usage: "totp (by time) or hotp (by counter)", Values: []string{"totp", "hotp"}},
			{Name: "algorithm", Default: "SHA1", Value: "HASH", Usage: "SHA1, SHA256 or SHA512", Values: []string{"SHA1", "SHA256", "SHA512"}},
			{Name: "digits", Default: 6, Value: "N", Usage: "digits of a code, 6 to 10"},
			{Name: "period", Default: 30, Value: "SECONDS", Usage: "how long a code lives"},
			{Name: "counter", Default: uint64(0), Value: "N", Usage: "counter of the next hotp code"},
			{Name: "tag", Default: []string(nil), Value: "TAG", Usage: "a tag; may be repeated", Complete: tagNames},
			{Name: "note", Default: "", Value: "TEXT", Usage: "a note; - reads it from stdin"},
			{Name: "pin", Default: false, Usage: "list it before the others"},
		},
		MaxArgs: 2,
		Run:     runAdd,
	}
}

func runAdd(ctx context.Context, inv *command.Invocation) error {
	a, err := connect(inv)
	if err != nil {
		return err
	}
	req, err := addOptions(inv)
	if err != nil {
		return err
	}
	if inv.String("note") == stdinWord && slices.Contains(inv.Args, stdinWord) {
		return errStdinTwice(inv)
	}
	if req.Note, err = readNote(inv); err != nil {
		return err
	}
	if err := readAdd(ctx, inv, &req); err != nil {
		return err
	}
	switch byCounter := counts(req); {
	case inv.Given("counter") && !byCounter:
		return command.Usage("--type hotp, for codes by counter", "--counter belongs to codes by counter, and these go by time")
	case inv.Given("period") && byCounter:
		return command.Usage("--type totp, for codes by time", "--period belongs to codes by time, and these go by counter")
	}
	raw, err := a.do(ctx, client.Request{Method: "POST", Path: ipc.PathEntries, Body: req})
	if err != nil {
		return nameAlone(req, err)
	}
	return present(inv, raw, func(r ipc.AddReply) { showAdd(inv, r) })
}

// addOptions reads the flags. One that was not given is left out, so that a
// URI's own value, or the daemon's default, holds.
func addOptions(inv *command.Invocation) (ipc.AddRequest, error) {
	req := ipc.AddRequest{
		Name: strings.TrimSpace(inv.String("name")), Issuer: inv.String("issuer"), Account: inv.String("account"),
		Counter: inv.Uint64("counter"), Tags: inv.Strings("tag"), Pinned: inv.Bool("pin"),
		Keystore: inv.Getenv(envKeystore),
	}
	for name, field := range map[string]*string{"type": &req.Type, "algorithm": &req.Algorithm} {
		if inv.Given(name) {
			*field = inv.String(name)
		}
	}
	for name, field := range map[string]*int{"digits": &req.Digits, "period": &req.Period} {
		if !inv.Given(name) {
			continue
		}
		if *field = inv.Int(name); *field < 1 { // 0 means the default on the wire
			return req, command.Usage(inv.Path+" --help", "--%s must be at least 1", name)
		}
	}
	return req, nil
}

// readAdd fills in the secret, and the name where it stands beside it: from
// the words, from standard input for "-", or by asking.
func readAdd(ctx context.Context, inv *command.Invocation, req *ipc.AddRequest) (err error) {
	words := slices.Clone(inv.Args)
	for i := range words {
		words[i] = strings.TrimSpace(words[i])
	}
	if i := slices.Index(words, stdinWord); i >= 0 {
		if words = slices.Delete(words, i, i+1); slices.Contains(words, stdinWord) {
			return errStdinTwice(inv)
		}
		if len(words) > 0 {
			req.Name = words[0] // a word beats -n, as in open2fa
		}
		text, err := readSecret(ctx, inv, fromFile, checkSecret)
		setSecret(req, text)
		return err
	}
	if len(words) == 1 && req.Name == "" && isName(words[0]) && inv.CanAsk() {
		req.Name = words[0]
		return askAdd(ctx, inv, req)
	}
	req.Words = words
	if len(words) > 0 {
		return nil
	}
	if !inv.CanAsk() {
		return command.Usage(fromFile, "no secret was given, and nobody can be asked for one")
	}
	return askAdd(ctx, inv, req)
}

// shortestSecret is how many characters of base32 a secret has at least that may
// stand alone; something shorter, such as "mail", is a name.
const shortestSecret = 16

// isName says whether a word that stands alone is the name, not the secret: it
// has a character that base32 has not, or is too short. What may be a secret with
// a typing error is none, for names are shown.
func isName(word string) bool {
	if word == "" || command.MayBeSecret(word) {
		return false
	}
	return errors.Is(checkSecret(word), errBase32) || countBase32(word) < shortestSecret
}

// nameAlone is err, with the call that adds a secret of that name where a name
// alone was given and nobody could be asked.
func nameAlone(req ipc.AddRequest, err error) error {
	var wire *ipc.Error
	if !errors.As(err, &wire) || wire.Code != ipc.CodeInvalid || len(req.Words) != 1 || !isName(req.Words[0]) {
		return err
	}
	known := *wire
	known.Hint = fromFileAs(req.Words[0])
	return &known
}

// askAdd asks for what a person has in front of them: the secret and, unless it
// is a URI, the name, and the counter of an entry that has one.
func askAdd(ctx context.Context, inv *command.Invocation, req *ipc.AddRequest) error {
	question := "Secret (not shown): "
	if req.Name != "" {
		question = "Secret of " + command.Escape(command.Shorten(req.Name, shownWidth)) + " (not shown): "
	}
	text, err := askSecret(ctx, inv, question, checkSecret)
	if err != nil {
		return err
	}
	setSecret(req, text)
	if req.URI != "" {
		return nil
	}
	if req.Name == "" {
		if req.Name, err = inv.Ask(ctx, "Name: "); err != nil {
			return err
		}
		req.Name = strings.TrimSpace(req.Name)
	}
	for counts(*req) && !inv.Given("counter") {
		answer, err := inv.Ask(ctx, "Counter of the next code [0]: ")
		if err != nil {
			return err
		}
		if answer = strings.TrimSpace(answer); answer == "" {
			break
		}
		if req.Counter, err = strconv.ParseUint(answer, 10, 64); err == nil {
			break
		}
	}
	return nil
}

// counts says whether the entry to add counts, as far as that is known here.
func counts(req ipc.AddRequest) bool {
	if req.Type != "" {
		return strings.EqualFold(req.Type, "hotp")
	}
	return slices.ContainsFunc(append(slices.Clip(req.Words), req.URI), func(word string) bool {
		return strings.HasPrefix(strings.ToLower(strings.TrimSpace(word)), "otpauth://hotp")
	})
}

// setSecret puts a secret or a URI where it belongs.
func setSecret(req *ipc.AddRequest, text string) {
	if isURI(text) {
		req.URI = text
	} else {
		req.Secret = text
	}
}

// showAdd prints what open2fa prints.
func showAdd(inv *command.Invocation, r ipc.AddReply) {
	what := "ADDED NEW SECRET"
	if r.Existed {
		what = "ALREADY THERE, NOTHING CHANGED"
	}
	inv.Printf("\n%s: %s %s\n\n%d secrets total.\n", what, orNone(r.Entry.Name), command.Escape(r.Entry.Mask), r.Total)
	if !r.Existed {
		warnShared(inv, r.Entry, r.SameName)
	}
}

// warnShared says that the name of an entry, which it has since this call, means
// several, and how to get this one.
func warnShared(inv *command.Invocation, e ipc.Entry, count int) {
	if count > 1 {
		inv.Warn(fmt.Sprintf("%d entries are now called %s: name the id or the issuer to get one", count, command.Shorten(cmp.Or(e.Name, "None"), shownWidth)),
			"o2fa code "+shortIDs([]ipc.Entry{e})[0])
	}
}
