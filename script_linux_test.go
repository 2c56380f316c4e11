package o2fa_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// scriptTTY: tty DIALOG CODE PROGRAM [ARGUMENT ...] — runs the program on a
// terminal of its own. DIALOG is a file of lines "text => reply": each reply is
// typed, with Return, once its text has appeared. $CANARY in a reply stands for
// the script's canary. What the terminal showed becomes the file "screen". It is
// as large as COLUMNS and LINES of the script say, else 80 by 24.
func scriptTTY(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: tty DIALOG CODE PROGRAM [ARGUMENT ...]")
	}
	b := box(ts)
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	control, terminal, err := openTerminal()
	ts.Check(err)
	defer control.Close()
	screen := &screen{changed: make(chan struct{}, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		screen.readFrom(control)
	}()

	if b.binaries.wine {
		// A daemon that it starts would keep the terminal open; and wine's console
		// takes the terminal's own echo away at the first read only.
		_, _ = b.quiet(ts, nil, []string{"o2fa", "status"})
		_, err := term.MakeRaw(int(terminal.Fd()))
		ts.Check(err)
	}
	fmt.Fprintf(&b.transcript, "%q\n", args[2:])
	seen, release, err := os.Pipe()
	ts.Check(err)
	defer release.Close()
	cmd := exec.Command("/bin/sh", append([]string{"-c", leader, lookProgram(ts, args[2])}, args[3:]...)...)
	cmd.ExtraFiles = []*os.File{seen}
	cmd.Dir, cmd.Env = ts.MkAbs("."), append(append(scriptEnv(ts), "TERM=xterm"), sizeTerminal(ts, terminal)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	ts.Check(cmd.Start())
	terminal.Close()
	seen.Close()
	talkErr := talk(ts, b, screen, control, ts.ReadFile(args[0]))
	if talkErr == nil && !screen.wait(ended) {
		talkErr = errors.New("the program does not end")
	}
	if talkErr != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	release.Close()
	err = cmd.Wait()
	// All was shown by now. Some other process of wine's may keep the terminal
	// open for as long as it likes.
	ts.Check(control.SetReadDeadline(time.Now().Add(time.Second)))
	<-done
	text := strings.TrimSuffix(screen.text(), ended)
	if b.binaries.wine {
		text = withoutMoves(text)
	}
	b.transcript.WriteString(text)
	if b.planted {
		// What the dialog typed must not have been shown either.
		ts.Logf("[screen]\n%s", text)
	}
	ts.Check(os.WriteFile(ts.MkAbs("screen"), []byte(text), 0o600))
	if talkErr != nil {
		ts.Fatalf("%v; the screen is:\n%s", talkErr, text)
	}
	if got := exitCode(err); got != want {
		ts.Fatalf("exit code %d, want %d; the screen is:\n%s", got, want, text)
	}
}

// leader runs a program and keeps its terminal open until descriptor 3 is closed:
// what a terminal has not passed on when it is closed may be lost. Signals of the
// keyboard are for the program.
const leader = `trap : INT QUIT TSTP HUP; "$0" "$@" 3<&-; code=$?; printf '` + ended + `'; read -r _ <&3; exit $code`

// ended follows all that the program showed.
const ended = "\x1e"

// sizeTerminal gives the terminal the size that the script wants, and returns it
// as variables.
func sizeTerminal(ts *testscript.TestScript, terminal *os.File) []string {
	size := [...]int{80, 24}
	if box(ts).binaries.wine {
		size[0] = 300 // its console breaks lines by itself
	}
	names := [...]string{"COLUMNS", "LINES"}
	env := make([]string, len(names))
	for i, name := range names {
		if n, err := strconv.Atoi(ts.Getenv(name)); err == nil && n > 0 {
			size[i] = n
		}
		env[i] = fmt.Sprintf("%s=%d", name, size[i])
	}
	ts.Check(unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(size[0]), Row: uint16(size[1])}))
	return env
}

// talk types the replies of a dialog as their texts appear.
func talk(ts *testscript.TestScript, b *sandbox, s *screen, control *os.File, dialog string) error {
	for line := range strings.Lines(dialog) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			continue
		}
		text, reply, ok := strings.Cut(line, " => ")
		if !ok {
			return fmt.Errorf("dialog line without =>: %q", line)
		}
		if strings.Contains(reply, "$CANARY") {
			secret, err := os.ReadFile(filepath.Join(b.work, canaryDir, "canary"))
			if err != nil {
				return err
			}
			reply, b.planted = strings.ReplaceAll(reply, "$CANARY", strings.TrimSpace(string(secret))), true
		}
		if b.binaries.wine { // its console moves over blanks at the end
			text = strings.TrimRight(text, " ")
		}
		if !s.wait(text) {
			return fmt.Errorf("%q never appeared", text)
		}
		key := "\n"
		if b.binaries.wine {
			key = "\r"
		}
		switch reply {
		case "^C":
			reply, key = "\x03", ""
		case "^D":
			reply, key = "\x04", ""
			if b.binaries.wine { // a console's end of input
				reply, key = "\x1a", "\r"
			}
		case "^Z":
			reply, key = "\x1a", ""
		case "^\\":
			reply, key = "\x1c", ""
		}
		if _, err := control.WriteString(reply + key); err != nil {
			return fmt.Errorf("typing: %w", err)
		}
	}
	return nil
}

// screen collects what a terminal shows.
type screen struct {
	changed chan struct{} // holds one notice of new output

	mu   sync.Mutex // guards what follows
	all  bytes.Buffer
	seen int // what wait has found so far
}

func (s *screen) readFrom(f *os.File) {
	buf := make([]byte, 4096)
	for {
		n, err := f.Read(buf)
		s.mu.Lock()
		s.all.Write(buf[:n])
		s.mu.Unlock()
		select {
		case s.changed <- struct{}{}:
		default:
		}
		if err != nil { // EIO: the last user of the terminal has gone
			return
		}
	}
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.ReplaceAll(s.all.String(), "\r\n", "\n")
}

// wait returns true once text has appeared after what was waited for before.
func (s *screen) wait(text string) bool {
	deadline := time.After(patience)
	for {
		s.mu.Lock()
		at := bytes.Index(s.all.Bytes()[s.seen:], []byte(text))
		if at >= 0 {
			s.seen += at + len(text)
		}
		s.mu.Unlock()
		if at >= 0 {
			return true
		}
		select {
		case <-s.changed:
		case <-deadline:
			return false
		}
	}
}

// openTerminal returns both ends of a new pseudo-terminal.
func openTerminal() (control, terminal *os.File, err error) {
	control, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("this system has no pseudo-terminals: %w", err)
	}
	if err != nil {
		return nil, nil, err
	}
	raw, err := control.SyscallConn()
	if err != nil {
		return nil, nil, err
	}
	var number int
	var ioctlErr error
	if err := raw.Control(func(fd uintptr) {
		if ioctlErr = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); ioctlErr == nil {
			number, ioctlErr = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	}); err != nil || ioctlErr != nil {
		return nil, nil, errors.Join(err, ioctlErr)
	}
	terminal, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	return control, terminal, err
}
