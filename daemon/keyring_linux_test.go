package daemon_test

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/o2fa/o2fa/daemon/daemontest"
	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/internal/dbus/dbustest"
	"github.com/o2fa/o2fa/ipc"
)

// onBus returns a daemon, not started, that finds the OS keyring on a real bus.
func onBus(t *testing.T, getenv func(string) string) *daemontest.Daemon {
	t.Helper()
	d := daemontest.New(t)
	d.Config.Keyring, d.Config.Getenv, d.Config.Keystore = nil, getenv, "auto"
	return d
}

// TestOSKeyring goes through a day with a real gnome-keyring.
func TestOSKeyring(t *testing.T) {
	bus := dbustest.Start(t, "")
	bus.StartKeyring()
	d := onBus(t, bus.Getenv)
	d.Start(t)
	d.Add(t, rfcSecret, "github")
	s, err := d.Client.Status(t.Context())
	if err != nil || len(s.Vault.Slots) != 1 || s.Vault.Slots[0].Type != "keyring" || !s.Vault.Slots[0].Protected {
		t.Fatalf("%+v, %v", s.Vault, err)
	}

	// The key is found again without anybody.
	d.Stop(t)
	d.Start(t)
	if _, err := d.Client.Code(t.Context(), "github", 0); err != nil {
		t.Fatal(err)
	}

	// The keyring goes: what is unlocked stays so.
	bus.KillKeyring()
	if _, err := d.Client.Code(t.Context(), "github", 0); err != nil {
		t.Error(err)
	}

	// A daemon that starts without it says why, and makes no other vault.
	d.Stop(t)
	d.Start(t)
	s, err = d.Client.Status(t.Context())
	if err != nil || s.State != ipc.StateLocked || s.Problem == nil || !strings.Contains(s.Problem.Message, "keyring") ||
		!strings.Contains(s.Problem.Hint, "o2fa unlock") || strings.Contains(s.Problem.Hint, "init") {
		t.Errorf("%+v %+v, %v", s.State, s.Problem, err)
	}
	for what, err := range map[string]error{
		"code":   second(d.Client.Code(t.Context(), "github", 0)),
		"add":    second(d.Client.Add(t.Context(), ipc.AddRequest{Secret: rfcSecret, Name: "x"})),
		"unlock": second(d.Client.Unlock(t.Context(), ipc.UnlockRequest{})),
	} {
		if !errors.Is(err, ipc.ErrLocked) {
			t.Errorf("%s without the keyring: %v", what, err)
		}
	}

	bus.StartKeyring()
	if _, err := d.Client.Unlock(t.Context(), ipc.UnlockRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Client.Code(t.Context(), "github", 0); err != nil {
		t.Error(err)
	}
}

// Without a keyring nothing weaker is chosen in silence.
func TestNoKeyring(t *testing.T) {
	bus := dbustest.Start(t, "")
	for what, getenv := range map[string]func(string) string{"no bus": func(string) string { return "" }, "no service": bus.Getenv} {
		d := onBus(t, getenv)
		d.Start(t)
		for call, err := range map[string]error{
			"init": second(d.Client.Init(t.Context(), ipc.InitRequest{})),
			"add":  second(d.Client.Add(t.Context(), ipc.AddRequest{Secret: rfcSecret, Name: "x"})),
		} {
			wire := (*ipc.Error)(nil)
			if !errors.As(err, &wire) || wire.Code != ipc.CodeKeystore ||
				!strings.Contains(wire.Hint, "--keystore passphrase") || !strings.Contains(wire.Hint, "--keystore keyfile") {
				t.Errorf("%s, %s: %v", what, call, err)
			}
		}
		s, err := d.Client.Status(t.Context())
		if err != nil || s.State != ipc.StateUninitialized || s.Vault != nil {
			t.Errorf("%s: %+v, %v", what, s, err)
		}
		if _, err := d.Client.Init(t.Context(), ipc.InitRequest{Keystore: "keyfile"}); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		d.Stop(t)
	}
}

// A keyring that waits for a person holds up neither status nor refusals.
func TestWaitingForAPerson(t *testing.T) {
	display := dbustest.StartDisplay(t)
	bus := dbustest.Start(t, display)
	bus.StartKeyring()
	d := onBus(t, bus.Getenv)
	d.Start(t)
	d.Add(t, rfcSecret, "github")
	d.Stop(t)
	bus.LockKeyring()

	d.Start(t)
	until(t, func() bool {
		s, err := d.Client.Status(t.Context())
		return err == nil && s.State == ipc.StateWaiting
	})
	start := time.Now()
	if _, err := d.Client.Code(t.Context(), "github", 0); !errors.Is(err, ipc.ErrWaiting) {
		t.Errorf("code while the dialog is open: %v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	dbustest.Type(t, display, "gcr-prompter", dbustest.Password)
	until(t, func() bool {
		_, err := d.Client.Code(t.Context(), "github", 0)
		return err == nil
	})
}

// itemOf asks the keyring for the key of a vault.
func itemOf(t *testing.T, bus *dbustest.Bus, vault string) error {
	t.Helper()
	header := keystore.Header{Type: keystore.TypeKeyring}
	if _, err := hex.Decode(header.Vault[:], []byte(vault)); err != nil {
		t.Fatal(err)
	}
	_, err := keystore.NewKeyring(keystore.KeyringConfig{Getenv: bus.Getenv}).Open(t.Context(), header)
	return err
}

// A reset takes its own item from the keyring, and no other one.
func TestResetWithOSKeyring(t *testing.T) {
	bus := dbustest.Start(t, "")
	bus.StartKeyring()
	neighbour := onBus(t, bus.Getenv)
	neighbour.Start(t)
	neighbour.Add(t, rfcSecret, "github")
	for name, spoil := range map[string]func(*testing.T, *daemontest.Daemon){
		"ready":    func(*testing.T, *daemontest.Daemon) {},
		"locked":   func(t *testing.T, d *daemontest.Daemon) { check(t, second(d.Client.Lock(t.Context()))) },
		"corrupt":  func(t *testing.T, d *daemontest.Daemon) { spoilVault(t, d, func([]byte) []byte { return nil }) },
		"newer":    func(t *testing.T, d *daemontest.Daemon) { spoilVault(t, d, newer) },
		"vault.db": func(t *testing.T, d *daemontest.Daemon) { spoilVault(t, d, nil) },
		"corrupt, with a key file too": func(t *testing.T, d *daemontest.Daemon) {
			check(t, second(d.Client.Slots(t.Context(), ipc.SlotsRequest{Add: "keyfile"})))
			spoilVault(t, d, func([]byte) []byte { return nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := onBus(t, bus.Getenv)
			d.Start(t)
			d.Add(t, rfcSecret, "github")
			id := vaultID(t, d)
			if err := itemOf(t, bus, id); err != nil {
				t.Fatal(err)
			}
			spoil(t, d)
			reply := reset(t, d, vaultID(t, d))
			if err := itemOf(t, bus, id); !errors.Is(err, keystore.ErrMissing) {
				t.Errorf("the item is still there: %v", err)
			}
			if item := "the key in the OS keyring (o2fa, " + id + ")"; !slices.Contains(reply.Removed, item) {
				t.Errorf("%q", reply.Removed)
			}
			wantNothing(t, d, reply)
		})
	}
	if _, err := neighbour.Client.Unlock(t.Context(), ipc.UnlockRequest{}); err != nil {
		t.Error(err)
	}
	if err := itemOf(t, bus, vaultID(t, neighbour)); err != nil {
		t.Errorf("the neighbour's item: %v", err)
	}
}

// A keyring that cannot be reached, or not without a person who is not there,
// keeps the item and nothing else.
func TestResetWithoutTheKeyring(t *testing.T) {
	bus := dbustest.Start(t, "")
	bus.StartKeyring()
	for name, tc := range map[string]struct{ away, back func() }{
		"gone":   {bus.KillKeyring, bus.StartKeyring},
		"locked": {bus.LockKeyring, bus.UnlockKeyring},
	} {
		t.Run(name, func(t *testing.T) {
			d := onBus(t, bus.Getenv)
			d.Start(t)
			d.Add(t, rfcSecret, "github")
			id := vaultID(t, d)
			tc.away()
			reply := reset(t, d, id)
			if len(reply.Left) != 1 || !reply.Left[0].Failed || !strings.Contains(reply.Left[0].What, id) ||
				!strings.Contains(reply.Left[0].Why, "keyring is") || !strings.HasSuffix(reply.Left[0].Why, "secret-tool clear service o2fa username "+id) {
				t.Errorf("%+v", reply.Left)
			}
			if _, err := os.Stat(d.Profile.Dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", d.Profile.Dir, err)
			}
			tc.back()
			if err := itemOf(t, bus, id); err != nil {
				t.Errorf("the item that was said to be left: %v", err)
			}
		})
	}
}

// A reset that needs a person gets its way when that person answers, also where
// the daemon was asking already.
func TestResetWaitsForAPerson(t *testing.T) {
	display := dbustest.StartDisplay(t)
	bus := dbustest.Start(t, display)
	bus.StartKeyring()
	d := onBus(t, bus.Getenv)
	d.Start(t)
	d.Add(t, rfcSecret, "github")
	id := vaultID(t, d)
	d.Stop(t)
	bus.LockKeyring()
	d.Start(t)
	waiting := func() bool {
		s, err := d.Client.Status(t.Context())
		return err == nil && s.State == ipc.StateWaiting
	}
	until(t, waiting)
	done := make(chan ipc.ResetReply, 1)
	go func() {
		reply, err := d.Client.Reset(t.Context(), ipc.ResetRequest{Vault: id, Backups: true})
		if err != nil {
			t.Error(err)
		}
		done <- reply
	}()
	until(t, func() bool {
		_, err := os.Stat(d.Profile.VaultFile())
		return errors.Is(err, fs.ErrNotExist) && waiting()
	})
	dbustest.Type(t, display, "gcr-prompter", dbustest.Password)
	reply := <-done
	if len(reply.Left) != 0 {
		t.Errorf("%+v", reply.Left)
	}
	d.Stop(t)
	if n := bus.Items("o2fa"); n != 0 {
		t.Errorf("the keyring has %d items yet", n)
	}
}
