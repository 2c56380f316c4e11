package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

// emptyWord is the answer that empties a field; Enter alone keeps it.
const emptyWord = "-"

// askEdit asks for the fields that people change, and shows what they are. The
// others have flags: a wrong answer there would make wrong codes.
func askEdit(ctx context.Context, inv *command.Invocation, e ipc.EntryDetail) (req ipc.EditRequest, err error) {
	inv.Note("Enter keeps what stands in brackets, " + emptyWord + " empties it.")
	inv.Note("For the secret and the kind of codes: o2fa edit --help")
	for _, field := range []struct {
		question, now string
		to            **string
	}{
		{"Name", e.Name, &req.Name}, {"Issuer", e.Issuer, &req.Issuer}, {"Account", e.Account, &req.Account},
		{"Note", e.Note, &req.Note},
	} {
		if *field.to, err = askField(ctx, inv, field.question, field.now); err != nil {
			return req, err
		}
	}
	tags, err := askField(ctx, inv, "Tags, with commas between", strings.Join(e.Tags, ", "))
	if err != nil {
		return req, err
	}
	if tags != nil {
		list := splitTags(*tags)
		req.Tags = &list
	}
	req.Pinned, err = askPinned(ctx, inv, e.Pinned)
	return req, err
}

// askField asks for one field; nil means that it stays.
func askField(ctx context.Context, inv *command.Invocation, question, now string) (*string, error) {
	shown := command.Cut(command.Escape(strings.TrimRight(now, "\n")), shownWidth)
	answer, err := inv.Ask(ctx, fmt.Sprintf("%s [%s]: ", question, shown))
	answer = strings.TrimSpace(answer)
	switch {
	case err != nil:
		return nil, err
	case answer == "":
		return nil, nil
	case answer == emptyWord:
		answer = ""
	}
	return &answer, nil
}

// askPinned asks until the answer is yes, no, or none.
func askPinned(ctx context.Context, inv *command.Invocation, now bool) (*bool, error) {
	shown := "no"
	if now {
		shown = "yes"
	}
	for {
		answer, err := inv.Ask(ctx, "Pinned (y/n) ["+shown+"]: ")
		if err != nil {
			return nil, err
		}
		pinned := true
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "":
			return nil, nil
		case "y", "yes":
			return &pinned, nil
		case "n", "no", emptyWord:
			pinned = false
			return &pinned, nil
		}
	}
}

// splitTags returns the tags of a line; never nil, which would keep those that
// are there.
func splitTags(line string) []string {
	tags := strings.Split(line, ",")
	for i := range tags {
		tags[i] = strings.TrimSpace(tags[i])
	}
	return slices.DeleteFunc(tags, func(tag string) bool { return tag == "" })
}
