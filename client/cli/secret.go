package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

// tries is how often a person may answer a hidden question: what is not seen
// is easily mistyped.
const tries = 3

// tryAgain puts what is wrong with an answer before the next question. It is a
// part of it: nothing is shown before what is typed is hidden.
func tryAgain(wrong error, question string) string {
	return command.Escape(wrong.Error()) + ", try again\n" + question
}

// readSecret reads what "-" stands for: one line of standard input, or, on a
// terminal, one that is not shown and can be a secret, as far as check knows.
// instead is the call that reads a file.
func readSecret(ctx context.Context, inv *command.Invocation, instead string, check func(string) error) (string, error) {
	if command.IsTerminal(inv.In) {
		if !inv.CanAsk() {
			return "", command.Usage(instead, "no secret on standard input, and no questions allowed")
		}
		return askSecret(ctx, inv, "Secret (not shown): ", check)
	}
	text, err := command.ReadAll(inv.In, ipc.MaxRequestBody)
	if err != nil {
		return "", err
	}
	found := ""
	for line := range strings.Lines(text) {
		switch line = strings.TrimSpace(line); {
		case line == "":
		case found != "":
			// Two secrets, joined, would be a valid one.
			return "", command.Usage("one call for each secret", "standard input has several lines, and one secret is wanted")
		default:
			found = line
		}
	}
	return found, nil
}

// askSecret asks until the answer can be a secret, as far as check knows.
func askSecret(ctx context.Context, inv *command.Invocation, question string, check func(string) error) (string, error) {
	next := question
	for try := 1; ; try++ {
		text, err := inv.AskHidden(ctx, next)
		if err != nil {
			return "", err
		}
		text = strings.TrimSpace(text)
		wrong := check(text)
		if wrong == nil {
			return text, nil
		}
		if try == tries {
			return "", &command.Failure{Exit: command.ExitUsage, Code: string(ipc.CodeInvalid), Err: wrong, Hint: inv.Path + " --help"}
		}
		next = tryAgain(wrong, question)
	}
}

var (
	errEmpty  = errors.New("it must not be empty")
	errBase32 = errors.New("it is not base32, which has the letters A to Z and the digits 2 to 7, nor an otpauth:// URI")
)

// checkSecret finds what is certainly no secret, so that a person hears of it
// before the next question. It is the daemon that decides.
func checkSecret(text string) error {
	if isURI(text) {
		return nil
	}
	for _, r := range text {
		if r < 0x80 && !isBase32(r) && !strings.ContainsRune(" \t-=", r) {
			return errBase32
		}
	}
	if countBase32(text) == 0 {
		return errEmpty
	}
	return nil
}

// isBase32 says whether r is one of the 32, in any case.
func isBase32(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '2' && r <= '7'
}

func countBase32(text string) (count int) {
	for _, r := range text {
		if isBase32(r) {
			count++
		}
	}
	return count
}

// errStdinTwice is the answer to two things that standard input cannot be.
func errStdinTwice(inv *command.Invocation) error {
	return command.Usage(inv.Path+" --help", "standard input can be read only once")
}

// isURI says whether text is a URI and no secret in base32.
func isURI(text string) bool { return strings.HasPrefix(strings.ToLower(text), "otpauth:") }
