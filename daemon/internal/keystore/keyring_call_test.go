package keystore_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
)

// blind is a keyring that shows its dialogs, if any, without saying so.
type blind struct {
	store   keystore.Store
	dialogs bool
	start   time.Time
	told    []string // what Waiting was told, and when
}

// newBlind returns one with the default limits; promptTimeout 0 is such.
func newBlind(dialogs bool, promptTimeout time.Duration) *blind {
	b := &blind{dialogs: dialogs, start: time.Now()}
	b.store = keystore.NewKeyring(keystore.KeyringConfig{
		PromptTimeout: promptTimeout,
		Waiting:       func(waiting bool) { b.told = append(b.told, fmt.Sprint(waiting, " ", time.Since(b.start))) },
	})
	return b
}

func (b *blind) do(ctx context.Context, call func() error) error {
	return keystore.DoBlind(ctx, b.store, b.dialogs, call)
}

// check compares an outcome, its moment and what Waiting was told.
func (b *blind) check(t *testing.T, err, want error, at time.Duration, told ...string) {
	t.Helper()
	if !errors.Is(err, want) || want != keystore.ErrUnavailable && errors.Is(err, keystore.ErrUnavailable) {
		t.Errorf("%v, want %v", err, want)
	}
	if d := time.Since(b.start); d != at {
		t.Errorf("it took %v, want %v", d, at)
	}
	if !slices.Equal(b.told, told) {
		t.Errorf("Waiting was told %q, want %q", b.told, told)
	}
}

// after is a call that ends with err once d has passed.
func after(d time.Duration, err error) func() error {
	return func() error { <-time.After(d); return err }
}

func TestKeyringAnswersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBlind(true, 0)
		b.check(t, b.do(t.Context(), after(499*time.Millisecond, nil)), nil, 499*time.Millisecond)
	})
}

// TestKeyringAsksByItself: the dialog gets the time that a person needs, and
// what it brings is what comes back.
func TestKeyringAsksByItself(t *testing.T) {
	for _, want := range []error{nil, keystore.ErrMissing} {
		synctest.Test(t, func(t *testing.T) {
			b := newBlind(true, 0)
			err := b.do(t.Context(), after(90*time.Second, want))
			b.check(t, err, want, 90*time.Second, "true 500ms", "false 1m30s")
		})
	}
}

// TestKeyringAsksInVain: a dialog that nobody answers is a locked keyring, not
// a missing one. Until it is gone the keyring is busy.
func TestKeyringAsksInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBlind(true, 0)
		answered := make(chan struct{})
		err := b.do(t.Context(), func() error { <-answered; return nil })
		b.check(t, err, keystore.ErrKeyringLocked, 2*time.Minute, "true 500ms", "false 2m0s")
		if !strings.Contains(err.Error(), "within 2m0s") {
			t.Error(err)
		}
		err = b.do(t.Context(), after(0, nil))
		b.check(t, err, keystore.ErrBusy, 2*time.Minute, b.told...)
		close(answered)
		synctest.Wait()
		if err := b.do(t.Context(), after(0, nil)); err != nil {
			t.Errorf("after the answer: %v", err)
		}
	})
}

func TestKeyringAsksAndCallerGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBlind(true, 0)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		err := b.do(ctx, after(time.Minute, nil))
		b.check(t, err, context.DeadlineExceeded, 3*time.Second, "true 500ms", "false 3s")
		if errors.Is(err, keystore.ErrKeyringLocked) {
			t.Error(err)
		}
		<-time.After(time.Minute) // the slot is everybody's
	})
}

// TestKeyringWithoutTimeForDialogs: where no dialog is wanted the limit of a
// call without one holds.
func TestKeyringWithoutTimeForDialogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBlind(true, -1)
		err := b.do(t.Context(), after(time.Minute, nil))
		b.check(t, err, keystore.ErrKeyringLocked, 5*time.Second, "true 500ms", "false 5s")
		<-time.After(time.Minute)
	})
}

// TestKeyringSilent: where dialogs are shown beforehand, as on Linux, a call
// that is late met none.
func TestKeyringSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBlind(false, 0)
		b.check(t, b.do(t.Context(), after(time.Minute, nil)), keystore.ErrBusy, 5*time.Second)
		<-time.After(time.Minute)
	})
}

// TestSentinels: only a keyring that is not there is unavailable.
func TestSentinels(t *testing.T) {
	_, undecodable := base64.StdEncoding.DecodeString("!")
	for err, want := range map[error]error{
		keyring.ErrNotFound:                      keystore.ErrMissing,
		keyring.ErrUnsupportedPlatform:           keystore.ErrUnavailable,
		undecodable:                              keystore.ErrDamaged,
		errors.New("the keyring's disk is full"): keystore.ErrFailed,
	} {
		if got := keystore.Sentinel(err); !errors.Is(got, want) || want != keystore.ErrUnavailable && errors.Is(got, keystore.ErrUnavailable) {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
	if err := keystore.Sentinel(nil); err != nil {
		t.Error(err)
	}
}
