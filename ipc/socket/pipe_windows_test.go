package socket

import (
	"errors"
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/windows"

	"github.com/o2fa/o2fa/internal/acl"
)

func testProfile(t *testing.T) Profile {
	t.Helper()
	dir := t.TempDir()
	p, err := Resolve(func(name string) string { return map[string]string{envDir: dir}[name] })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPipeIsOurs makes a pipe and reads its access list back from both ends.
// Whether the system keeps to that list is not shown: it takes a second user.
func TestPipeIsOurs(t *testing.T) {
	p := testProfile(t)
	if _, err := Dial(t.Context(), p.Socket); !errors.Is(err, ErrNotRunning) {
		t.Errorf("before there is a pipe: %v, want ErrNotRunning", err)
	}
	l, err := p.Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, _ := l.Accept() // nil ends the test
		accepted <- conn
	}()
	client, err := Dial(t.Context(), p.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server := <-accepted
	if server == nil {
		t.FailNow()
	}
	defer server.Close()
	if err := CheckPeer(server); err != nil {
		t.Errorf("the server's look at the client: %v", err)
	}
	self, err := acl.Self()
	if err != nil {
		t.Fatal(err)
	}
	for end, conn := range map[string]net.Conn{"client": client, "server": server} {
		pipe, err := handleOf(conn)
		if err != nil {
			t.Fatal(err)
		}
		sd, err := windows.GetSecurityInfo(pipe, windows.SE_KERNEL_OBJECT, windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
		if err != nil {
			t.Fatal(err)
		}
		// GA is read back as what it means for a pipe: FA.
		want := strings.Replace(pipeSDDL(self), ";GA;", ";FA;", 1)
		if got := strings.Replace(sd.String(), ";GA;", ";FA;", 1); got != want {
			t.Errorf("seen by the %s: %s, want %s", end, got, want)
		}
	}
}

// TestPipeOfNobody checks what is no pipe, and pipes whose process is another's
// or gone.
func TestPipeOfNobody(t *testing.T) {
	one, other := net.Pipe()
	defer one.Close()
	defer other.Close()
	if err := CheckPeer(one); !errors.Is(err, ErrForeign) {
		t.Errorf("no pipe of the system: %v, want ErrForeign", err)
	}
	p := testProfile(t)
	l, err := p.Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if conn, err := l.Accept(); err == nil {
			defer conn.Close()
		}
	}()
	conn, err := Dial(t.Context(), p.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// No process has this number: they are multiples of four.
	gone := func(_ windows.Handle, pid *uint32) error { *pid = 0x7ffffffd; return nil }
	if err := checkProcess(conn, gone); !errors.Is(err, ErrForeign) {
		t.Errorf("a process that cannot be asked: %v, want ErrForeign", err)
	}
}

func TestPipeNames(t *testing.T) {
	for name, ok := range map[string]bool{
		`\\.\pipe\o2fa`: true, `\\.\PIPE\x`: true,
		`\\.\pipe\`: false, `\\server\pipe\o2fa`: false, `C:\pipe\o2fa`: false, "o2fa": false,
	} {
		if _, err := checkAddress(name); (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
