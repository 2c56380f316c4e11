package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/internal/pinentry"
	"github.com/o2fa/o2fa/ipc"
)

// question is what a person answers unseen.
type question struct {
	line  string // on a terminal
	text  string // in a dialog, above the field
	label string // and beside it
}

// The questions for what opens the vault.
var (
	askPassphrase = question{"Passphrase of the vault: ", "The vault of your two-factor secrets is locked.", "Passphrase:"}
	askRecovery   = question{"Recovery code: ", "The vault of your two-factor secrets is locked.", "Recovery code:"}
	askEither     = question{"Passphrase of the vault, or recovery code: ",
		"The vault of your two-factor secrets is locked.\nIts passphrase or its recovery code opens it.", "Passphrase:"}
	askNew = question{"New passphrase for the vault: ",
		"Choose a passphrase for the vault of your two-factor secrets.", "New passphrase:"}
)

const repeatIt = "Repeat it:"

// canAsk says whether a person can be asked for what is not to be seen: on the
// terminal or, where there is none, in a dialog.
func (a *agent) canAsk(ctx context.Context) bool {
	return a.inv.CanAsk() || len(a.pinentries(ctx)) > 0
}

// pinentries returns the programs that may show a dialog, in the order in which
// they are tried. It is o2fa that runs them, not the daemon: the display that
// it was started on is where the person sits, and the daemon may have been
// started elsewhere, or before anybody logged in.
func (a *agent) pinentries(ctx context.Context) []string {
	if a.inv.NoInput() || a.inv.CanAsk() || !pinentry.HasScreen(a.inv.Getenv) {
		return nil
	}
	if !a.sought {
		a.dialogs, a.sought = pinentry.Find(a.setting(ctx, "pinentry")), true
	}
	return a.dialogs
}

// askHidden asks a person, who hears first what was wrong with the answer before.
func (a *agent) askHidden(ctx context.Context, q question, wrong error) (string, error) {
	if !a.inv.CanAsk() {
		text, _, err := a.askDialog(ctx, pinentry.Dialog{Text: q.text, Label: q.label, Wrong: tellWrong(wrong)})
		return text, err
	}
	if wrong != nil {
		return a.inv.AskHidden(ctx, tryAgain(wrong, q.line))
	}
	return a.inv.AskHidden(ctx, q.line)
}

// askTwice asks for a new passphrase and returns both answers; the second only
// where the first is not empty.
func (a *agent) askTwice(ctx context.Context, wrong error) (first, second string, err error) {
	if a.inv.CanAsk() {
		if first, err = a.askHidden(ctx, askNew, wrong); first != "" {
			second, err = a.inv.AskHidden(ctx, repeatIt+" ")
		}
		return first, second, err
	}
	d := pinentry.Dialog{Text: askNew.text, Label: askNew.label, Wrong: tellWrong(wrong), Repeat: repeatIt, Differ: tellWrong(errDiffer)}
	first, repeated, err := a.askDialog(ctx, d)
	if repeated || first == "" || err != nil {
		return first, first, err
	}
	second, _, err = a.askDialog(ctx, pinentry.Dialog{Text: askNew.text, Label: repeatIt})
	return first, second, err
}

// askDialog shows d with the first program that can.
func (a *agent) askDialog(ctx context.Context, d pinentry.Dialog) (text string, repeated bool, err error) {
	d.Title = a.inv.Root.Name()
	d.Text += "\nAsked for by: " + a.inv.Path
	for _, path := range a.pinentries(ctx) {
		answer, failed := pinentry.Program{Path: path, Getenv: a.inv.Getenv}.Ask(ctx, d)
		if failed == nil {
			defer answer.Secret.Wipe()
			return string(answer.Secret.Reveal()), answer.Repeated, nil // a string, as JSON needs it
		}
		if err == nil || !errors.Is(failed, pinentry.ErrNoDialog) {
			err = failed
		}
		if !errors.Is(failed, pinentry.ErrNoDialog) {
			break
		}
	}
	switch {
	case errors.Is(err, pinentry.ErrCancelled):
		return "", false, command.ErrInterrupted
	case errors.Is(err, pinentry.ErrEncoding):
		return "", false, command.Usage(a.inv.Path, "reading the answer: %w", err)
	case ctx.Err() != nil:
		return "", false, ctx.Err()
	}
	return "", false, nobody(err)
}

// tellWrong is what a dialog says of the answer before.
func tellWrong(wrong error) string {
	if wrong == nil {
		return ""
	}
	text := command.Escape(wrong.Error())
	return strings.ToUpper(text[:1]) + text[1:] + ", try again"
}

// nobody is the failure of a question that reached no person; why may be nil.
func nobody(why error) error {
	f := &command.Failure{Exit: command.ExitLocked, Code: string(ipc.CodeLocked), Err: errNobody,
		Hint: "on a terminal: o2fa unlock\n" + envPassphraseFile + "=FILE o2fa unlock"}
	if why != nil {
		f.Err = fmt.Errorf("%w: %w", errNobody, why)
	}
	return f
}

var errNobody = errors.New("the vault wants its passphrase, and nobody can be asked for it")
