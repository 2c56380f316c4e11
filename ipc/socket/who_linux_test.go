package socket

import (
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// visit has another process connect, and returns both.
func visit(t *testing.T) (net.Conn, *exec.Cmd) {
	t.Helper()
	path := shortDir(t) + "/s"
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	cmd := child(t, "dial", path, nil)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, cmd
}

func TestWhoIs(t *testing.T) {
	before := time.Now()
	conn, cmd := visit(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := WhoIs(conn, time.Now())
	if p.PID != cmd.Process.Pid || p.Executable != self || p.Parent != self {
		t.Errorf("%+v, want process %d of %s", p, cmd.Process.Pid, self)
	}
	if early := p.Started.Sub(before); early < -slack || p.Started.After(time.Now().Add(slack)) {
		t.Errorf("started %v, %v after it was", p.Started, early)
	}
	// Without a handle the start is all that tells a number from its next owner.
	if p := WhoIs(conn, before.Add(-time.Hour)); p != (Peer{PID: cmd.Process.Pid}) {
		t.Errorf("a process that started after the connection: %+v", p)
	}
}

// Of a process that has ended there is the number alone, though /proc still has
// its name until it is waited for.
func TestWhoIsOfOneThatEnded(t *testing.T) {
	conn, cmd := visit(t)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	if name, _ := stat(cmd.Process.Pid); name == "" {
		t.Fatal("it is not there any more, so this test shows nothing")
	}
	if p := WhoIs(conn, time.Now()); p != (Peer{PID: cmd.Process.Pid}) {
		t.Errorf("%+v", p)
	}
}

func TestWhoIsOfNoSocket(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if p := WhoIs(a, time.Now()); p != (Peer{}) {
		t.Errorf("%+v", p)
	}
}

func BenchmarkWhoIs(b *testing.B) {
	dir, err := os.MkdirTemp("", "o2fa")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	l, err := net.Listen("unix", dir+"/s")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("unix", dir+"/s")
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	conn, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	now := time.Now()
	for b.Loop() {
		if WhoIs(conn, now).Executable == "" {
			b.Fatal("nobody is there")
		}
	}
}
