package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

func secretsFileCommand() *command.Command {
	yes := command.Flag{Name: "yes", Short: "y", Aliases: []string{"force"}, Default: false, Usage: "do not ask"}
	accept := func(usage string) command.Flag { return command.Flag{Name: "accept", Default: false, Usage: usage} }
	return &command.Command{
		Use:      "secrets-file [COMMAND]",
		Synonyms: []string{"secretsfile", "secrets", "file", "mirror", "seal", "watch"},
		Wary:     true,
		Short:    "Choose what becomes of open2fa's secrets.json",
		Long: `  watch   what is new or changed in it is taken into the vault; it is never
          written, and goes on to hold its secrets in clear
  seal    it is emptied, as soon as the vault has each secret and gives it back
  mirror  it and the vault are kept equal, both ways: for using open2fa beside
          o2fa; what open2fa can have stands in it in clear

Without a command it shows the mode, and what stands in the file. The mode is
the setting secrets_file.`,
		Example: "o2fa secrets-file\no2fa secrets-file --json",
		Run:     runSecretsFile,
		Sub: []*command.Command{
			{
				Use:     "status",
				Short:   "Show the mode, and what stands in the file",
				Example: "o2fa secrets-file status\no2fa secrets-file status --json",
				Run:     runSecretsFile,
			},
			{
				Use:     "watch",
				Short:   "Take the file in, and never write it",
				Example: "o2fa secrets-file watch",
				Run: func(ctx context.Context, inv *command.Invocation) error {
					return setSecretsFile(ctx, inv, ipc.SecretsFileRequest{Mode: ipc.ModeWatch})
				},
			},
			{
				Use:   "seal",
				Wary:  true,
				Short: "Take the file in, and empty it",
				Long: `After a question. A row leaves when its secret was read back from the vault;
what is no good stays. open2fa.uuid is taken and removed, too. The blocks of the
disk are not overwritten, and copies that others made stay.`,
				Example: "o2fa secrets-file seal\no2fa secrets-file seal --yes",
				Flags:   []command.Flag{yes, accept("let open2fa.uuid take the place of another UUID in the vault")},
				Run: func(ctx context.Context, inv *command.Invocation) error {
					return setSecretsFile(ctx, inv, ipc.SecretsFileRequest{Mode: ipc.ModeSeal, Accept: inv.Bool("accept")})
				},
			},
			{
				Use:   "mirror",
				Wary:  true,
				Short: "Keep the file and the vault equal",
				Long: `After a question. It begins with all of both sides. From then on a row that is
removed moves its entry to the trash, and an entry that is added, renamed or
deleted here changes the file. A file that is gone or broken, or drops most of
its rows at once, changes nothing: then "mirror" writes it from the vault, and
"mirror --accept" takes what it says.`,
				Example: "o2fa secrets-file mirror\no2fa secrets-file mirror --accept    # the rows were removed on purpose",
				Flags:   []command.Flag{yes, accept("move the entries to the trash whose rows are gone")},
				Run: func(ctx context.Context, inv *command.Invocation) error {
					return setSecretsFile(ctx, inv, ipc.SecretsFileRequest{Mode: ipc.ModeMirror, Accept: inv.Bool("accept")})
				},
			},
		},
	}
}

func runSecretsFile(ctx context.Context, inv *command.Invocation) error {
	a, err := connect(inv)
	if err != nil {
		return err
	}
	raw, err := a.client.Do(ctx, client.Request{Method: "GET", Path: ipc.PathSecretsFile})
	if err != nil {
		return err
	}
	return present(inv, raw, func(f ipc.SecretsFile) { showFile(inv, f) })
}

// setSecretsFile sets the mode, after a question where that writes the file.
func setSecretsFile(ctx context.Context, inv *command.Invocation, req ipc.SecretsFileRequest) error {
	a, err := connect(inv)
	if err != nil {
		return err
	}
	if err := a.mustAgree(ctx, req); err != nil {
		return err
	}
	raw, err := a.do(ctx, client.Request{Method: "POST", Path: ipc.PathSecretsFile, Body: req})
	if err != nil {
		return err
	}
	f, err := decode[ipc.SecretsFile](raw)
	if err != nil {
		return err
	}
	if err := present(inv, raw, func(f ipc.SecretsFile) { showFile(inv, f) }); err != nil || f.Problem == "" || f.Mode == ipc.ModeWatch {
		return err
	}
	return &command.Failure{Exit: command.ExitOther, Code: "left", Err: errors.New("the mode is set, and the file is not there yet: " + f.Problem), Hint: "o2fa secrets-file"}
}

// mustAgree says what will happen, and asks.
func (a *agent) mustAgree(ctx context.Context, req ipc.SecretsFileRequest) error {
	if req.Mode == ipc.ModeWatch || a.inv.Bool("yes") {
		return nil
	}
	call := a.inv.Path + " --yes"
	if req.Accept {
		call += " --accept"
	}
	if !a.inv.CanAsk() {
		return command.Usage(call, "changing secrets.json wants an answer, and nobody can be asked")
	}
	f, err := a.client.SecretsFile(ctx)
	if err != nil {
		return err
	}
	a.inv.Note(promise(req, f))
	yes, err := a.inv.Confirm(ctx, "Go on? (y/n): ")
	if err == nil && !yes {
		err = &command.Failure{Exit: command.ExitOther, Code: "declined", Err: errors.New("nothing was changed: the answer was no")}
	}
	return err
}

// promise says what a mode does to the file as it is now.
func promise(req ipc.SecretsFileRequest, f ipc.SecretsFile) string {
	where := f.Path
	if f.Target != "" {
		where += " (" + f.Target + ")"
	}
	if req.Mode == ipc.ModeSeal {
		return fmt.Sprintf("%s will be emptied: %s there now, and what comes later. open2fa will find none. They stay in the vault.", where, plural(f.Rows, "secret stands", "secrets stand"))
	}
	switch {
	case req.Accept && f.Dropped > 0:
		return fmt.Sprintf("%s will go to the trash, as %s has no rows for them.", plural(f.Dropped, "entry", "entries"), where)
	case !f.Open:
		return where + " will hold the secrets of the vault in clear, as far as open2fa can have them."
	}
	return fmt.Sprintf("%s will hold %s of the vault in clear, and the vault what %s there now.", where,
		plural(f.Mirrored, "secret", "secrets"), plural(f.Rows, "row adds that stands", "rows add that stand"))
}

func showFile(inv *command.Invocation, f ipc.SecretsFile) {
	inv.Printf("Secrets file: %s\n", command.Escape(f.Path))
	if f.Target != "" {
		inv.Printf("  it is a link to %s\n", command.Escape(f.Target))
	}
	inv.Printf("Mode: %s, %s\n", command.Escape(f.Mode), modeText(f.Mode))
	inv.Printf("In it: %s\n", contentText(f))
	for _, row := range f.Rejected {
		inv.Printf("  row %d was left alone: %s\n", row.Position, command.Escape(row.Reason))
	}
	if f.Problem != "" {
		showAdvice(inv, "Problem", f.Problem, heldHint(f))
	}
	if f.NeedLook {
		inv.Printf("It changed while the vault was locked, and is read at the next unlock.\n")
	}
	if f.Mode == ipc.ModeMirror && f.Others > 0 {
		inv.Printf("Not in it: %s that open2fa has no place for\n", plural(f.Others, "entry", "entries"))
		for _, e := range f.Unmirrored {
			inv.Printf("  %s: %s\n", orNone(e.Name), command.Escape(e.Reason))
		}
		if more := f.Others - len(f.Unmirrored); more > 0 {
			inv.Printf("  and %d more\n", more)
		}
	}
	showUUID(inv, f)
}

func modeText(mode string) string {
	switch mode {
	case ipc.ModeSeal:
		return "its rows are taken in, and leave it"
	case ipc.ModeMirror:
		return "it and the vault are kept equal"
	}
	return "its rows are taken in, and stay in clear"
}

func contentText(f ipc.SecretsFile) string {
	switch {
	case !f.Present:
		return "nothing, there is no file"
	case f.Problem != "" && f.Rows == 0:
		return "nothing that was taken"
	case f.Rows == 0 && len(f.Rejected) == 0:
		return "nothing"
	case f.Rows == 0:
		return "nothing but rows that are no good"
	}
	return plural(f.Rows, "secret", "secrets") + " in clear"
}

// heldHint is what helps a mirror that stands still.
func heldHint(f ipc.SecretsFile) string {
	switch f.Held {
	case ipc.HeldMissing:
		return "o2fa secrets-file mirror, which writes it from the vault"
	case ipc.HeldInvalid:
		return "mend the file, or remove it and write it from the vault: o2fa secrets-file mirror"
	case ipc.HeldDropped:
		return "o2fa secrets-file mirror --accept, if they were removed on purpose\no2fa secrets-file mirror, which writes them again"
	}
	return ""
}

func showUUID(inv *command.Invocation, f ipc.SecretsFile) {
	if f.UUIDProblem != "" {
		hint := ""
		if f.Mode == ipc.ModeSeal && f.Open && len(f.UUID) > 1 {
			hint = "o2fa secrets-file seal --accept, which keeps that of the file"
		}
		showAdvice(inv, "open2fa.uuid was left alone", f.UUIDProblem, hint)
	}
	for _, place := range f.UUID {
		if place == "file" && f.UUIDProblem == "" {
			inv.Printf("open2fa.uuid: in clear, it opens the whole account\n")
		}
	}
}
