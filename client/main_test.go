//go:build unix

package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

// fakeVariable makes this binary play o2fad; its value is a fake as JSON.
const fakeVariable = "O2FA_TEST_FAKE"

// fake is an o2fad that does as it is told.
type fake struct {
	Release, NextRelease string // of the running daemon; of "version --json"
	API, NextAPI         int
	Age                  time.Duration // since its alleged start
	Fail                 string        // last words; it then ends with exit code 3
	Mute                 bool          // takes the lock and listens nowhere
	Elsewhere            string        // listens there instead
	Refuse               bool          // refuses to hand over
}

func TestMain(m *testing.M) {
	told := os.Getenv(fakeVariable)
	if told == "" {
		os.Exit(m.Run())
	}
	var f fake
	if err := json.Unmarshal([]byte(told), &f); err != nil {
		panic(err)
	}
	os.Exit(f.main())
}

func (f fake) main() int {
	if len(os.Args) == 3 && os.Args[1] == "version" && os.Args[2] == "--json" {
		fmt.Printf(`{"release":%q,"api":%d}`+"\n", f.NextRelease, f.NextAPI)
		return 0
	}
	if len(os.Args) != 2 || os.Args[1] != "run" {
		return 2
	}
	if f.Fail != "" {
		fmt.Fprintln(os.Stderr, f.Fail)
		return 3
	}
	err := f.run()
	if errors.Is(err, socket.ErrHeld) {
		return exitAlreadyRunning
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// run serves until it is told to end.
func (f fake) run() error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go endWithParent(os.Getppid())
	p, err := socket.Default()
	if err != nil {
		return err
	}
	lock, err := socket.AcquireLock(p)
	if err != nil {
		return err
	}
	defer lock.Close()
	// Who took over serves the new way.
	if _, err := os.Stat(filepath.Join(p.Dir, "handed-over")); err == nil {
		f.Release, f.API, f.Age = f.NextRelease, f.NextAPI, 0
	}
	if f.Elsewhere != "" {
		p.Socket = f.Elsewhere
	}
	info := socket.LockInfo{PID: os.Getpid(), Release: f.Release, API: f.API, Socket: p.Socket, Started: time.Now().Add(-f.Age)}
	if f.Mute {
		if err := lock.Write(info); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}
	l, err := p.Listen()
	if err != nil {
		return err
	}
	if err := lock.Write(info); err != nil {
		return err
	}
	note(p, "started")
	server := &http.Server{Handler: f.handler(p, stop)}
	drained := make(chan error, 1)
	go func() { <-ctx.Done(); drained <- server.Shutdown(context.Background()) }()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-drained
}

// endWithParent ends a fake that a test left behind, as the last of twenty that
// got the lock after all when the test had ended the first.
func endWithParent(parent int) {
	for range time.Tick(100 * time.Millisecond) {
		if os.Getppid() != parent {
			os.Exit(0)
		}
	}
}

// note adds a line to a file of the profile.
func note(p socket.Profile, name string) {
	f, err := os.OpenFile(filepath.Join(p.Dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		fmt.Fprintln(f, os.Getpid())
		f.Close()
	}
}

// circumstances is what a started daemon tells of how it was started.
type circumstances struct {
	Environ, Args []string
	Dir           string
	Leader        bool      // of its own session
	Files         [3]string // stdin, stdout, stderr
}

func (f fake) handler(p socket.Profile, end func()) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /circumstances", func(w http.ResponseWriter, r *http.Request) {
		c := circumstances{Environ: os.Environ(), Args: os.Args}
		c.Dir, _ = os.Getwd()
		sid, _, _ := syscall.Syscall(syscall.SYS_GETSID, 0, 0, 0)
		c.Leader = int(sid) == os.Getpid()
		for i := range c.Files {
			c.Files[i], _ = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", i))
		}
		respond(w, 200, c)
	})
	mux.HandleFunc("GET "+ipc.PathStatus, func(w http.ResponseWriter, r *http.Request) {
		respond(w, 200, ipc.Status{State: ipc.StateReady, PID: os.Getpid(), Executable: "/old/o2fad", Release: f.Release, API: f.API})
	})
	mux.HandleFunc("POST "+ipc.PathShutdown, func(w http.ResponseWriter, r *http.Request) {
		if f.Refuse {
			respond(w, 403, ipc.ErrorReply{Error: &ipc.Error{Code: ipc.CodeRefused, Message: "no"}})
			return
		}
		note(p, "handed-over")
		respond(w, 200, struct{}{})
		end()
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(ipc.HeaderVersion, strconv.Itoa(f.API))
		w.Header().Set(ipc.HeaderRelease, f.Release)
		w.Header().Set(ipc.HeaderProfile, p.ID)
		if r.Header.Get(ipc.HeaderVersion) != strconv.Itoa(f.API) {
			respond(w, 426, ipc.ErrorReply{Error: &ipc.Error{Code: ipc.CodeVersion, Message: "version"}})
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func respond(w http.ResponseWriter, status int, v any) {
	body, _ := json.Marshal(v)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}

// environment is a person's home, with room for sockets.
func environment(t *testing.T) map[string]string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "o2fa-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return map[string]string{"HOME": dir, "XDG_RUNTIME_DIR": dir}
}

func resolve(t *testing.T, env map[string]string) socket.Profile {
	t.Helper()
	p, err := socket.Resolve(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newClient returns a client whose o2fad is f. The daemon that it may start
// ends with the test.
func newClient(t *testing.T, f fake) *Client {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	told, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	p := resolve(t, environment(t))
	c := &Client{Profile: &p, Daemon: exe, Environ: append(p.Environ(), fakeVariable+"="+string(told)), patience: 30 * time.Second}
	t.Cleanup(func() { endDaemon(t, p) })
	return c
}

func good() fake {
	return fake{Release: "1.0.0", API: ipc.Version, NextRelease: "1.0.0", NextAPI: ipc.Version}
}

// endDaemon ends the daemon of p, if there is one, and waits until it is gone.
func endDaemon(t *testing.T, p socket.Profile) {
	t.Helper()
	await(t, "the daemon to be gone", func() bool {
		info, held, _ := socket.ReadLock(p)
		if held && info.PID > 1 {
			syscall.Kill(info.PID, syscall.SIGKILL)
		}
		return !held
	})
}

// await waits until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	late := time.After(20 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-late:
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

// lines counts the lines of a file of the profile.
func lines(p socket.Profile, name string) int {
	data, _ := os.ReadFile(filepath.Join(p.Dir, name))
	return strings.Count(string(data), "\n")
}

// inProcess serves the profile's socket from this process, without a lock.
func inProcess(t *testing.T, serve func(net.Conn)) *Client {
	t.Helper()
	p := resolve(t, environment(t))
	l, err := p.Listen()
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() { defer conn.Close(); serve(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); group.Wait() })
	return &Client{Profile: &p, NoStart: true}
}

// inProcessHTTP is inProcess with Go's own server and the daemon's headers.
func inProcessHTTP(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	p := resolve(t, environment(t))
	l, err := p.Listen()
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(ipc.HeaderVersion, strconv.Itoa(ipc.Version))
		w.Header().Set(ipc.HeaderRelease, "1.0.0")
		w.Header().Set(ipc.HeaderProfile, p.ID)
		h(w, r)
	})}
	var group sync.WaitGroup
	group.Go(func() { server.Serve(l) })
	t.Cleanup(func() { server.Close(); group.Wait() })
	return &Client{Profile: &p, NoStart: true}
}
