package cli

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/o2fa/o2fa"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

// serve stands in for a daemon where a test wants replies that a real one gives
// only in trouble. It returns its socket.
func serve(t *testing.T, answer func(*http.Request) (status int, body string)) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "o2fa") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	addr := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", addr)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		status, body := answer(r)
		h := rw.Header()
		h.Set("Content-Length", strconv.Itoa(len(body)))
		h.Set(ipc.HeaderVersion, strconv.Itoa(ipc.Version))
		h.Set(ipc.HeaderRelease, o2fa.Version())
		h.Set(ipc.HeaderProfile, r.Header.Get(ipc.HeaderProfile))
		rw.WriteHeader(status)
		fmt.Fprint(rw, body)
	})}
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(listener) }()
	t.Cleanup(func() { server.Close(); <-done })
	return addr
}

// served returns what o2fa prints for a reply.
func served(t *testing.T, reply any, args ...string) string {
	t.Helper()
	raw, err := json.Marshal(reply)
	if err != nil {
		t.Fatal(err)
	}
	addr := serve(t, func(*http.Request) (int, string) { return 200, string(raw) })
	env := map[string]string{"OPEN2FA_DIR": t.TempDir(), "O2FA_SOCKET": addr}
	var out, errs strings.Builder
	code := Run(t.Context(), args, command.Stdio{In: strings.NewReader(""), Out: &out, Err: &errs,
		Getenv: func(name string) string { return env[name] }})
	if code != 0 {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	return out.String()
}
