//go:build linux

package keystore_test

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/internal/dbus"
	"github.com/o2fa/o2fa/internal/dbus/dbustest"
)

// short is a deadline for what is known not to answer.
const short = 300 * time.Millisecond

func TestConformKeyring(t *testing.T) {
	b := dbustest.Start(t, "")
	b.StartKeyring()
	conform(t, subject{
		kind:     keystore.TypeKeyring,
		open:     func(t *testing.T) keystore.Store { return onBus(b) },
		forgets:  true,
		mayBeOne: true,
	})
}

// TestKeyringByUsualPlace finds the bus without its variable.
func TestKeyringByUsualPlace(t *testing.T) {
	b := dbustest.Start(t, "")
	b.StartKeyring()
	s := keystore.NewKeyring(keystore.KeyringConfig{Getenv: only("XDG_RUNTIME_DIR", b.Getenv("XDG_RUNTIME_DIR"))})
	h, key := create(t, s, newVault())
	if !open(t, s, h).Equal(key) {
		t.Error("another key came back")
	}
}

func TestKeyringLockedWithoutDisplay(t *testing.T) {
	b := dbustest.Start(t, "")
	b.StartKeyring()
	s := onBus(b)
	h, key := create(t, s, newVault())
	b.LockKeyring()
	before := len(b.Processes())
	opens(t, s, h, keystore.ErrKeyringLocked, "no display")
	if _, _, err := s.Create(t.Context(), newVault()); !errors.Is(err, keystore.ErrKeyringLocked) {
		t.Errorf("Create: %v, want ErrKeyringLocked", err)
	}
	if err := s.Remove(t.Context(), h); !errors.Is(err, keystore.ErrKeyringLocked) {
		t.Errorf("Remove: %v, want ErrKeyringLocked", err)
	}
	if n := len(b.Processes()); n != before {
		t.Errorf("%d processes, before %d", n, before)
	}
	b.UnlockKeyring()
	if !open(t, s, h).Equal(key) {
		t.Error("another key came back")
	}
}

// TestKeyringHundredTries: whatever is missing, nothing grows by asking again.
func TestKeyringHundredTries(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*dbustest.Bus)
		env   string // a variable that is not set
		want  error
		text  string
	}{
		"locked":          {(*dbustest.Bus).LockKeyring, "", keystore.ErrKeyringLocked, "no display"},
		"item deleted":    {func(b *dbustest.Bus) { b.DeleteItems("o2fa") }, "", keystore.ErrMissing, "it was deleted"},
		"keyring reset":   {(*dbustest.Bus).ResetKeyring, "", keystore.ErrMissing, "it was deleted"},
		"service missing": {(*dbustest.Bus).KillKeyring, "", keystore.ErrUnavailable, "no secret service"},
		"bus ended":       {(*dbustest.Bus).Stop, "", keystore.ErrUnavailable, "no session bus"},
		"bus missing":     {func(*dbustest.Bus) {}, "DBUS_SESSION_BUS_ADDRESS", keystore.ErrUnavailable, "no session bus"},
	} {
		t.Run(name, func(t *testing.T) {
			b := dbustest.Start(t, "")
			b.StartKeyring()
			h, _ := create(t, onBus(b), newVault())
			c.spoil(b)
			empty := t.TempDir()
			s := keystore.NewKeyring(keystore.KeyringConfig{Getenv: func(name string) string {
				switch {
				case c.env == "":
					return b.Getenv(name)
				case name == "XDG_RUNTIME_DIR":
					return empty
				}
				return ""
			}})
			opens(t, s, h, c.want, c.text)
			goroutines, processes, files := settled(t, runtime.NumGoroutine()), len(b.Processes()), openFiles(t)
			for range 100 {
				opens(t, s, h, c.want, c.text)
			}
			dbustest.Eventually(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
			dbustest.Eventually(t, "processes to end", func() bool { return len(b.Processes()) <= processes })
			if n := openFiles(t); n > files {
				t.Errorf("%d open files, before %d", n, files)
			}
		})
	}
}

func TestKeyringServiceMissing(t *testing.T) {
	b := dbustest.Start(t, "")
	opensNew(t, onBus(b), keystore.ErrUnavailable, "no secret service")
}

func TestKeyringWithoutCollection(t *testing.T) {
	b := dbustest.Start(t, "")
	b.StartKeyringLocked() // the first start, without a password: there is no collection
	opensNew(t, onBus(b), keystore.ErrUnavailable, "no default collection")
}

func TestKeyringBusMissing(t *testing.T) {
	path := t.TempDir()
	launched := trapDBusLaunch(t)
	for name, getenv := range map[string]func(string) string{
		"nothing set": only("XDG_RUNTIME_DIR", path),
		"autolaunch": func(name string) string {
			return map[string]string{"DBUS_SESSION_BUS_ADDRESS": "autolaunch:", "XDG_RUNTIME_DIR": path}[name]
		},
	} {
		s := keystore.NewKeyring(keystore.KeyringConfig{Getenv: getenv})
		opensNew(t, s, keystore.ErrUnavailable, "DBUS_SESSION_BUS_ADDRESS is not set")
		if _, err := os.Stat(launched); err == nil {
			t.Fatalf("%s: dbus-launch was run", name)
		}
	}
}

func TestKeyringBadAddress(t *testing.T) {
	launched := trapDBusLaunch(t)
	for _, address := range []string{
		"unix:path=/nonexistent/bus", "unix:", "nonsense", "disabled:", "unix:path=" + t.TempDir(), ";", "unix:path=%zz",
	} {
		s := keystore.NewKeyring(keystore.KeyringConfig{Getenv: only("DBUS_SESSION_BUS_ADDRESS", address)})
		opensNew(t, s, keystore.ErrUnavailable, "no session bus")
	}
	if _, err := os.Stat(launched); err == nil {
		t.Error("dbus-launch was run")
	}
}

func TestKeyringDaemonKilled(t *testing.T) {
	b := dbustest.Start(t, "")
	b.StartKeyring()
	s := onBus(b)
	h, key := create(t, s, newVault())
	b.KillKeyring()
	opens(t, s, h, keystore.ErrUnavailable, "no secret service")
	b.StartKeyring()
	if !open(t, s, h).Equal(key) {
		t.Error("another key came back")
	}
}

func TestKeyringBusKilled(t *testing.T) {
	b := dbustest.Start(t, "")
	b.StartKeyring()
	s := onBus(b)
	h, _ := create(t, s, newVault())
	b.Stop()
	opens(t, s, h, keystore.ErrUnavailable, "no session bus")
}

func TestKeyringFrozen(t *testing.T) {
	b := dbustest.Start(t, "")
	b.StartKeyring()
	s := keystore.NewKeyring(keystore.KeyringConfig{Getenv: b.Getenv, Timeout: short})
	h, key := create(t, onBus(b), newVault())
	for name, c := range map[string]struct {
		stop, thaw func()
		want       error
	}{
		"keyring": {b.FreezeKeyring, b.ThawKeyring, keystore.ErrBusy}, // it is there
		"bus":     {b.Freeze, b.Thaw, keystore.ErrUnavailable},        // nobody knows
	} {
		c.stop()
		opens(t, s, h, c.want, "did not answer within 300ms")
		c.thaw()
		if !open(t, onBus(b), h).Equal(key) {
			t.Errorf("%s: another key came back", name)
		}
	}
}

func TestKeyringItemDeleted(t *testing.T) {
	b := dbustest.Start(t, "")
	b.StartKeyring()
	s := onBus(b)
	h, key := create(t, s, newVault())
	item(t, b, func() error { return keyring.Delete("o2fa", hex.EncodeToString(h.Vault[:])) })
	_, err := s.Open(t.Context(), h)
	if !errors.Is(err, keystore.ErrMissing) {
		t.Errorf("Open: %v, want ErrMissing", err)
	}
	noSecret(t, err, key)
}

func TestKeyringValueDamaged(t *testing.T) {
	b := dbustest.Start(t, "")
	b.StartKeyring()
	s := onBus(b)
	h, key := create(t, s, newVault())
	name := hex.EncodeToString(h.Vault[:])
	var value string
	item(t, b, func() (err error) { value, err = keyring.Get("o2fa", name); return err })
	if !strings.HasPrefix(value, "o2fa1:") {
		t.Error("the value is not marked")
	}
	for _, damaged := range []string{value[1:], value[:len(value)-1], value + "\n", "o2fa2:" + value[6:], "o2fa1:!" + value[7:], ""} {
		item(t, b, func() error { return keyring.Set("o2fa", name, damaged) })
		_, err := s.Open(t.Context(), h)
		if !errors.Is(err, keystore.ErrDamaged) {
			t.Fatalf("Open: %v, want ErrDamaged", err)
		}
		noSecret(t, err, key)
		if _, _, err := s.Create(t.Context(), h.Vault); !errors.Is(err, keystore.ErrExists) {
			t.Errorf("Create over a damaged item: %v, want ErrExists", err)
		}
	}
}

// TestKeyringHangsInGoKeyring: the keyring stops answering after the pre-check.
func TestKeyringHangsInGoKeyring(t *testing.T) {
	b := dbustest.Start(t, "")
	b.StartKeyring()
	h, key := create(t, onBus(b), newVault())
	goroutines := settled(t, runtime.NumGoroutine())
	s := keystore.NewKeyring(keystore.KeyringConfig{Getenv: b.Getenv, Timeout: short})
	err := keystore.Do(t.Context(), s, func() error {
		b.FreezeKeyring()
		_, err := keyring.Get("o2fa", "whoever")
		return err
	})
	if !errors.Is(err, keystore.ErrBusy) || errors.Is(err, keystore.ErrUnavailable) || !strings.Contains(err.Error(), "did not answer") {
		t.Errorf("%v, want ErrBusy", err)
	}
	b.ThawKeyring()
	if !open(t, onBus(b), h).Equal(key) { // at once: the slot is free
		t.Error("another key came back")
	}
	dbustest.Eventually(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
}

// TestKeyringNeverEnds: a call that nothing frees keeps the slot, alone.
func TestKeyringNeverEnds(t *testing.T) {
	b := dbustest.Start(t, "")
	b.StartKeyring()
	h, key := create(t, onBus(b), newVault())
	goroutines := settled(t, runtime.NumGoroutine())
	s := keystore.NewKeyring(keystore.KeyringConfig{Getenv: b.Getenv, Timeout: short})
	hang := make(chan struct{})
	err := keystore.Do(t.Context(), s, func() error { <-hang; return nil })
	if !errors.Is(err, keystore.ErrBusy) || !strings.Contains(err.Error(), "did not answer") {
		t.Errorf("%v, want ErrBusy", err)
	}
	for range 100 {
		start := time.Now()
		if _, err := onBus(b).Open(t.Context(), h); !errors.Is(err, keystore.ErrBusy) { // another store, the same slot
			t.Fatalf("%v, want ErrBusy", err)
		}
		if d := time.Since(start); d > short {
			t.Errorf("ErrBusy took %v", d)
		}
	}
	dbustest.Eventually(t, "all but one goroutine to end", func() bool { return runtime.NumGoroutine() <= goroutines+1 })
	close(hang)
	var opened bool
	dbustest.Eventually(t, "the slot to be free", func() bool {
		got, err := onBus(b).Open(t.Context(), h)
		opened = err == nil && got.Equal(key)
		return opened || !errors.Is(err, keystore.ErrBusy)
	})
	if !opened {
		t.Error("the key did not come back")
	}
}

func TestKeyringCallerGivesUp(t *testing.T) {
	b := dbustest.Start(t, "")
	b.StartKeyring()
	s := onBus(b)
	h, key := create(t, s, newVault())
	b.FreezeKeyring()
	ctx, cancel := context.WithTimeout(t.Context(), short)
	defer cancel()
	if _, err := s.Open(ctx, h); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the caller's deadline", err)
	}
	b.ThawKeyring()
	if !open(t, s, h).Equal(key) {
		t.Error("another key came back")
	}
}

// onBus returns a keyring store on b with the default limits.
func onBus(b *dbustest.Bus) keystore.Store {
	return keystore.NewKeyring(keystore.KeyringConfig{Getenv: b.Getenv})
}

// only is an environment of one variable.
func only(name, value string) func(string) string {
	return func(n string) string {
		if n == name {
			return value
		}
		return ""
	}
}

// opens checks that Open fails as it should and soon.
func opens(t *testing.T, s keystore.Store, h keystore.Header, want error, text string) {
	t.Helper()
	start := time.Now()
	_, err := s.Open(t.Context(), h)
	if !errors.Is(err, want) || !strings.Contains(err.Error(), text) {
		t.Fatalf("Open: %v, want %v with %q", err, want, text)
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("Open took %v to fail", d)
	}
}

// opensNew is opens for a store that never held a key, and the same for Create.
func opensNew(t *testing.T, s keystore.Store, want error, text string) {
	t.Helper()
	opens(t, s, keystore.Header{Type: keystore.TypeKeyring}, want, text)
	if _, _, err := s.Create(t.Context(), newVault()); !errors.Is(err, want) {
		t.Errorf("Create: %v, want %v", err, want)
	}
}

// item changes an item of b's keyring behind the store's back.
func item(t *testing.T, b *dbustest.Bus, change func() error) {
	t.Helper()
	detach, err := dbus.Shared(b.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer detach()
	if err := change(); err != nil {
		t.Fatal(err)
	}
}

// settled returns the number of goroutines once it no longer falls.
func settled(t *testing.T, n int) int {
	t.Helper()
	same := 0
	dbustest.Eventually(t, "goroutines to settle", func() bool {
		if now := runtime.NumGoroutine(); now < n {
			n, same = now, 0
		}
		same++
		return same > 20
	})
	return n
}

func openFiles(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// trapDBusLaunch puts a dbus-launch first in PATH and returns the file that it
// leaves when it is run.
func trapDBusLaunch(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	mark := filepath.Join(dir, "launched")
	script := "#!/bin/sh\n: >'" + mark + "'\nexit 1\n"
	if err := os.WriteFile(filepath.Join(dir, "dbus-launch"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return mark
}
