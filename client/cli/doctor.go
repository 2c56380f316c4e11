package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/o2fa/o2fa"
	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

func doctorCommand() *command.Command {
	return &command.Command{
		Use:      "doctor",
		Synonyms: []string{"check", "diagnose", "health", "troubleshoot", "debug"},
		Short:    "Look for what is wrong, and say what helps",
		Long: `Daemon, socket, files and who may read them, key slots, keyring, vault, backups,
secrets in clear, and the clock. It works in every state, asks nothing, changes
nothing, and shows no dialog; like any command it starts the daemon where none
runs. It ends with 1 if a check fails, and with 0 if there are only warnings.

Nothing that it prints is secret: names of directories are all that it tells.`,
		Example: "o2fa doctor\no2fa doctor --json",
		Run:     runDoctor,
	}
}

func runDoctor(ctx context.Context, inv *command.Invocation) error {
	e := &examination{inv: inv}
	e.all(ctx)
	if err := ctx.Err(); err != nil {
		return err
	}
	if inv.JSON() {
		raw, err := json.Marshal(ipc.Doctor{Checks: e.checks})
		if err != nil {
			return err
		}
		inv.PrintJSON(raw)
	} else {
		e.show()
	}
	if n := e.count(ipc.CheckFail); n > 0 {
		return &command.Failure{Exit: command.ExitOther, Code: "failed", Err: errors.New(plural(n, "check", "checks") + " failed")}
	}
	return nil
}

// examination is one look at everything.
type examination struct {
	inv    *command.Invocation
	checks []ipc.Check
}

func (e *examination) add(status ipc.CheckStatus, name, message, hint string) {
	e.checks = append(e.checks, ipc.Check{Name: name, Status: status, Message: message, Hint: hint})
}

func (e *examination) count(status ipc.CheckStatus) (n int) {
	for _, c := range e.checks {
		if c.Status == status {
			n++
		}
	}
	return n
}

// all looks at the daemon from outside, then has it look at itself.
func (e *examination) all(ctx context.Context) {
	a, err := connect(e.inv)
	if err != nil {
		e.add(ipc.CheckFail, "profile", err.Error(), "o2fa help environment")
		return
	}
	p := *a.client.Profile
	e.environment()
	status, ok := e.daemon(ctx, a)
	if ok {
		e.versions(status)
		e.socket(p, status)
	}
	if p.Fixed && (!ok || status.Profile != p.ID) {
		e.add(ipc.CheckOK, "files", "not looked at: O2FA_SOCKET may lead to another machine", "")
	} else {
		e.files(p)
	}
	if ok {
		e.inside(ctx, a, status)
	}
}

// environment tells which variables count, and not what they hold.
func (e *examination) environment() {
	var set []string
	for _, item := range environment() {
		if !strings.Contains(item.Name, ",") && e.inv.Getenv(item.Name) != "" {
			set = append(set, item.Name)
		}
	}
	message := "nothing is set that counts"
	if len(set) > 0 {
		message = "set: " + strings.Join(set, ", ")
	}
	status, hint := ipc.CheckOK, ""
	if slices.Contains(set, "OPEN2FA_UUID") {
		status, hint = ipc.CheckWarn, "unset OPEN2FA_UUID"
		message += "; OPEN2FA_UUID is the key of your account, and every program that you start can read it"
	}
	e.add(status, "environment", message, hint)
}

// daemon finds the daemon, or starts it, and says how that went.
func (e *examination) daemon(ctx context.Context, a *agent) (ipc.Status, bool) {
	const name = "daemon"
	quiet := *a.client
	quiet.NoStart = true
	status, err := quiet.Status(ctx)
	how := "runs"
	if errors.Is(err, socket.ErrNotRunning) && !a.client.Profile.Fixed {
		status, err = a.client.Status(ctx)
		how = "was not running; this call has started it"
	}
	if err == nil {
		e.add(ipc.CheckOK, name, fmt.Sprintf("%s: process %d, since %s", how, status.PID, localTime(status.Started)), "")
		return status, true
	}
	hint := ""
	if wire := (*ipc.Error)(nil); errors.As(err, &wire) {
		hint = wire.Hint
	}
	e.add(ipc.CheckFail, name, err.Error(), cmp.Or(hint, unreached(*a.client.Profile, err)))
	return status, false
}

// unreached is what helps where no daemon answers, if that can be told.
func unreached(p socket.Profile, err error) string {
	if p.Fixed {
		return "unset O2FA_SOCKET to use a daemon on this machine"
	}
	info, held, lockErr := socket.ReadLock(p)
	if errors.Is(err, socket.ErrForeign) || lockErr != nil || !held || info.PID == 0 {
		return ""
	}
	return ending(info.PID) + ", which holds the profile and does not answer"
}

// ending is the command that ends a process.
func ending(pid int) string {
	if runtime.GOOS == "windows" {
		return fmt.Sprintf("taskkill /f /pid %d", pid)
	}
	return fmt.Sprintf("kill %d", pid)
}

func (e *examination) versions(s ipc.Status) {
	own := o2fa.Version()
	if s.Release == own {
		e.add(ipc.CheckOK, "versions", fmt.Sprintf("o2fa and o2fad %s, API %d", own, ipc.Version), "")
		return
	}
	e.add(ipc.CheckWarn, "versions", fmt.Sprintf("o2fa is %s, and the daemon that runs %s", own, s.Release),
		ending(s.PID)+", which ends the daemon; the next command starts the one beside o2fa")
}

func (e *examination) socket(p socket.Profile, s ipc.Status) {
	switch {
	case p.Fixed:
		e.add(ipc.CheckOK, "socket", p.Socket+", by O2FA_SOCKET: o2fa starts and replaces no daemon", "")
	case s.Socket != p.Socket:
		e.add(ipc.CheckWarn, "socket", fmt.Sprintf("the daemon listens at %s, and programs of this session look at %s first", s.Socket, p.Socket),
			"set XDG_RUNTIME_DIR alike in all sessions")
	default:
		e.add(ipc.CheckOK, "socket", s.Socket+", for this user alone", "")
	}
}

// inside adds what the daemon finds.
func (e *examination) inside(ctx context.Context, a *agent, s ipc.Status) {
	raw, err := a.client.Do(ctx, client.Request{Method: "GET", Path: ipc.PathDoctor})
	var found ipc.Doctor
	if err == nil {
		found, err = decode[ipc.Doctor](raw)
	}
	switch {
	case errors.Is(err, ipc.ErrUnknownPath):
		e.add(ipc.CheckWarn, "daemon", "it is too old to look at itself", ending(s.PID)+", which ends the daemon; the next command starts the one beside o2fa")
	case err != nil:
		e.add(ipc.CheckFail, "daemon", err.Error(), "o2fa status")
	}
	for _, c := range found.Checks {
		// Who may read secrets.json is seen from both sides.
		if c.Hint == "" || !slices.ContainsFunc(e.checks, func(old ipc.Check) bool { return old.Hint == c.Hint }) {
			e.checks = append(e.checks, c)
		}
	}
}

// show prints a line for each check, what helps below, and what it comes to.
func (e *examination) show() {
	name := 0
	for _, c := range e.checks {
		name = max(name, command.Width(command.Escape(c.Name)))
	}
	const mark = 4 // cells of the longest status
	indent := mark + 2 + name + 2
	columns := 0
	if command.IsTerminal(e.inv.Out) {
		columns, _ = e.inv.Size()
	}
	for _, c := range e.checks {
		lines := wrap(command.Escape(c.Message), columns-indent)
		for _, hint := range command.SplitHint("o2fa", c.Hint) {
			lines = append(lines, wrap("hint: "+command.Escape(hint), columns-indent)...)
		}
		e.inv.Printf("%s  %s  %s\n", e.mark(c.Status, mark), command.Pad(command.Escape(c.Name), name), lines[0])
		for _, line := range lines[1:] {
			e.inv.Printf("%s%s\n", strings.Repeat(" ", indent), line)
		}
	}
	e.inv.Printf("\n%s: %d ok, %s, %d failed\n", plural(len(e.checks), "check", "checks"), e.count(ipc.CheckOK),
		plural(e.count(ipc.CheckWarn), "warning", "warnings"), e.count(ipc.CheckFail))
}

// mark is a status as it stands at the beginning of a line, coloured where that
// is wanted.
func (e *examination) mark(status ipc.CheckStatus, cells int) string {
	text := command.Pad(command.Escape(string(status)), cells)
	colours := map[ipc.CheckStatus]paint{ipc.CheckOK: green, ipc.CheckWarn: yellow, ipc.CheckFail: red}
	if colour, known := colours[status]; known && e.inv.Colours() {
		return "\x1b[" + string(colour) + "m" + text + "\x1b[0m"
	}
	return text
}

// leastWrap is how narrow a text may become by being wrapped.
const leastWrap = 30

// wrap breaks an escaped text between words into lines of so many cells. A word
// that is longer stays whole, for people copy paths; so does a text for which
// there is hardly any room.
func wrap(text string, cells int) []string {
	if cells < leastWrap {
		return []string{text}
	}
	var lines []string
	line := ""
	for _, word := range strings.Split(text, " ") {
		switch {
		case line == "":
			line = word
		case command.Width(line)+1+command.Width(word) > cells:
			lines, line = append(lines, line), word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}
