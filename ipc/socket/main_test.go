//go:build unix

package socket

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childVariable names the part that this binary plays when a test runs it again
// as another process.
const childVariable = "O2FA_TEST_SOCKET_CHILD"

// nobody is the user of children that must not be us.
const nobody = 65534

// The parts. Each prints "ok", or what went wrong.
var children = map[string]func() error{
	"listen-fd":  childListenFD,
	"dial":       childDial,
	"check-peer": childCheckPeer,
	"hold":       childHold,
	"read-only":  childReadOnly,
}

func TestMain(m *testing.M) {
	play, ok := children[os.Getenv(childVariable)]
	if !ok {
		os.Exit(m.Run())
	}
	if err := play(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ok")
}

// child prepares this binary to play part with one argument. A child of another
// user runs a copy, since go test keeps the binary to itself.
func child(t *testing.T, part, arg string, attr *syscall.SysProcAttr) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if attr != nil && attr.Credential != nil {
		exe = publicCopy(t, exe)
	}
	cmd := exec.CommandContext(t.Context(), exe, arg)
	cmd.Env = []string{childVariable + "=" + part, "HOME=/nonexistent"}
	cmd.Dir = "/"
	cmd.SysProcAttr = attr
	cmd.Stderr = os.Stderr
	return cmd
}

// publicDir is t.TempDir for directories that other users may enter.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "o2fa-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func publicCopy(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(publicDir(t), "child")
	if err := os.WriteFile(to, data, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(to, 0o755); err != nil {
		t.Fatal(err)
	}
	return to
}

// needRoot leaves the test out where it cannot be had, loudly if that is not
// allowed.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("O2FA_TEST_STRICT") == "1" {
		t.Fatal("this test needs root")
	}
	t.Skip("this test needs root")
}

func asNobody() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}

// await waits until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	late := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-late:
			t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}

// shortDir is a directory whose sockets stay below the kernel's bound. On macOS
// /tmp is a link.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "o2fa-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// newProfile is a profile in a directory of its own.
func newProfile(t *testing.T) Profile {
	t.Helper()
	dir := shortDir(t)
	p, err := Resolve(environment{"HOME": dir, "XDG_RUNTIME_DIR": dir}.get)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

type environment map[string]string

func (e environment) get(name string) string { return e[name] }

// waitOK runs the child to its end.
func waitOK(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.Output()
	if err != nil || !bytes.Equal(out, []byte("ok\n")) {
		t.Fatalf("child: %v: %s", err, out)
	}
}

// childListenFD makes the bound socket that it inherits one of its own user.
func childListenFD() error {
	if err := syscall.Listen(3, 16); err != nil {
		return err
	}
	fmt.Println("listening")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// childDial connects to the socket and waits for the other end to close.
func childDial() error {
	conn, err := net.Dial("unix", os.Args[1])
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, conn)
	return err
}

// childCheckPeer accepts one connection and wants it refused.
func childCheckPeer() error {
	l, err := net.Listen("unix", os.Args[1])
	if err != nil {
		return err
	}
	if err := os.Chmod(os.Args[1], 0o777); err != nil {
		return err
	}
	fmt.Println("listening")
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	if err := CheckPeer(conn); !errors.Is(err, ErrForeign) {
		return fmt.Errorf("CheckPeer of root = %v", err)
	}
	return nil
}

// childHold holds the lock until it is killed.
func childHold() error {
	l, err := AcquireLock(Profile{Dir: os.Args[1]})
	if err != nil {
		return err
	}
	defer l.Close()
	if err := l.Write(LockInfo{PID: os.Getpid(), Socket: "somewhere"}); err != nil {
		return err
	}
	fmt.Println("held")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// childReadOnly takes the lock of a profile that it cannot write to. An
// argument that ends in ":mount" is first made read-only in a mount namespace.
func childReadOnly() error {
	dir, mount := strings.CutSuffix(os.Args[1], ":mount")
	if mount {
		if err := mountReadOnly(dir); err != nil {
			return err
		}
		// A socket cannot be made in there.
		got := addressIn("", Profile{Dir: dir, ID: "0123456789ab"}, true)
		if !strings.HasPrefix(got, "/tmp/o2fa-") || filepath.Base(got) != "0123456789ab.sock" {
			return fmt.Errorf("a read-only profile listens at %s", got)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "probe"), nil, 0o600); err == nil {
		return errors.New("the directory is writable, this test shows nothing")
	}
	p := Profile{Dir: dir}
	l, err := AcquireLock(p)
	if err != nil {
		return fmt.Errorf("AcquireLock: %w", err)
	}
	if l.writable {
		return errors.New("AcquireLock believes that it can write")
	}
	if err := l.Write(LockInfo{PID: os.Getpid()}); err != nil {
		return fmt.Errorf("Write: %w", err)
	}
	if _, held, err := ReadLock(p); !held || err != nil {
		return fmt.Errorf("ReadLock while held = %v, %v", held, err)
	}
	if _, err := AcquireLock(p); !errors.Is(err, ErrHeld) {
		return fmt.Errorf("second AcquireLock: %v", err)
	}
	if err := l.Close(); err != nil {
		return fmt.Errorf("Close: %w", err)
	}
	if _, held, err := ReadLock(p); held || err != nil {
		return fmt.Errorf("ReadLock when free = %v, %v", held, err)
	}
	return nil
}
