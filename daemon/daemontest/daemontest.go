// Package daemontest runs a real daemon inside a test: in a directory of its
// own, with a keystore in memory, on a real socket. It knows package daemon and
// nothing of what is behind it but that keystore.
package daemontest

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/daemon"
	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/daemon/internal/keystore/keystoretest"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

// patience is how long a daemon may take to start or end.
const patience = 20 * time.Second

// Daemon is one profile with the daemon that serves it.
type Daemon struct {
	Profile socket.Profile
	Client  *client.Client // of that profile; never starts a daemon of its own
	// Config is what the next Start uses; New fills it in.
	Config daemon.Config

	cancel context.CancelFunc
	ended  chan error
}

// New returns a profile in a fresh directory, without a running daemon.
func New(tb testing.TB) *Daemon {
	tb.Helper()
	// Not tb.TempDir: its long names leave no room for a socket's 108 bytes.
	dir, err := os.MkdirTemp("", "o2fa")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	run := filepath.Join(dir, "run")
	if err := os.Mkdir(run, 0o700); err != nil {
		tb.Fatal(err)
	}
	env := map[string]string{"HOME": dir, "USERPROFILE": dir, "XDG_RUNTIME_DIR": run, "OPEN2FA_DIR": filepath.Join(dir, "profile")}
	profile, err := socket.Resolve(func(name string) string { return env[name] })
	if err != nil {
		tb.Fatal(err)
	}
	return &Daemon{
		Profile: profile,
		Client:  &client.Client{Profile: &profile, NoStart: true},
		Config: daemon.Config{
			Profile:  profile,
			Keystore: "keyring",
			Log:      slog.New(slog.NewTextHandler(io.Discard, nil)),
			Keyring:  keystore.NewMemory(),
			Cost:     keystoretest.CheapCost(tb),
		},
	}
}

// Start starts the daemon and waits until it answers. It ends with the test.
func (d *Daemon) Start(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel, d.ended = cancel, make(chan error, 1)
	ended := d.ended
	go func() { ended <- daemon.New(d.Config).Run(ctx) }()
	tb.Cleanup(func() { d.Stop(tb) })
	for deadline := time.Now().Add(patience); ; {
		if _, err := d.Client.Status(ctx); err == nil {
			return
		} else if time.Now().After(deadline) {
			tb.Fatalf("the daemon does not answer: %v", err)
		}
		select {
		case err := <-ended:
			ended <- err
			tb.Fatalf("the daemon ended: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
}

// Stop ends the daemon and waits for that. It does nothing when none runs.
func (d *Daemon) Stop(tb testing.TB) {
	tb.Helper()
	if d.cancel == nil {
		return
	}
	d.cancel()
	d.cancel = nil
	select {
	case err := <-d.ended:
		if err != nil {
			tb.Errorf("the daemon ended with: %v", err)
		}
	case <-time.After(patience):
		tb.Error("the daemon does not end")
	}
}

// Run starts a daemon in a fresh profile: New and Start in one.
func Run(tb testing.TB) *Daemon {
	tb.Helper()
	d := New(tb)
	d.Start(tb)
	return d
}

// Add adds a totp secret, given in base32, under a name.
func (d *Daemon) Add(tb testing.TB, secret, name string) ipc.AddReply {
	tb.Helper()
	reply, err := d.Client.Add(tb.Context(), ipc.AddRequest{Secret: secret, Name: name})
	if err != nil {
		tb.Fatalf("adding %s: %v", name, err)
	}
	return reply
}
