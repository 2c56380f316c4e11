package cli

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/windows"

	"github.com/o2fa/o2fa/daemon"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc/socket"
)

const (
	successorTime  = 5 * time.Second // for a successor to wait for our end
	successorPause = time.Millisecond
)

// relauncher returns what starts o2fad anew, as no process of Windows executes
// another program in its place. It returns nil when that one waits for our lock;
// otherwise there is no other o2fad.
func relauncher(io command.Stdio, cfg daemon.Config, s *signals) func(handover string) error {
	return func(handover string) error {
		path, err := os.Executable()
		if err != nil {
			return fmt.Errorf("finding this program's own file: %w", err)
		}
		if s.pending() {
			return errSignal
		}
		cmd := successor(path, io)
		cmd.Env = environ(io.Process.Environ(), cfg, handover)
		if err := cmd.Start(); err != nil {
			return fmt.Errorf("starting %s: %w", path, err)
		}
		ended := make(chan string, 1)
		go func() { // ends with the successor, or with us
			_ = cmd.Wait() // the state says it
			ended <- cmd.ProcessState.String()
		}()
		if err := awaitSuccessor(cfg.Profile, ended, s.pending); err != nil {
			_ = cmd.Process.Kill() // fails for one that has ended
			return fmt.Errorf("starting %s: %w", path, err)
		}
		return nil
	}
}

// successor returns the command, in a session of its own as a client starts it.
// What it says before its log is open goes where ours does.
func successor(path string, io command.Stdio) *exec.Cmd {
	cmd := &exec.Cmd{Path: path, Args: io.Process.Args, SysProcAttr: &syscall.SysProcAttr{
		HideWindow:    true,
		CreationFlags: windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP,
	}}
	if log, ok := io.Err.(*os.File); ok {
		cmd.Stdout, cmd.Stderr = log, log
	}
	return cmd
}

// awaitSuccessor waits until a successor waits for our lock. That is over at once
// when it ends, or we are to end.
func awaitSuccessor(p socket.Profile, ended <-chan string, quit func() bool) error {
	late := time.NewTimer(successorTime)
	defer late.Stop()
	for {
		there, err := socket.Succeeded(p)
		switch {
		case err != nil || there:
			return err
		case quit():
			return errSignal
		}
		select {
		case how := <-ended:
			return fmt.Errorf("it ended: %s", how)
		case <-late.C:
			return fmt.Errorf("it did not come within %s", successorTime)
		case <-time.After(successorPause):
		}
	}
}
