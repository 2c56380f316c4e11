//go:build unix

package socket

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// accepting answers at l until the test ends.
func accepting(t *testing.T, l net.Listener) {
	t.Helper()
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	})
	t.Cleanup(func() { l.Close(); group.Wait() })
}

func listenAt(t *testing.T, path string) net.Listener {
	t.Helper()
	l, err := Profile{Socket: path}.Listen()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// makeStale leaves a socket behind as a killed daemon does.
func makeStale(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

func TestListenAndDial(t *testing.T) {
	path := shortDir(t) + "/o2fa/agent.sock"
	if _, err := Dial(t.Context(), path); !errors.Is(err, ErrNotRunning) {
		t.Errorf("no directory: %v", err)
	}
	l := listenAt(t, path)
	server := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			err = CheckPeer(conn)
			conn.Close()
		}
		server <- err
	}()
	conn, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := <-server; err != nil {
		t.Errorf("the daemon's end: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	if _, err := Dial(t.Context(), path); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after Close: %v", err)
	}
}

// TestListenUnderAnyUmask holds the modes against umasks that open or close
// everything.
func TestListenUnderAnyUmask(t *testing.T) {
	for _, mask := range []int{0, 0o777} {
		path := shortDir(t) + "/o2fa/agent.sock"
		old := syscall.Umask(mask)
		l, err := Profile{Socket: path}.Listen()
		syscall.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		dir, _ := os.Stat(filepath.Dir(path))
		sock, _ := os.Stat(path)
		if dir.Mode().Perm() != 0o700 || sock.Mode().Perm() != 0o600 {
			t.Errorf("umask %03o: directory %v, socket %v", mask, dir.Mode(), sock.Mode())
		}
	}
}

func TestListenReplacesAStaleSocket(t *testing.T) {
	path := shortDir(t) + "/agent.sock"
	makeStale(t, path)
	if _, err := Dial(t.Context(), path); !errors.Is(err, ErrNotRunning) {
		t.Errorf("dialling a stale socket: %v", err)
	}
	accepting(t, listenAt(t, path))
	conn, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// TestListenRace starts many daemons, of many profiles, over one stale socket.
// One may listen; no other may remove what that one made.
func TestListenRace(t *testing.T) {
	for range 20 {
		path := shortDir(t) + "/agent.sock"
		makeStale(t, path)
		const n = 8
		listeners, errs := make([]net.Listener, n), make([]error, n)
		var group sync.WaitGroup
		for i := range n {
			group.Go(func() { listeners[i], errs[i] = Profile{Socket: path}.Listen() })
		}
		group.Wait()
		won := 0
		for i, l := range listeners {
			if l != nil {
				won++
				accepting(t, l)
			} else if !errors.Is(errs[i], ErrInUse) {
				t.Error(errs[i])
			}
		}
		conn, err := Dial(t.Context(), path)
		if won != 1 || err != nil {
			t.Fatalf("%d listen, dialling: %v", won, err)
		}
		conn.Close()
	}
}

func TestCloseLeavesASuccessorAlone(t *testing.T) {
	path := shortDir(t) + "/agent.sock"
	first := listenAt(t, path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	accepting(t, listenAt(t, path))
	first.Close()
	conn, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatalf("the successor's socket is gone: %v", err)
	}
	conn.Close()
}

// TestOpenDirectory wants the first thing to mend said first, and no mode of a
// directory changed that may be everybody's.
func TestOpenDirectory(t *testing.T) {
	dir := shortDir(t)
	os.Chmod(dir, os.ModeSticky|0o777)
	if _, err := Dial(t.Context(), dir+"/x.sock"); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "no daemon is listening, and "+dir+" has mode 0777") {
		t.Errorf("without a socket: %v", err)
	}
	makeStale(t, dir+"/x.sock")
	_, dialErr := Dial(t.Context(), dir+"/x.sock")
	_, listenErr := (Profile{Socket: dir + "/x.sock"}).Listen()
	for _, err := range []error{dialErr, listenErr, (Profile{Dir: dir}).MakeDir()} {
		if !errors.Is(err, ErrForeign) || strings.Contains(err.Error(), "chmod") || !strings.Contains(err.Error(), "of your own with mode 0700") {
			t.Errorf("%v", err)
		}
	}
	os.Chmod(dir, 0o777)
	if err := (Profile{Dir: dir}).MakeDir(); !errors.Is(err, ErrForeign) || !strings.HasSuffix(err.Error(), "chmod 700 makes it right") {
		t.Errorf("a profile: %v", err)
	}
}

// TestUnsafePlaces wants both ends to keep away from what others may change.
func TestUnsafePlaces(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, dir, path string) string{
		"loose directory": func(t *testing.T, dir, path string) string {
			os.Chmod(dir, 0o710)
			return path
		},
		"linked directory": func(t *testing.T, dir, path string) string {
			os.Symlink(dir, dir+"-link")
			t.Cleanup(func() { os.Remove(dir + "-link") })
			return dir + "-link/agent.sock"
		},
		"linked socket": func(t *testing.T, dir, path string) string {
			os.Symlink(path, dir+"/link.sock")
			return dir + "/link.sock"
		},
		"regular file": func(t *testing.T, dir, path string) string {
			os.WriteFile(dir+"/file.sock", []byte("precious"), 0o600)
			return dir + "/file.sock"
		},
		"foreign directory": func(t *testing.T, dir, path string) string {
			needRoot(t)
			os.Chown(dir, nobody, nobody)
			return path
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := shortDir(t)
			path := dir + "/agent.sock"
			l := listenAt(t, path)
			accepting(t, l)
			path = spoil(t, dir, path)
			if conn, err := Dial(t.Context(), path); !errors.Is(err, ErrForeign) {
				t.Errorf("Dial = %v, %v", conn, err)
			}
			if l, err := (Profile{Socket: path}).Listen(); !errors.Is(err, ErrForeign) {
				t.Errorf("Listen = %v, %v", l, err)
			}
			if data, err := os.ReadFile(dir + "/file.sock"); err == nil && string(data) != "precious" {
				t.Error("a file was harmed")
			}
		})
	}
}

// fullQueue returns the descriptor of a socket at path whose queue is full. The
// caller closes it.
func fullQueue(t *testing.T, path string) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	for range 16 {
		conn, err := net.Dial("unix", path)
		if err != nil {
			return fd
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Fatal("the queue never fills")
	return fd
}

func TestDialHasPatienceWithAFullQueue(t *testing.T) {
	path := shortDir(t) + "/agent.sock"
	fd := fullQueue(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Dial(ctx, path); !errors.Is(err, context.Canceled) {
		t.Fatalf("with a context that ended: %v", err)
	}
	if _, err := (Profile{Socket: path}).Listen(); !errors.Is(err, ErrInUse) {
		t.Errorf("Listen took a busy daemon for a dead one: %v", err)
	}
	dialled := make(chan error, 1)
	go func() {
		conn, err := Dial(t.Context(), path)
		if err == nil {
			conn.Close()
		}
		dialled <- err
	}()
	f := os.NewFile(uintptr(fd), "socket")
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	accepting(t, l)
	if err := <-dialled; err != nil {
		t.Error(err)
	}
}

// TestPeerOfAnotherUser tries each end against a process of somebody else.
func TestPeerOfAnotherUser(t *testing.T) {
	needRoot(t)
	t.Run("a listener of nobody in our directory", func(t *testing.T) {
		path := shortDir(t) + "/agent.sock"
		fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
			t.Fatal(err)
		}
		bound := os.NewFile(uintptr(fd), "socket")
		defer bound.Close()
		cmd := child(t, "listen-fd", "", asNobody())
		cmd.ExtraFiles = []*os.File{bound}
		startAndWaitFor(t, cmd, "listening")
		if conn, err := Dial(t.Context(), path); !errors.Is(err, ErrForeign) {
			t.Errorf("Dial = %v, %v", conn, err)
		}
	})
	t.Run("nobody calls us", func(t *testing.T) {
		path := publicDir(t) + "/s"
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		os.Chmod(path, 0o777)
		cmd := child(t, "dial", path, asNobody())
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckPeer(conn); !errors.Is(err, ErrForeign) {
			t.Errorf("CheckPeer = %v", err)
		}
		conn.Close()
		cmd.Wait()
	})
	t.Run("root calls nobody", func(t *testing.T) {
		dir := publicDir(t)
		os.Chmod(dir, 0o777)
		cmd := child(t, "check-peer", dir+"/s", asNobody())
		lines := startAndWaitFor(t, cmd, "listening")
		conn, err := net.Dial("unix", dir+"/s")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if lines.Scan(); lines.Text() != "ok" {
			t.Error(lines.Text())
		}
	})
}

func TestCheckPeerWantsASocket(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if err := CheckPeer(a); !errors.Is(err, ErrForeign) {
		t.Errorf("CheckPeer of a pipe: %v", err)
	}
}
