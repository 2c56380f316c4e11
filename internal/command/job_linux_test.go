package command

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/o2fa/o2fa/internal/command/ptytest"
	"golang.org/x/sys/unix"
)

// roleVariable says what a copy of the test binary plays, jobVariable which role
// the shell runs.
const (
	roleVariable = "O2FA_TEST_ROLE"
	jobVariable  = "O2FA_TEST_JOB"
)

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "shell":
		os.Exit(playShell())
	case "asker":
		inv := &Invocation{Stdio: Stdio{In: os.Stdin, Err: os.Stderr}}
		answer, err := inv.AskHidden(context.Background(), "Passphrase: ")
		inv.Reveal()
		fmt.Fprintf(os.Stderr, "%d characters, %v\n", len(answer), err)
		os.Exit(exitCode(err))
	case "worker":
		os.Exit(playWorker())
	case "drawer":
		os.Exit(playDrawer())
	}
	os.Exit(m.Run())
}

// role returns a copy of the test binary that plays a role.
func role(name string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVariable+"="+name)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd
}

// playShell runs a job in the foreground of its terminal. When that stops,
// the shell takes the terminal, writes a line to descriptor 3, and brings it
// back for each byte that comes at 4.
func playShell() int {
	signal.Ignore(syscall.SIGTTOU)
	job := role(os.Getenv(jobVariable))
	job.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Foreground: true, Ctty: 0}
	if err := job.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	tell, told := os.NewFile(3, "tell"), os.NewFile(4, "told")
	for {
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(job.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil {
			return 98
		}
		if !status.Stopped() {
			return status.ExitStatus()
		}
		_ = unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, syscall.Getpgrp())
		fmt.Fprintln(tell, "stopped")
		if _, err := told.Read(make([]byte, 1)); err != nil {
			return 97
		}
		_ = unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, job.Process.Pid)
		_ = syscall.Kill(-job.Process.Pid, syscall.SIGCONT)
	}
}

// inShell runs a role as the job of a shell at p. wait returns once it has stopped,
// resume brings it back.
func inShell(t *testing.T, p *ptytest.Terminal, job string) (cmd *exec.Cmd, wait, resume func()) {
	t.Helper()
	fromShell, tell, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	told, toShell, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd = role("shell")
	cmd.Env = append(cmd.Env, jobVariable+"="+job, "TERM=xterm", "COLUMNS=", "LINES=")
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = p.Device, p.Device, p.Device, []*os.File{tell, told}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tell.Close()
	told.Close()
	t.Cleanup(func() { toShell.Close(); fromShell.Close() })
	if err := fromShell.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(fromShell)
	wait = func() {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("it did not stop: %q", p.Screen())
		}
	}
	resume = func() {
		t.Helper()
		if _, err := toShell.WriteString("."); err != nil {
			t.Fatal(err)
		}
	}
	return cmd, wait, resume
}

// Ctrl-Z gives the shell a terminal that shows what is typed; fg hides again
// and repeats the question.
func TestStoppedQuestion(t *testing.T) {
	p := ptytest.New(t)
	cmd, wait, resume := inShell(t, p, "asker")
	for round := 1; round <= 2; round++ {
		p.Expect(strings.Repeat("Passphrase: ", round))
		waitForEcho(t, p.Device, false)
		p.Type("half\x1a")
		wait()
		waitForEcho(t, p.Device, true)
		resume()
	}
	p.Expect("Passphrase: Passphrase: Passphrase: ")
	waitForEcho(t, p.Device, false)
	p.Type("correct horse\n")
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %q", err, p.Screen())
	}
	p.Expect("13 characters, <nil>")
	waitForEcho(t, p.Device, true)
	if strings.Contains(p.Screen(), "horse") || strings.Contains(p.Screen(), "half") {
		t.Errorf("what was typed was shown: %q", p.Screen())
	}
}
