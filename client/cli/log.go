package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

func logCommand() *command.Command {
	return &command.Command{
		Use:      "log [NAME...]",
		Synonyms: []string{"audit", "history", "journal", "events"},
		Wary:     true,
		Short:    "Show who asked for what",
		Long: `The newest comes last. Noted are codes, changes, locking and unlocking, with
their time and the process that asked: never a code or a secret. With a name
only what concerns that entry; one that is gone is found by its id.

Who it was is a claim: a process chooses what it is called. Codes and lists are
noted once for each minute in which a process asks for the same. Rows are kept
for 90 days, 10,000 at most, sealed in the vault.`,
		Example: `o2fa log
o2fa log github --since 7d
o2fa log -n 0 --json    # all there is
o2fa log -l             # with processes and their paths
o2fa log --off          # notes nothing any more`,
		Flags: []command.Flag{
			{Name: "number", Short: "n", Default: 50, Value: "N", Usage: "show the last N, 0 for all"},
			{Name: "since", Default: "", Value: "TIME", Usage: "only what is not older than that: 90m, 24h, 7d"},
			{Name: "long", Short: "l", Default: false, Usage: "show process numbers and whole paths too"},
			{Name: "off", Default: false, Usage: "note nothing from now on"},
			{Name: "on", Default: false, Usage: "note again"},
		},
		MaxArgs:  -1,
		Complete: entryNames,
		Run:      runLog,
		Sub: []*command.Command{{
			Use:      "clear",
			Synonyms: []string{"delete", "empty", "purge", "reset"},
			Wary:     true,
			Short:    "Remove all rows",
			Long: `After a question. One row is left, which says that it was done, and by whom.
Copies of the vault still have the others.`,
			Example: "o2fa log clear\no2fa log clear -f    # asks nothing",
			Flags:   []command.Flag{{Name: "force", Short: "f", Aliases: []string{"yes"}, Default: false, Usage: "do not ask"}},
			Run:     runLogClear,
		}},
	}
}

func runLog(ctx context.Context, inv *command.Invocation) error {
	off, on := inv.Bool("off"), inv.Bool("on")
	switch {
	case off && on:
		return command.Usage("o2fa log --on", "on or off: one of them")
	case (off || on) && len(inv.Args) > 0:
		return command.Usage("", "the log is on or off for all entries")
	case off:
		return switchLog(ctx, inv, "off")
	case on:
		return switchLog(ctx, inv, "on")
	case inv.Int("number") < 0:
		return command.Usage("o2fa log -n 0", "flag --number wants a number from 0")
	}
	a, err := connect(inv)
	if err != nil {
		return err
	}
	query := map[string]string{"n": strconv.Itoa(inv.Int("number"))}
	if since := inv.String("since"); since != "" {
		query["since"] = command.WithUnit(since)
	}
	if name := strings.Join(inv.Args, " "); name != "" {
		query["name"] = name
	}
	raw, err := a.do(ctx, client.Request{Method: "GET", Path: ipc.PathLog, Query: query})
	if err != nil {
		return err
	}
	return present(inv, raw, func(l ipc.Log) { showLog(inv, l) })
}

// switchLog changes the setting log.
func switchLog(ctx context.Context, inv *command.Invocation, to string) error {
	a, err := connect(inv)
	if err != nil {
		return err
	}
	raw, err := a.client.Do(ctx, client.Request{Method: "POST", Path: ipc.PathConfig, Body: ipc.ConfigRequest{Set: map[string]string{"log": to}}})
	if err != nil {
		return err
	}
	return present(inv, raw, func(ipc.Config) {
		inv.Printf("The log is %s now.\n", to)
		if to == "off" {
			advise(inv, "to remove what was noted", "o2fa log clear")
		}
	})
}

func showLog(inv *command.Invocation, l ipc.Log) {
	t := table{gap: 2, columns: []column{{title: "Time"}, {title: "What"}, {title: "Entry", cut: true}, {title: "Who, as claimed", cut: true, rank: 1}}}
	if inv.Bool("long") {
		t.columns = append(t.columns[:3], column{title: "Process", rank: 2}, column{title: "Executable", cut: true, rank: 1}, column{title: "Started by", cut: true, rank: 3})
	}
	for _, row := range l.Rows {
		t.add(logCells(row, inv.Bool("long"))...)
	}
	t.print(inv)
	switch {
	case l.Problem != "":
		inv.Warn(l.Problem, "o2fa doctor")
	case !l.On:
		inv.Warn("the log is off: nothing is noted", "o2fa log --on")
	}
	if !command.IsTerminal(inv.Err) {
		return
	}
	if more := l.Total - len(l.Rows); more > 0 {
		inv.Note(fmt.Sprintf("%s before these: o2fa log -n 0", plural(more, "row", "rows")))
	} else if len(l.Rows) == 0 {
		inv.Note("nothing is noted")
	}
}

// logCells returns the texts of one row.
func logCells(row ipc.LogRow, long bool) []string {
	cells := []string{logTime(row.At, long), logWords(row), logEntries(row)}
	c := cmp.Or(row.Client, &ipc.LogClient{Executable: "o2fad"})
	if !long {
		return append(cells, command.Escape(logClient(c)))
	}
	process := ""
	if c.PID > 0 {
		process = strconv.Itoa(c.PID)
	}
	return append(cells, process, command.Escape(c.Executable), command.Escape(c.Parent))
}

// logTime is localTime; long adds the seconds.
func logTime(at string, long bool) string {
	t, err := time.Parse(time.RFC3339, at)
	if err != nil || !long {
		return localTime(at)
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// logClient is who asked, in short.
func logClient(c *ipc.LogClient) string {
	name := baseName(c.Executable)
	if name == "" {
		name = "process " + strconv.Itoa(c.PID)
	}
	if c.Parent != "" {
		name += ", by " + baseName(c.Parent)
	}
	return name
}

// baseName is the last part of a path of any system: the daemon's may be another.
func baseName(path string) string {
	return path[strings.LastIndexAny(path, `/\`)+1:]
}

// logWords says what was done.
func logWords(row ipc.LogRow) string {
	detail := command.Escape(row.Detail)
	if detail != "" {
		detail = " (" + detail + ")"
	}
	switch row.What {
	case ipc.LogShow:
		return "secret shown"
	case ipc.LogSecrets:
		return "secrets listed"
	case ipc.LogEmpty:
		return "removed for good"
	case ipc.LogWrong:
		return "unlock refused" + detail
	case ipc.LogSlots:
		return "key" + detail
	case ipc.LogSecretsFile:
		return "secrets.json"
	case ipc.LogBackup:
		return "backup" + detail
	case ipc.LogFromBackup:
		return "from a backup" + detail
	case ipc.LogOn, ipc.LogOff, ipc.LogCleared:
		return strings.ReplaceAll(row.What, "-", " ")
	case ipc.LogLost:
		return "rows lost"
	}
	return command.Escape(row.What) + detail
}

// logEntries names the entries of a row: the first, and how many more.
func logEntries(row ipc.LogRow) string {
	count := max(row.Count, len(row.Entries))
	if len(row.Entries) == 0 {
		if row.Count == 0 {
			return ""
		}
		return plural(row.Count, "entry", "entries")
	}
	first := row.Entries[0]
	text := command.Escape(cmp.Or(first.Name, "None"))
	if first.Gone {
		text = first.ID[:min(len(first.ID), shortDigits)]
	}
	if count > 1 {
		text += fmt.Sprintf(" and %d more", count-1)
	}
	return text
}

func runLogClear(ctx context.Context, inv *command.Invocation) error {
	if !inv.Bool("force") {
		if !inv.CanAsk() {
			return command.Usage("o2fa log clear -f", "clearing the log wants an answer, and nobody can be asked")
		}
		yes, err := inv.Confirm(ctx, "Remove all rows of the log? (y/n): ")
		if err == nil && !yes {
			err = &command.Failure{Exit: command.ExitOther, Code: "declined", Err: errors.New("nothing was removed: the answer was no")}
		}
		if err != nil {
			return err
		}
	}
	a, err := connect(inv)
	if err != nil {
		return err
	}
	raw, err := a.do(ctx, client.Request{Method: "POST", Path: ipc.PathLogClear})
	if err != nil {
		return err
	}
	return present(inv, raw, func(struct{}) { inv.Printf("The log is cleared.\n") })
}
