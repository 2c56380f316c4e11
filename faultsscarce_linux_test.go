package o2fa_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

// TestScarcity takes from a real o2fad, or from the o2fa that starts it, what a
// system may be short of. Whatever comes of it, it comes soon, and the vault is
// as it was.
func TestScarcity(t *testing.T) {
	for name, run := range map[string]func(*testing.T, *place){
		"file descriptors": fewFiles, "memory": littleMemory, "no log": noLog, "no home": noHome, "no runtime directory": noRuntimeDir,
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			o, _ := p.start(t, ipc.StateUninitialized)
			names := p.furnish(t)
			o.stop(t)
			run(t, p)
			if t.Failed() {
				t.Fatalf("the daemon's log:\n%s", p.log())
			}
			o, _ = p.start(t, ipc.StateReady)
			p.holds(t, names)
			p.noSecret(t, "the log", p.log())
			o.stop(t)
		})
	}
}

// limited runs what follows under a limit of the shell.
func limited(limit string) []string { return []string{"sh", "-c", limit + `; exec "$@"`, "sh"} }

// fewFiles opens more connections than the daemon has descriptors for, and says
// nothing on them: they are cut off in time, and nobody is kept out for longer.
func fewFiles(t *testing.T, p *place) {
	o := p.launch(t, limited("ulimit -n 40")...)
	p.status(t, o)
	var conns []net.Conn
	for range 50 {
		conn, err := net.DialTimeout("unix", p.profile.Socket, time.Second)
		if err != nil {
			break // the queue is full, too
		}
		defer conn.Close()
		conns = append(conns, conn)
	}
	if len(conns) < 40 {
		t.Errorf("only %d connections", len(conns))
	}
	files := func() int {
		list, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", o.cmd.Process.Pid))
		return len(list)
	}
	if os.Getuid() == 0 { // who alone may look
		await(t, "the last descriptor to be taken", func() bool { return files() >= 39 })
	}
	// Who is kept out meanwhile learns why, after a while.
	if stdout, stderr, exit := p.o2fa(t, "code", "a"); (exit != 0 || len(stdout) != 7) && (exit != 6 || !strings.Contains(stderr, "it does not answer")) {
		t.Errorf("o2fa code: exit code %d, %q %s", exit, stdout, stderr)
	}
	if os.Getuid() == 0 {
		await(t, "those who say nothing to be cut off", func() bool { return files() < 20 })
	}
	p.codeIs(t, "a")
	o.stop(t)
}

// littleMemory starts a daemon that cannot even begin.
func littleMemory(t *testing.T, p *place) {
	dir := filepath.Join(p.env["HOME"], "limited")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\nulimit -v 60000\nexec %s \"$@\"\n", filepath.Join(p.programs, "o2fad"))
	if err := os.WriteFile(filepath.Join(dir, "o2fad"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	c := &client.Client{Profile: &p.profile, Daemon: filepath.Join(dir, "o2fad"), Environ: p.environ()}
	_, err := c.Code(t.Context(), "a", 0)
	if err == nil || !strings.Contains(err.Error(), "starting the daemon: "+c.Daemon+" ended with exit code 2: fatal error: ") {
		t.Errorf("%v", err)
	}
}

// noLog has something in the log's place that is no file.
func noLog(t *testing.T, p *place) {
	log := p.profile.LogFile()
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(log, 0o700); err != nil {
		t.Fatal(err)
	}
	p.codeIsStarting(t, "a")
	if err := os.Remove(log); err != nil {
		t.Error(err)
	}
}

// noHome runs o2fa where nothing says where the profile is.
func noHome(t *testing.T, p *place) {
	cmd := exec.Command(filepath.Join(p.programs, "o2fa"), "code", "a")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	if exitCode(err) != 1 || string(out) != "o2fa: error: finding the home directory: neither OPEN2FA_DIR nor HOME is set\n" {
		t.Errorf("%v: %s", err, out)
	}
}

// noRuntimeDir has no directory for sockets: there is one in the profile.
func noRuntimeDir(t *testing.T, p *place) {
	if os.Getuid() == 0 {
		if _, err := os.Stat("/run/user/0"); err == nil {
			t.Skip("this user has a runtime directory in its usual place")
		}
	}
	p.env["XDG_RUNTIME_DIR"] = filepath.Join(p.env["HOME"], "none")
	resolved, err := socket.Resolve(func(name string) string { return p.env[name] })
	if err != nil {
		t.Fatal(err)
	}
	other := &place{programs: p.programs, env: p.env, profile: resolved, client: &client.Client{Profile: &resolved, NoStart: true}}
	defer func() { p.profile, p.client = other.profile, other.client }()
	o, s := other.start(t, ipc.StateReady)
	if filepath.Dir(s.Socket) != filepath.Join(p.profile.Dir, "run") {
		t.Errorf("the socket is %s", s.Socket)
	}
	other.codeIs(t, "a")
	o.stop(t)
}

// noMoreProcesses runs o2fa, and what it starts, with so many processes and
// threads that this user may have at most. Root may have any number.
func noMoreProcesses(t *testing.T, r *room) {
	prlimit, err := exec.LookPath("prlimit")
	if err != nil {
		leaveOut(t, "prlimit is not installed (package util-linux)")
	}
	p := r.place(t, r.open)
	o, _ := p.start(t, ipc.StateUninitialized)
	names := p.furnish(t)
	o.stop(t)
	failed, worked := 0, 0
	for most := 1; most <= 64; most += 1 + most/4 {
		cmd := exec.CommandContext(t.Context(), prlimit, fmt.Sprint("--nproc=", most), filepath.Join(p.programs, "o2fa"), "code", "a")
		cmd.Env, cmd.Dir = p.environ(), p.env["HOME"]
		began := time.Now()
		out, err := cmd.CombinedOutput()
		if took := time.Since(began); took > patience {
			t.Errorf("with %d processes it took %v", most, took)
		}
		switch {
		case err == nil && len(out) == 7:
			worked++
		case err == nil || len(out) == 0:
			t.Errorf("with %d processes: %v, %q", most, err, out)
		default:
			failed++
		}
		p.noSecret(t, "o2fa code", string(out))
	}
	if failed == 0 {
		t.Error("the limit limits nothing")
	}
	_ = p.client.Shutdown(t.Context(), ipc.ShutdownRequest{}) // there may be none
	await(t, "the end of the daemon", func() bool {
		_, held, err := socket.ReadLock(p.profile)
		return err == nil && !held
	})
	t.Logf("%d calls failed, %d worked", failed, worked)
	o, _ = p.start(t, ipc.StateReady)
	p.holds(t, names)
	o.stop(t)
}
