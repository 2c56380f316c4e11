package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/daemon/daemontest"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/internal/command/ptytest"
)

// The RFC 6238 secret, and the one of open2fa's documents.
const (
	rfcSecret     = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	open2faSecret = "I65VU7K5ZQL7WB4E"
)

// world is a profile with a real daemon, whose keyring is in memory, and the
// environment of a person who uses it.
type world struct {
	*daemontest.Daemon
	t   *testing.T
	env map[string]string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{daemontest.New(t), t, map[string]string{}}
	// A fixed socket: whatever a test does, o2fa starts no daemon.
	w.env["OPEN2FA_DIR"], w.env["O2FA_SOCKET"] = w.Profile.Dir, w.Profile.Socket
	return w
}

// started is newWorld with the daemon running.
func started(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.Start(t)
	return w
}

// outcome is what a call leaves behind.
type outcome struct {
	code      int
	out, errs string
}

// run calls o2fa with standard input in.
func (w *world) run(in string, args ...string) outcome {
	w.t.Helper()
	var out, errs bytes.Buffer
	code := Run(w.t.Context(), args, command.Stdio{In: strings.NewReader(in), Out: &out, Err: &errs, Getenv: w.getenv})
	return outcome{code, out.String(), errs.String()}
}

func (w *world) getenv(name string) string { return w.env[name] }

// want calls o2fa with the words of line and demands exactly that outcome.
func (w *world) want(line string, want outcome) {
	w.t.Helper()
	if got := w.run("", strings.Fields(line)...); got != want {
		w.t.Errorf("o2fa %s: exit %d\n%q\n%q\nwant %d\n%q\n%q", line, got.code, got.out, got.errs, want.code, want.out, want.errs)
	}
}

// ok calls o2fa and demands success.
func (w *world) ok(args ...string) string {
	w.t.Helper()
	got := w.run("", args...)
	if got.code != 0 {
		w.t.Fatalf("o2fa %q: exit %d\n%s%s", args, got.code, got.out, got.errs)
	}
	return got.out
}

// sit calls o2fa at a terminal, in the background. Output goes to the outcome.
func (w *world) sit(p *ptytest.Terminal, args ...string) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		var out bytes.Buffer
		code := Run(context.Background(), args, command.Stdio{In: p.Device, Out: &out, Err: p.Device, Getenv: w.getenv})
		done <- outcome{code, out.String(), ""}
	}()
	return done
}

// write puts a file into the profile.
func (w *world) write(name, text string) string {
	w.t.Helper()
	path := filepath.Join(w.Profile.Dir, name)
	if err := os.MkdirAll(w.Profile.Dir, 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// fromJSON decodes a reply that was printed as it came.
func fromJSON[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %q", err, text)
	}
	return v
}
