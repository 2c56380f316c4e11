package cli

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/internal/command/ptytest"
	"github.com/o2fa/o2fa/ipc"
)

// watch calls o2fa with a terminal at all three streams, in the background. What
// it shows ends with theEnd.
func (w *world) watch(p *ptytest.Terminal, args ...string) <-chan int {
	done := make(chan int, 1)
	go func() {
		code := Run(context.Background(), args, command.Stdio{In: p.Device, Out: p.Device, Err: p.Device, Getenv: w.getenv})
		fmt.Fprint(p.Device, theEnd)
		done <- code
	}()
	return done
}

const theEnd = "[the end]"

// signalSelf sends this process a signal that a screen waits for.
func signalSelf(t *testing.T, sig syscall.Signal) {
	t.Helper()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// resizeTo resizes a terminal and tells this process, of which it is not the own.
func resizeTo(t *testing.T, p *ptytest.Terminal, columns, lines int) {
	t.Helper()
	p.Resize(columns, lines)
	signalSelf(t, resizeSignal)
}

// resizeSignal is the number of SIGWINCH, which is not declared on every system;
// ptytest has terminals on Linux only.
const resizeSignal = syscall.Signal(28)

// frames splits what a terminal got into the frames that it holds back until
// they are whole.
func frames(screen string) (found []string) {
	for _, m := range regexp.MustCompile("(?s)\x1b\\[\\?2026h(.*?)\x1b\\[\\?2026l").FindAllStringSubmatch(screen, -1) {
		found = append(found, m[1])
	}
	return found
}

// The real daemon, a real terminal: the table is drawn in place, follows the
// terminal's size and what is added, never erases all, and leaves its last state.
func TestGenerateAtATerminal(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the test needs Linux's pseudo-terminals")
	}
	for _, colours := range []bool{true, false} {
		t.Run(fmt.Sprintf("colours %v", colours), func(t *testing.T) {
			w := started(t)
			for i := range 10 {
				w.Add(t, rfcSecret[i:i+16], fmt.Sprintf("entry-%d", i))
			}
			w.env["TERM"] = "xterm"
			if !colours {
				w.env["NO_COLOR"] = "1"
			}
			p := ptytest.New(t)
			p.Resize(40, 8)
			done := w.watch(p, "generate", "-d", "60")
			p.Expect("... [6] codes not shown ...")
			w.Add(t, open2faSecret, "added meanwhile")
			resizeTo(t, p, 90, 24)
			p.Expect("added meanwhile")
			p.Expect("━")
			resizeTo(t, p, 40, 7)
			p.Expect("... [8] codes not shown ...")
			resizeTo(t, p, 80, 24)
			signalSelf(t, syscall.SIGINT)
			if code := <-done; code != 0 {
				t.Errorf("Ctrl-C: exit %d", code)
			}
			p.Expect("\x1b[?1049lName")
			p.Expect("\r\n(SIGINT) Exiting...\r\n\r\n" + theEnd)
			checkFrames(t, p.Screen(), colours)
		})
	}
}

// checkFrames demands frames that redraw in place, and nothing between them.
func checkFrames(t *testing.T, screen string, colours bool) {
	t.Helper()
	all := frames(screen)
	if len(all) < 3 {
		t.Fatalf("%d frames in %q", len(all), screen)
	}
	for _, frame := range all {
		if !strings.HasPrefix(frame, "\x1b[1H") || strings.Contains(frame, "\x1b[2J") || strings.Contains(frame, "\n") {
			t.Errorf("a frame: %q", frame)
		}
		if strings.Contains(frame, "\x1b[1m") != colours {
			t.Errorf("colours: %q", frame)
		}
	}
	_, live, _ := strings.Cut(screen, "\x1b[?7l")
	live, last, _ := strings.Cut(live, "\x1b[0m\x1b[1H\x1b[J\x1b[?7h\x1b[?25h\x1b[?1049l")
	for _, frame := range all {
		live = strings.Replace(live, "\x1b[?2026h"+frame+"\x1b[?2026l", "", 1)
	}
	if live != "" {
		t.Errorf("beside the frames: %q", live)
	}
	if strings.Contains(last, "\x1b") || strings.Count(last, "\r\nentry-") != 10 {
		t.Errorf("what stays: %q", last)
	}
}

// A terminal that cannot be redrawn gets what a pipe gets, as much as fits.
func TestGenerateAtADumbTerminal(t *testing.T) {
	w := started(t)
	for i := range 10 {
		w.Add(t, rfcSecret[i:i+16], fmt.Sprintf("entry-%d-with-a-long-name", i))
	}
	w.env["TERM"], w.env["COLUMNS"], w.env["LINES"] = "dumb", "30", "9"
	for args, tables := range map[string]int{"generate": 1, "generate -r 2 -d 0": 2} {
		p := ptytest.New(t)
		if code := <-w.watch(p, strings.Fields(args)...); code != 0 {
			t.Errorf("%s: exit %d", args, code)
		}
		p.Expect("... [5] codes not shown ...\r\n" + theEnd)
		screen := p.Screen()
		if strings.Contains(screen, "\x1b") || !strings.Contains(screen, "\r\nentry-0-wi…    ") || strings.Count(screen, "Name") != tables {
			t.Errorf("%s: %q", args, screen)
		}
	}
}

// Only an answer that never came ends generate with the code of its cause.
func TestGenerateFails(t *testing.T) {
	w := newWorld(t)
	p := ptytest.New(t)
	w.env["TERM"] = "xterm"
	if code := <-w.watch(p, "generate"); code != command.ExitUnavailable {
		t.Errorf("no daemon: exit %d", code)
	}
	w.Start(t)
	w.Add(t, rfcSecret, "github")
	w.ok("lock")
	if code := <-w.watch(p, "generate"); code != command.ExitLocked {
		t.Errorf("locked: exit %d", code)
	}
	w.ok("unlock")
	p = ptytest.New(t)
	done := w.watch(p, "generate")
	p.Expect("github")
	w.ok("lock")
	resizeTo(t, p, 80, 50) // there is room for more, so the daemon is asked at once
	p.Expect("the vault is locked")
	w.ok("unlock")
	w.Add(t, open2faSecret, "after") // so that it is seen to be back
	p.Expect("after")
	w.Stop(t)
	resizeTo(t, p, 80, 60)
	p.Expect("reaching the daemon at ")
	w.Start(t)
	w.ok("unlock")
	w.Add(t, rfcSecret[:16], "at last")
	p.Expect("at last")
	signalSelf(t, syscall.SIGINT)
	if code := <-done; code != 0 || strings.Contains(p.Screen(), rfcSecret) {
		t.Errorf("exit %d", code)
	}
}

// Rounds that are not drawn end with Ctrl-C, too.
func TestGenerateRoundsEnd(t *testing.T) {
	for args, want := range map[string]string{"generate -r 3 -d 9999": "\n\n(SIGINT) Exiting...\n\n", "generate -r 3 -d 9999 --json": "}\n"} {
		w := started(t)
		w.Add(t, rfcSecret, "github")
		ctx, cancel := context.WithCancel(t.Context())
		out := &cancelling{cancel: cancel, after: "github"}
		code := Run(ctx, strings.Fields(args), command.Stdio{In: strings.NewReader(""), Out: out, Err: out, Getenv: w.getenv})
		if code != 0 || !strings.HasSuffix(out.String(), want) || strings.Count(out.String(), "github") != 1 {
			t.Errorf("%s: exit %d, %q", args, code, out.String())
		}
	}
}

// cancelling is an output that ends a call once a text was written to it.
type cancelling struct {
	strings.Builder
	cancel func()
	after  string
}

func (c *cancelling) Write(p []byte) (int, error) {
	n, err := c.Builder.Write(p)
	if strings.Contains(c.String(), c.after) {
		c.cancel()
	}
	return n, err
}

// The daemon is asked for what fits, and for what the flags say.
func TestGenerateAsks(t *testing.T) {
	for args, want := range map[string]string{
		"generate": "limit=16", "generate git hub": "limit=16&search=git+hub", "g -n x --tag y -r 1": "limit=16&search=x&tag=y", "generate --json": "",
	} {
		w := newWorld(t)
		var asked string
		w.env["O2FA_SOCKET"] = serve(t, func(r *http.Request) (int, string) {
			asked = r.Method + " " + r.URL.Path + "?" + r.URL.Query().Encode()
			return 200, `{"codes":[{"id":"1","name":"a","type":"hotp","counter":1}],"total":1,"at":""}`
		})
		w.env["COLUMNS"], w.env["LINES"] = "80", "20"
		p := ptytest.New(t)
		if code := <-w.watch(p, strings.Fields(args)...); code != 0 {
			t.Errorf("%s: exit %d", args, code)
		}
		if asked != "GET "+ipc.PathCodes+"?"+want {
			t.Errorf("%s: %s", args, asked)
		}
	}
}

// A defect that shows while the table is drawn leaves the terminal as it was.
func TestGeneratePanics(t *testing.T) {
	w := started(t)
	w.Add(t, rfcSecret, "github")
	p := ptytest.New(t)
	drawn := false
	getenv := func(name string) string {
		if drawn = drawn || strings.Contains(p.Screen(), "\x1b[?2026l"); drawn && name == "LINES" {
			panic("a defect")
		}
		return map[string]string{"TERM": "xterm"}[name] + w.env[name]
	}
	defer func() {
		if got := recover(); got != "a defect" {
			t.Errorf("recovered %v", got)
		}
		p.Expect("\x1b[?7h\x1b[?25h\x1b[?1049l")
	}()
	code := Run(t.Context(), []string{"generate", "-d", "0.01"}, command.Stdio{In: p.Device, Out: p.Device, Err: p.Device, Getenv: getenv})
	t.Errorf("exit %d", code)
}
