//go:build linux

package keystore_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/internal/dbus/dbustest"
)

// prompterClass is the window class of gnome-keyring's dialog.
const prompterClass = "gcr-prompter"

// lockedOnDisplay returns a private, locked keyring with a display, a store on
// it whose waiting hook feeds a channel, and a slot.
func lockedOnDisplay(t *testing.T, cfg keystore.KeyringConfig) (fixture struct {
	bus     *dbustest.Bus
	display string
	store   keystore.Store
	waiting chan bool
	late    chan struct{} // holds a notice that the dialog was answered after all
	header  keystore.Header
}) {
	t.Helper()
	fixture.display = dbustest.StartDisplay(t)
	fixture.bus = dbustest.Start(t, fixture.display)
	fixture.bus.StartKeyring()
	fixture.header, _ = create(t, onBus(fixture.bus), newVault())
	fixture.bus.LockKeyring()
	fixture.waiting = make(chan bool, 8)
	cfg.Getenv = fixture.bus.Getenv
	cfg.Waiting = func(waiting bool) { fixture.waiting <- waiting }
	fixture.late = make(chan struct{}, 1)
	cfg.Answered = func() { fixture.late <- struct{}{} }
	fixture.store = keystore.NewKeyring(cfg)
	return fixture
}

func TestKeyringDialogAnswered(t *testing.T) {
	f := lockedOnDisplay(t, keystore.KeyringConfig{})
	result := make(chan error, 1)
	go func() {
		_, err := f.store.Open(t.Context(), f.header)
		result <- err
	}()
	if !<-f.waiting {
		t.Fatal("the hook said that nobody waits")
	}
	dbustest.WaitWindow(t, f.display, prompterClass, true)
	if _, err := f.store.Open(t.Context(), f.header); !errors.Is(err, keystore.ErrBusy) {
		t.Errorf("a second request during the dialog: %v, want ErrBusy", err)
	}
	dbustest.Type(t, f.display, prompterClass, dbustest.Password)
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	if <-f.waiting {
		t.Error("the hook still says waiting")
	}
	if f.bus.KeyringLocked() {
		t.Error("the keyring is locked")
	}
}

// TestKeyringDialogNotAnswered: the wait ends, the dialog stays, a later request
// waits for the same dialog, and an answer that comes late counts.
func TestKeyringDialogNotAnswered(t *testing.T) {
	f := lockedOnDisplay(t, keystore.KeyringConfig{PromptTimeout: short})
	opens(t, f.store, f.header, keystore.ErrKeyringLocked, "nobody answered")
	if !<-f.waiting || <-f.waiting {
		t.Error("the hook was not called with true, then false")
	}
	dbustest.WaitWindow(t, f.display, prompterClass, true)
	goroutines := settled(t, runtime.NumGoroutine())
	for range 100 {
		opens(t, f.store, f.header, keystore.ErrKeyringLocked, "nobody answered")
		if !<-f.waiting || <-f.waiting {
			t.Error("the hook was not called with true, then false")
		}
	}
	if n := len(dbustest.Windows(t, f.display, prompterClass)); n != 1 {
		t.Errorf("%d dialogs", n)
	}
	dbustest.Eventually(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	if !f.bus.KeyringLocked() || len(f.late) != 0 {
		t.Fatal("the keyring is unlocked, or was said to be")
	}
	dbustest.Type(t, f.display, prompterClass, dbustest.Password)
	dbustest.WaitWindow(t, f.display, prompterClass, false)
	<-f.late
	if f.bus.KeyringLocked() {
		t.Fatal("the keyring is locked")
	}
	open(t, f.store, f.header)
	if len(f.waiting) != 0 {
		t.Error("there was another dialog")
	}
	dbustest.Eventually(t, "the dialog's goroutines to end", func() bool { return runtime.NumGoroutine() < goroutines })
}

// TestKeyringDialogDismissed: the person presses Escape, and is asked again at
// the next request.
func TestKeyringDialogDismissed(t *testing.T) {
	f := lockedOnDisplay(t, keystore.KeyringConfig{})
	for range 2 {
		result := make(chan error, 1)
		go func() {
			_, err := f.store.Open(t.Context(), f.header)
			result <- err
		}()
		<-f.waiting
		dbustest.WaitWindow(t, f.display, prompterClass, true)
		dbustest.Press(t, f.display, "Escape")
		err := <-result
		if !errors.Is(err, keystore.ErrKeyringLocked) || errors.Is(err, keystore.ErrUnavailable) || !strings.Contains(err.Error(), "dismissed") {
			t.Fatalf("%v, want ErrKeyringLocked alone", err)
		}
		<-f.waiting
		dbustest.WaitWindow(t, f.display, prompterClass, false)
	}
}

// TestKeyringDialogCallerGivesUp: the caller's context ends during the dialog.
func TestKeyringDialogCallerGivesUp(t *testing.T) {
	f := lockedOnDisplay(t, keystore.KeyringConfig{})
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, err := f.store.Open(ctx, f.header)
		result <- err
	}()
	<-f.waiting
	dbustest.WaitWindow(t, f.display, prompterClass, true)
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, want canceled", err)
	}
	dbustest.Type(t, f.display, prompterClass, dbustest.Password)
	dbustest.WaitWindow(t, f.display, prompterClass, false)
	open(t, f.store, f.header)
}

func TestKeyringDialogForbidden(t *testing.T) {
	f := lockedOnDisplay(t, keystore.KeyringConfig{PromptTimeout: -1})
	before := len(f.bus.Processes())
	opens(t, f.store, f.header, keystore.ErrKeyringLocked, "")
	if len(f.waiting) != 0 || len(f.bus.Processes()) != before {
		t.Error("a dialog was begun")
	}
}

// TestKeyringDialogEndsWithKeyring: the daemon dies while it asks.
func TestKeyringDialogEndsWithKeyring(t *testing.T) {
	f := lockedOnDisplay(t, keystore.KeyringConfig{})
	result := make(chan error, 1)
	go func() {
		_, err := f.store.Open(t.Context(), f.header)
		result <- err
	}()
	<-f.waiting
	dbustest.WaitWindow(t, f.display, prompterClass, true)
	f.bus.KillKeyring()
	if err := <-result; !errors.Is(err, keystore.ErrUnavailable) {
		t.Errorf("%v, want ErrUnavailable", err)
	}
}

// TestKeyringLockedBetween: the keyring is locked after the pre-check, so that
// go-keyring itself shows the dialog. It is cut off; the dialog can be answered
// all the same.
func TestKeyringLockedBetween(t *testing.T) {
	f := lockedOnDisplay(t, keystore.KeyringConfig{Timeout: 2 * time.Second})
	f.bus.UnlockKeyring()
	goroutines := settled(t, runtime.NumGoroutine())
	err := keystore.Do(t.Context(), f.store, func() error {
		f.bus.LockKeyring()
		_, err := keyring.Get("o2fa", "whoever")
		return err
	})
	if !errors.Is(err, keystore.ErrBusy) {
		t.Errorf("%v, want ErrBusy", err)
	}
	dbustest.Eventually(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	dbustest.Type(t, f.display, prompterClass, dbustest.Password)
	dbustest.WaitWindow(t, f.display, prompterClass, false)
	open(t, f.store, f.header)
}
