package daemon_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

// started returns programs with a vault that has one entry.
func started(t *testing.T) *programs {
	t.Helper()
	p := newPrograms(t)
	p.run("init")
	p.pipe("JBSWY3DPEHPK3PXP\n", "add", "-", "name")
	return p
}

// exchange sends one request over a connection of its own and returns the reply's
// status code. Nothing is tried twice: what gets lost is an error.
func exchange(addr, method, path, body string) (code int, reply []byte, err error) {
	conn, err := dialPatiently(addr)
	if err != nil {
		return 0, nil, err
	}
	defer conn.Close()
	return converse(conn, method, path, body)
}

// dialPatiently connects. That the queue is full for a moment is no refusal.
func dialPatiently(addr string) (net.Conn, error) {
	for {
		conn, err := net.Dial("unix", addr)
		if !errors.Is(err, syscall.EAGAIN) {
			return conn, err
		}
		<-time.After(time.Millisecond)
	}
}

func converse(conn net.Conn, method, path, body string) (code int, reply []byte, err error) {
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, nil, err
	}
	if _, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: o2fa\r\nContent-Length: %d\r\n\r\n%s", method, path, len(body), body); err != nil {
		return 0, nil, fmt.Errorf("writing: %w", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, nil, fmt.Errorf("reading: %w", err)
	}
	defer resp.Body.Close()
	reply, err = io.ReadAll(resp.Body)
	return resp.StatusCode, reply, err
}

// TestNobodyIsTurnedAwayWhileLocking has twenty clients ask for anything while the
// vault is locked and unlocked fifty times. Each of their requests gets a reply.
func TestNobodyIsTurnedAwayWhileLocking(t *testing.T) {
	p := started(t)
	addr, pid := p.profile().Socket, p.pid()
	var done atomic.Bool
	var asked atomic.Int64
	var clients sync.WaitGroup
	for i := range 20 {
		clients.Go(func() {
			calls := [][2]string{{"GET", ipc.PathStatus}, {"POST", ipc.PathCode + "?name=name"}, {"GET", ipc.PathEntries}, {"GET", ipc.PathCodes}}
			for n := i; !done.Load(); n++ {
				call := calls[n%len(calls)]
				code, reply, err := exchange(addr, call[0], call[1], "")
				if err != nil || code != 200 && code != 423 {
					t.Errorf("%s %s: %d, %v\n%s", call[0], call[1], code, err, reply)
					return
				}
				asked.Add(1)
			}
		})
	}
	for i := range 50 {
		code, reply, err := exchange(addr, "POST", ipc.PathLock, "")
		if s := status(t, reply); err != nil || code != 200 || s.PID != pid || s.LockedBy != ipc.LockAsked {
			t.Errorf("lock %d: %d, %v\n%s", i, code, err, reply)
			break
		}
		code, reply, err = exchange(addr, "POST", ipc.PathUnlock, "{}")
		if s := status(t, reply); err != nil || code != 200 || s.PID != pid || s.State != ipc.StateReady {
			t.Errorf("unlock %d: %d, %v\n%s", i, code, err, reply)
			break
		}
	}
	done.Store(true)
	clients.Wait()
	if p.pid() != pid {
		t.Errorf("pid %d became %d", pid, p.pid())
	}
	t.Logf("%d requests", asked.Load())
}

func status(t *testing.T, reply []byte) (s ipc.Status) {
	t.Helper()
	if err := json.Unmarshal(reply, &s); err != nil {
		t.Errorf("no status: %v\n%s", err, reply)
	}
	return s
}

// TestConnectionsWaitForTheNextImage has clients that have connected, and say
// nothing for now, served by whatever image is there when they do.
func TestConnectionsWaitForTheNextImage(t *testing.T) {
	p := started(t)
	var conns []net.Conn
	for range 10 {
		conn, err := dialPatiently(p.profile().Socket)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns = append(conns, conn)
		p.run("status") // so that the daemon has let them in
		p.run("lock")
	}
	for i, conn := range conns {
		code, reply, err := converse(conn, "GET", ipc.PathStatus, "")
		if err != nil || code != 200 || status(t, reply).State != ipc.StateLocked {
			t.Errorf("connection %d: %d, %v", i, code, err)
		}
	}
}

// TestLocksAtOnce has many ask for a lock at the same time.
func TestLocksAtOnce(t *testing.T) {
	p := started(t)
	pid := p.pid()
	for range 5 {
		p.run("unlock")
		var clients sync.WaitGroup
		for range 8 {
			clients.Go(func() {
				code, reply, err := exchange(p.profile().Socket, "POST", ipc.PathLock, "")
				if err != nil || code != 200 || status(t, reply).State != ipc.StateLocked {
					t.Errorf("%d, %v\n%s", code, err, reply)
				}
			})
		}
		clients.Wait()
	}
	if p.pid() != pid {
		t.Errorf("pid %d became %d", pid, p.pid())
	}
}

// facts are what must not grow, or change, from one image to the next.
type facts struct {
	fds     []string
	memory  int // resident, in KiB
	signals string
	name    string
}

func factsOf(t *testing.T, pid int) (f facts) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/", pid)
	entries, err := os.ReadDir(dir + "fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		target, err := os.Readlink(dir + "fd/" + e.Name())
		if err == nil {
			kind, _, _ := strings.Cut(target, "[") // sockets and pipes have numbers
			f.fds = append(f.fds, kind)
		}
	}
	slices.Sort(f.fds)
	text, err := os.ReadFile(dir + "status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch name {
		case "Name":
			f.name = value
		case "SigBlk", "SigIgn", "SigCgt":
			f.signals += name + " " + value + " "
		case "VmRSS":
			f.memory, _ = strconv.Atoi(strings.TrimSuffix(value, " kB"))
		}
	}
	return f
}

// TestNothingGrowsOverManyLocks compares the process after few locks with that
// after many.
func TestNothingGrowsOverManyLocks(t *testing.T) {
	p := started(t)
	lock := func(times int) {
		for range times {
			p.run("unlock")
			p.run("code", "name")
			p.run("lock")
		}
	}
	lock(3)
	before := factsOf(t, p.pid())
	lock(100)
	p.run("lock")
	after := factsOf(t, p.pid())
	if !slices.Equal(before.fds, after.fds) {
		t.Errorf("descriptors %v became %v", before.fds, after.fds)
	}
	if before.signals != after.signals || after.name != "o2fad" || before.name != after.name {
		t.Errorf("%+v became %+v", before, after)
	}
	if after.memory > before.memory+before.memory/4+2048 {
		t.Errorf("%d KiB became %d", before.memory, after.memory)
	}
	t.Logf("%d descriptors, %d KiB; after 100 locks %d KiB", len(before.fds), before.memory, after.memory)
}

// TestLockAfterAnUpgrade locks where the program has been replaced, or removed:
// the same program goes on, and a newer one is still noticed.
func TestLockAfterAnUpgrade(t *testing.T) {
	p := started(t)
	pid := p.pid()
	program := filepath.Join(p.bin, "o2fad")
	if err := os.Rename(program, program+".old"); err != nil {
		t.Fatal(err)
	}
	p.run("lock")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	p.run("unlock")
	p.run("lock")
	if s := p.run("status"); p.pid() != pid || strings.Contains(s, "did not replace the process") {
		t.Errorf("pid %d became %d\n%s", pid, p.pid(), s)
	}
	p.run("unlock")
	p.run("code", "name")
}

// TestLockThatCannotReplaceTheProcess takes the lock file away, so that there is
// nothing to hand over. The daemon goes on, locked, and says what is amiss.
func TestLockThatCannotReplaceTheProcess(t *testing.T) {
	p := started(t)
	pid := p.pid()
	if err := os.Rename(p.file("o2fad.lock"), p.file("kept")); err != nil {
		t.Fatal(err)
	}
	if out := p.run("lock"); !strings.Contains(out, "locked") {
		t.Errorf("lock: %s", out)
	}
	s := p.run("status")
	if !strings.Contains(s, "State: locked") || !strings.Contains(s, "did not replace the process") || !strings.Contains(s, fmt.Sprintf("kill %d", pid)) {
		t.Errorf("status:\n%s", s)
	}
	if err := os.Rename(p.file("kept"), p.file("o2fad.lock")); err != nil {
		t.Fatal(err)
	}
	p.run("unlock")
	p.run("code", "name")
	p.run("lock")
	if s := p.run("status"); p.pid() != pid || strings.Contains(s, "did not replace the process") {
		t.Errorf("the next lock:\n%s", s)
	}
}

// TestLockWhereNothingCanBeExecuted takes the program's right to run away. The
// daemon goes on, locked, and still ends when it is told to.
func TestLockWhereNothingCanBeExecuted(t *testing.T) {
	p := started(t)
	pid := p.pid()
	for range 3 {
		if err := os.Chmod(filepath.Join(p.bin, "o2fad"), 0o600); err != nil {
			t.Fatal(err)
		}
		p.run("lock")
		if s := p.run("status"); !strings.Contains(s, "State: locked") || !strings.Contains(s, "permission denied") || p.pid() != pid {
			t.Errorf("status:\n%s", s)
		}
		p.run("unlock")
		p.run("code", "name")
	}
	p.stop()
	if p.runs(pid) {
		t.Error("it does not end")
	}
}

// TestEndWhileLocking sends the signal to end at any moment of a lock. The daemon
// ends, always, and the profile can be used at once.
func TestEndWhileLocking(t *testing.T) {
	p := started(t)
	for range 40 {
		p.run("unlock")
		pid := p.pid()
		asked := make(chan error, 1)
		go func() {
			_, _, err := exchange(p.profile().Socket, "POST", ipc.PathLock, "")
			asked <- err
		}()
		<-time.After(time.Duration(rand.IntN(20_000)) * time.Microsecond)
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		<-asked // an answer or none
		for deadline := time.Now().Add(patience); p.runs(pid); <-time.After(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the signal got lost: the daemon goes on")
			}
		}
		p.run("code", "name") // starts another
	}
}

// TestKilledWhileLocking kills the daemon at any moment of a lock.
func TestKilledWhileLocking(t *testing.T) {
	p := started(t)
	for range 20 {
		p.run("unlock")
		pid := p.pid()
		asked := make(chan error, 1)
		go func() {
			_, _, err := exchange(p.profile().Socket, "POST", ipc.PathLock, "")
			asked <- err
		}()
		<-time.After(time.Duration(rand.IntN(20_000)) * time.Microsecond)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-asked
		p.run("code", "name")
	}
}

// TestHandoverByHand starts the daemon with descriptors that are not what they
// should be. It says so, and harms nothing.
func TestHandoverByHand(t *testing.T) {
	p := started(t)
	pid := p.pid()
	profile := p.profile()
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	held, err := os.Open(profile.LockFile())
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	text := func(lock, listener int, socket string, more string) string {
		return fmt.Sprintf(`{"format":1,"started":"2026-01-02T03:04:05Z","locked_by":"asked","locked_at":"2026-01-02T03:04:05Z",`+
			`"place":{"lock":%d,"listener":%d,"socket":%q},"askers":[%s]}`, lock, listener, socket, more)
	}
	for name, tc := range map[string]struct{ value, want string }{
		"no JSON":              {"yes", "not the JSON expected"},
		"no such descriptor":   {text(77, 78, profile.Socket, ""), "descriptor 77: bad file descriptor"},
		"standard output":      {text(1, 2, profile.Socket, ""), "descriptor 1: not private"},
		"another file":         {text(3, 3, profile.Socket, ""), "descriptor 3 is not"},
		"somebody else's lock": {text(4, 3, profile.Socket, ""), "another o2fad serves this profile"},
	} {
		cmd := p.command("o2fad", "run")
		cmd.Env = append(slices.Clone(p.env), "O2FA_HANDOVER="+tc.value)
		cmd.ExtraFiles = []*os.File{file, held} // 3 and 4
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
		err := cmd.Run()
		stop()
		cancel()
		if err == nil || !strings.Contains(out.String(), tc.want) || strings.Contains(out.String(), "goroutine") {
			t.Errorf("%s: %v\n%s", name, err, out.String())
		}
	}
	if p.pid() != pid {
		t.Error("the daemon that serves was replaced")
	}
	p.run("code", "name")
	p.stop()
	// A lock that is free may be taken by whoever brings it; a socket of another
	// address, or none, may not.
	for _, listener := range []int{3, 4} {
		cmd := p.command("o2fad", "run")
		cmd.Env = append(slices.Clone(p.env), "O2FA_HANDOVER="+text(4, listener, profile.Socket, ""))
		cmd.ExtraFiles = []*os.File{file, held}
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "is no socket") {
			t.Errorf("listener %d: %v\n%s", listener, err, out)
		}
	}
	if _, held, err := socket.ReadLock(profile); err != nil || held {
		t.Errorf("the lock is held: %v, %v", held, err)
	}
}
