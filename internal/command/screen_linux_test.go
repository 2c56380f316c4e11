package command

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/o2fa/o2fa/internal/command/ptytest"
	"golang.org/x/sys/unix"
)

// entered and left are all that a screen says at its beginning and end.
const (
	entered = "\x1b[?1049h\x1b[?25l\x1b[?7l"
	left    = "\x1b[0m\x1b[1H\x1b[J\x1b[?7h\x1b[?25h\x1b[?1049l"
)

// panicVariable makes the drawer panic after its first frame.
const panicVariable = "O2FA_TEST_PANIC"

// playDrawer draws a frame for each signal that asks for one.
func playDrawer() int {
	screen, ok := Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv}.OpenScreen()
	if !ok {
		return 96
	}
	defer screen.Close()
	for n := 1; ; n++ {
		columns, lines := screen.Size()
		if err := screen.Draw([]string{fmt.Sprintf("frame %d of %dx%d", n, columns, lines)}); err != nil {
			return 95
		}
		if os.Getenv(panicVariable) != "" {
			panic("a defect")
		}
		if err := screen.Handle(<-screen.Signals()); err != nil {
			screen.Close()
			fmt.Printf("ended: %v\n", err)
			return exitCode(err)
		}
	}
}

// drawer starts the drawer at p, without a shell.
func drawer(t *testing.T, p *ptytest.Terminal, env ...string) *exec.Cmd {
	t.Helper()
	cmd := role("drawer")
	cmd.Env = append(append(cmd.Env, "TERM=xterm", "COLUMNS=", "LINES="), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.Device, p.Device, p.Device
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// Ctrl-Z gives the shell its own screen, with cursor and echo; fg takes both away
// and draws anew. Ctrl-C ends it, and all is as before.
func TestStoppedScreen(t *testing.T) {
	p := ptytest.New(t)
	p.Resize(70, 20)
	cmd, wait, resume := inShell(t, p, "drawer")
	frame := 1
	for range 2 {
		p.Expect(fmt.Sprintf("frame %d of 70x20", frame))
		waitForEcho(t, p.Device, false)
		p.Type("x\x1a")
		wait()
		waitForEcho(t, p.Device, true)
		p.Expect(fmt.Sprintf("frame %d of 70x20\x1b[2H\x1b[J\x1b[?2026l", frame) + left)
		resume()
		frame++
		p.Expect(fmt.Sprintf("frame %d of 70x20", frame))
		frame++ // the signal of coming back asks for one more
	}
	p.Expect(fmt.Sprintf("frame %d of 70x20", frame))
	p.Type("\x03")
	p.Expect("ended: interrupted")
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != ExitInterrupted {
		t.Errorf("%v", err)
	}
	waitForEcho(t, p.Device, true)
	screen := p.Screen()
	if strings.Count(screen, entered) != 3 || strings.Count(screen, left) != 3 || !strings.HasSuffix(screen, left+"ended: interrupted\r\n") {
		t.Errorf("%q", screen)
	}
}

// Whatever ends a program that owns a screen, the terminal is as it was.
func TestScreenIsLeft(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		p := ptytest.New(t)
		cmd := drawer(t, p)
		p.Expect("frame 1 of 80x24")
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // the exit code says it
		if code := cmd.ProcessState.ExitCode(); code != ExitInterrupted {
			t.Errorf("%v: exit %d", sig, code)
		}
		p.Expect(left + "ended: ")
		waitForEcho(t, p.Device, true)
	}
	p := ptytest.New(t)
	_ = drawer(t, p, panicVariable+"=1").Wait() // by a panic
	p.Expect(left + "panic: a defect")
	waitForEcho(t, p.Device, true)
}

// A program that somebody else stopped, so that it could leave nothing, draws
// all of its screen when it is back.
func TestScreenOfAStoppedProgram(t *testing.T) {
	p := ptytest.New(t)
	cmd := drawer(t, p)
	p.Expect("frame 1")
	for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	p.Expect("frame 2")
	if screen := p.Screen(); strings.Count(screen, entered) != 2 || strings.Count(screen, "\x1b[2H\x1b[J") != 2 {
		t.Errorf("%q", screen)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code says it
	waitForEcho(t, p.Device, true)
}

func TestScreenFollowsSize(t *testing.T) {
	p := ptytest.New(t)
	p.Resize(100, 30)
	cmd := drawer(t, p)
	p.Expect("frame 1 of 100x30")
	p.Resize(30, 5)
	p.Expect("frame 2 of 30x5")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code says it
}

// packets returns a stream whose other end tells one write from two.
func packets(t *testing.T) (out *os.File, next func() string) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	out, in := os.NewFile(uintptr(pair[0]), "out"), os.NewFile(uintptr(pair[1]), "in")
	t.Cleanup(func() { out.Close(); in.Close() })
	return out, func() string {
		buf := make([]byte, 1<<16)
		n, _, err := unix.Recvfrom(int(in.Fd()), buf, unix.MSG_DONTWAIT)
		if err != nil && !errors.Is(err, unix.EAGAIN) {
			t.Fatal(err)
		}
		return string(buf[:max(n, 0)])
	}
}

// A frame is one write that erases nothing but what it does not cover, and none
// where nothing changed.
func TestDraw(t *testing.T) {
	out, next := packets(t)
	s := &Screen{stdio: Stdio{Out: out, Getenv: func(string) string { return "" }}, out: out}
	s.forget()
	const begin, end = "\x1b[?2026h", "\x1b[?2026l"
	full := make([]string, 24)
	for _, tc := range []struct {
		frame []string
		want  string
	}{
		{[]string{"one", "two"}, begin + "\x1b[1Hone\x1b[2Htwo\x1b[3H\x1b[J" + end},
		{[]string{"one", "2"}, begin + "\x1b[1Hone\x1b[2H2" + end},
		{[]string{"one", "2"}, ""},
		{[]string{"one"}, begin + "\x1b[1Hone\x1b[2H\x1b[J" + end},
		{[]string{"one", "2"}, begin + "\x1b[1Hone\x1b[2H2" + end},
		{nil, begin + "\x1b[1H\x1b[J" + end},
		{full, begin + strings.Join(numbered(24), "") + end}, // no newline: it would scroll
	} {
		if err := s.Draw(tc.frame); err != nil {
			t.Fatal(err)
		}
		if got := next(); got != tc.want {
			t.Errorf("%q: %q, want %q", tc.frame, got, tc.want)
		}
		if more := next(); more != "" {
			t.Errorf("%q: a second write: %q", tc.frame, more)
		}
	}
	if err := s.Handle(syscall.SIGWINCH); err != nil {
		t.Fatal(err)
	}
	if err := s.Draw(full[:23]); err != nil {
		t.Fatal(err)
	}
	if got := next(); !strings.HasSuffix(got, "\x1b[24H\x1b[J"+end) || strings.Contains(got, "\x1b[2J") {
		t.Errorf("after another size: %q", got)
	}
	out.Close()
	if err := s.Draw([]string{"x"}); err == nil {
		t.Error("drawn on nothing")
	}
}

func numbered(n int) []string {
	rows := make([]string, n)
	for i := range rows {
		rows[i] = fmt.Sprintf("\x1b[%dH", i+1)
	}
	return rows
}

// What a terminal may be told depends on what it is and on what its owner says.
func TestTerminalFacts(t *testing.T) {
	p := ptytest.New(t)
	p.Resize(100, 30)
	for _, tc := range []struct {
		env            string
		columns, lines int
		colours, opens bool
	}{
		{"TERM=xterm", 100, 30, true, true},
		{"TERM=xterm NO_COLOR=", 100, 30, true, true},
		{"TERM=xterm NO_COLOR=0", 100, 30, false, true},
		{"TERM=xterm COLUMNS=33 LINES=7", 33, 7, true, true},
		{"TERM=xterm COLUMNS=0 LINES=-7", 100, 30, true, true},
		{"TERM=xterm COLUMNS=many LINES=7", 100, 7, true, true},
		{"TERM=dumb", 100, 30, false, false},
		{"", 100, 30, false, false},
	} {
		s := Stdio{In: strings.NewReader(""), Out: p.Device, Getenv: environment(tc.env)}
		if columns, lines := s.Size(); columns != tc.columns || lines != tc.lines {
			t.Errorf("%q: %dx%d", tc.env, columns, lines)
		}
		if s.Colours() != tc.colours || s.MovesCursor() != tc.opens {
			t.Errorf("%q: colours %v, cursor %v", tc.env, s.Colours(), s.MovesCursor())
		}
		screen, ok := s.OpenScreen()
		if ok != tc.opens {
			t.Errorf("%q: opens: %v", tc.env, ok)
		}
		if ok {
			screen.Close()
			screen.Close()
		}
	}
	p.Expect(left)
	if screen := p.Screen(); strings.Count(screen, left) != strings.Count(screen, entered) {
		t.Errorf("%q", screen)
	}
	p.Resize(0, 0)
	if columns, lines := (Stdio{Out: p.Device, Getenv: environment("")}).Size(); columns != 80 || lines != 24 {
		t.Errorf("a terminal without a size: %dx%d", columns, lines)
	}
	piped := Stdio{Out: &strings.Builder{}, Getenv: environment("TERM=xterm COLUMNS=50")}
	if columns, lines := piped.Size(); columns != 50 || lines != 24 || piped.Colours() || piped.MovesCursor() {
		t.Errorf("no terminal: %dx%d", columns, lines)
	}
	if _, ok := piped.OpenScreen(); ok {
		t.Error("a screen on no terminal")
	}
}

// The first variable that is set tells the locale.
func TestUnicode(t *testing.T) {
	for env, want := range map[string]bool{
		"": false, "LANG=C": false, "LANG=en_GB.UTF-8": true, "LANG=de_AT.utf8": true, "LANG=de_AT@euro": false,
		"LANG=C.UTF-8 LC_ALL=C": false, "LANG=C LC_CTYPE=C.UTF-8": true, "LC_CTYPE=C.UTF-8 LC_ALL=POSIX": false,
	} {
		if got := (Stdio{Getenv: environment(env)}).Unicode(); got != want {
			t.Errorf("%q: %v", env, got)
		}
	}
}

// environment returns the variables of a text.
func environment(text string) func(string) string {
	return func(name string) string {
		for _, pair := range strings.Fields(text) {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return value
			}
		}
		return ""
	}
}
