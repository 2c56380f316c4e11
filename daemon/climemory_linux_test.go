package daemon_test

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
)

// TestCommandsHoldNoSecret stops commands at their very end, when all that they
// had in memory is still there, and reads it.
func TestCommandsHoldNoSecret(t *testing.T) {
	p := newPrograms(t)
	s := &scene{programs: p}
	s.begin()
	s.slotKey("first", keystore.TypeKeyfile, keystore.NewKeyfile(p.file("vault.key")))
	f := newFinder(s.known)
	for _, args := range [][]string{
		{"code", "by hand"}, {"list"}, {"show", "by hand"}, {"status"}, {"generate", "-d", "0.01"}, {"lock"}, {"unlock"},
	} {
		found, err := searchAtExit(p.command("o2fa", args...), f)
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		for what, where := range found {
			t.Errorf("o2fa %s: %s at %s", strings.Join(args, " "), what, where)
		}
	}
	// What shows secrets has them, and this search finds them.
	found, err := searchAtExit(p.command("o2fa", "list", "-s"), f)
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for what := range found {
		if strings.HasPrefix(what, "base32 of ") {
			shown++
		}
	}
	if shown < 5 {
		t.Errorf("of five secrets that were shown, the search found %d: %v", shown, found)
	}
	for _, needle := range []string{"vault key", "slot", "UUID", "account"} {
		for what, where := range found {
			if strings.Contains(what, needle) {
				t.Errorf("o2fa list -s: %s at %s", what, where)
			}
		}
	}
}

// searchAtExit runs a command under ptrace and searches its memory when it exits.
func searchAtExit(cmd *exec.Cmd, f *finder) (found map[string]string, err error) {
	// The kernel takes orders from the thread that traces alone.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	pid := cmd.Process.Pid
	defer func() {
		_ = cmd.Process.Kill()
		_ = unix.PtraceCont(pid, 0) // a signal alone wakes none that is about to exit
		_ = cmd.Wait()
	}()
	options := 0
	for signal := 0; ; {
		var status unix.WaitStatus
		if _, err := unix.Wait4(pid, &status, unix.WALL, nil); err != nil {
			return nil, fmt.Errorf("waiting: %w", err)
		}
		switch {
		case status.Exited(), status.Signaled():
			return nil, fmt.Errorf("it ended with %v before it was looked at", status)
		case options == 0: // the stop at its start
			options = unix.PTRACE_O_TRACEEXIT | unix.PTRACE_O_EXITKILL
			if err := unix.PtraceSetOptions(pid, options); err != nil {
				return nil, fmt.Errorf("setting options: %w", err)
			}
		case status.TrapCause() == unix.PTRACE_EVENT_EXIT:
			return exiting(pid, f)
		default:
			signal = int(status.StopSignal())
		}
		if err := unix.PtraceCont(pid, signal); err != nil {
			return nil, fmt.Errorf("going on: %w", err)
		}
		signal = 0
	}
}

// exiting searches the memory of a process that is about to exit.
func exiting(pid int, f *finder) (map[string]string, error) {
	code, err := unix.PtraceGetEventMsg(pid)
	if err == nil && code != 0 {
		err = errors.New("it failed")
	}
	if err != nil {
		return nil, fmt.Errorf("status %#x: %w", code, err)
	}
	found, size, err := search(pid, f)
	if err == nil && size < 1<<20 {
		err = fmt.Errorf("only %d bytes could be read", size)
	}
	return found, err
}
