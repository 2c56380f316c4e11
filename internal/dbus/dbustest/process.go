//go:build linux

package dbustest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a child that ends with the test, also when the test is killed.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and was reaped

	mu  sync.Mutex
	log bytes.Buffer // stdout and stderr; guarded by mu
}

// start starts cmd as a process.
func start(tb testing.TB, cmd *exec.Cmd) *process {
	tb.Helper()
	p := &process{cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p, p
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	// A child that inherited our output to one of its own must not keep Wait.
	cmd.WaitDelay = time.Second
	started := make(chan error)
	go func() {
		// Pdeathsig is sent when the thread that started the child ends, so this
		// one stays as long as the child does.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
		close(p.done)
	}()
	if err := <-started; err != nil {
		tb.Fatal(err)
	}
	return p
}

// Write keeps what the child says, for the message of a test that fails.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// kill ends the child and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop asks the child to end, so that it can tidy up, and waits.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(patience):
		p.kill()
	}
}

// freeze stops the child and waits until it stands still.
func (p *process) freeze(tb testing.TB) {
	tb.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		tb.Fatal(err)
	}
	Eventually(tb, "the process to stop", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		return err == nil && bytes.Contains(stat, []byte(") T "))
	})
}

func (p *process) thaw(tb testing.TB) {
	tb.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		tb.Fatal(err)
	}
}

// processesWith returns the pids of the processes whose environment holds pair.
func processesWith(tb testing.TB, pair string) []int {
	tb.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		tb.Fatal(err)
	}
	var pids []int
	for _, file := range files {
		env, err := os.ReadFile(file) // others' are not readable, and some are gone by now
		if err != nil || !bytes.Contains(append([]byte{0}, env...), []byte("\x00"+pair+"\x00")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			tb.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// Eventually waits until holds does, and ends the test when it does not in time.
func Eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	limit := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit:
			tb.Fatalf("waited %v in vain for %s", patience, what)
		}
	}
}

// Need skips the test when program, a name or a path, is not installed.
func Need(tb testing.TB, program, debianPackage string) {
	tb.Helper()
	if _, err := exec.LookPath(program); err != nil {
		missing(tb, program, debianPackage)
	}
}

// missing skips the test, or fails it where nothing may be left out.
func missing(tb testing.TB, what, debianPackage string) {
	tb.Helper()
	message := fmt.Sprintf("%s is not installed: apt-get install %s", what, debianPackage)
	if os.Getenv("O2FA_TEST_STRICT") == "1" {
		tb.Fatal(message)
	}
	tb.Skip(message)
}
