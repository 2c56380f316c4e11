//go:build unix && !darwin

package keystore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/o2fa/o2fa/internal/dbus"
)

// Names of the Secret Service, https://specifications.freedesktop.org/secret-service.
const (
	secretsName     = "org.freedesktop.secrets"
	secretsPath     = dbus.Path("/org/freedesktop/secrets")
	loginCollection = dbus.Path("/org/freedesktop/secrets/collection/login")
	serviceIface    = "org.freedesktop.Secret.Service"
	none            = dbus.Path("/") // no prompt needed, no such collection
)

// What a person can do about it; part of the error texts.
const (
	helpLocked  = "unlock it on the desktop, or set DISPLAY so that it can ask for its password"
	helpService = "install and start gnome-keyring or KWallet, or choose another keystore"
)

// dialogsInCalls: prepare has shown the dialog, if any, before go-keyring is
// asked.
const dialogsInCalls = false

// attach opens the connection that go-keyring uses. Cutting it frees a call
// that hangs, be it in a dialog.
func attach(bus string) (detach func(), err error) { return dbus.Shared(bus) }

// meaning: prepare has found the keyring and unlocked it, so what go-keyring
// says now is neither.
func meaning(error) error { return ErrFailed }

// prepare finds out, within the deadlines, whether go-keyring would get an
// answer, and returns the address of the bus where. go-keyring itself would
// start a bus where there is none and wait for ever at a locked collection.
func (k keyringStore) prepare(ctx context.Context) (bus string, err error) {
	address, err := dbus.SessionAddress(k.cfg.Getenv)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	s, prompt, err := k.unlock(ctx, address)
	if err != nil {
		return "", err
	}
	if prompt == none {
		s.conn.Close()
		return address, nil
	}
	if err := k.ask(ctx, s, prompt); err != nil {
		return "", err
	}
	// The dialog's own result tells what the person did; this tells what is so.
	if s, prompt, err = k.unlock(ctx, address); err != nil {
		return "", err
	}
	s.conn.Close()
	if prompt != none {
		return "", fmt.Errorf("%w: it still is after its dialog", ErrKeyringLocked)
	}
	return address, nil
}

// HasBus reports within a second whether there is a session bus where the
// environment says.
func HasBus(ctx context.Context, getenv func(string) string) bool {
	address, err := dbus.SessionAddress(getenv)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := dbus.Dial(ctx, address)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// unlock connects to the Secret Service and unlocks the collection where that
// takes no person; where it does, it returns the prompt that would ask. The
// caller closes the connection, and an unused prompt is gone with it.
func (k keyringStore) unlock(ctx context.Context, address string) (s secretService, prompt dbus.Path, err error) {
	limited, cancel := context.WithTimeout(ctx, k.cfg.Timeout)
	defer cancel()
	conn, err := dbus.Dial(limited, address)
	if err != nil {
		return secretService{}, "", k.absent(ctx, err)
	}
	s = secretService{conn, address}
	if err := s.start(limited); err != nil {
		conn.Close()
		return secretService{}, "", k.absent(ctx, err)
	}
	collection, err := s.collection(limited)
	if err == nil {
		prompt, err = s.unlock(limited, collection)
	}
	if err != nil {
		conn.Close()
		return secretService{}, "", k.explain(ctx, err)
	}
	return s, prompt, nil
}

// ask waits until the keyring's dialog is gone, at most for the configured
// time; it shows the dialog unless an earlier request left it open. It takes
// over the connection of s.
func (k keyringStore) ask(ctx context.Context, s secretService, prompt dbus.Path) error {
	if k.cfg.PromptTimeout < 0 || (k.cfg.Getenv("DISPLAY") == "" && k.cfg.Getenv("WAYLAND_DISPLAY") == "") {
		s.conn.Close()
		return fmt.Errorf("%w, and there is no display to ask for its password on: %s", ErrKeyringLocked, helpLocked)
	}
	k.cfg.Waiting(true)
	defer k.cfg.Waiting(false)
	if shown.open(s.address) {
		s.conn.Close()
	} else {
		brief, cancel := context.WithTimeout(ctx, k.cfg.Timeout)
		d, err := show(brief, s, prompt)
		cancel()
		if err != nil {
			return k.explain(ctx, err)
		}
		shown = d
	}
	limited, cancel := context.WithTimeout(ctx, k.cfg.PromptTimeout)
	defer cancel()
	select {
	case <-shown.done:
		return k.answer(ctx, shown)
	case <-limited.Done():
		shown.afterwards(k.cfg.Answered)
		if ctx.Err() != nil {
			return k.late(ctx, ErrBusy)
		}
		return unanswered(k.cfg.PromptTimeout)
	}
}

// answer returns what became of a dialog that is gone: nil if it was answered.
func (k keyringStore) answer(ctx context.Context, d *dialog) error {
	switch {
	case d.err != nil:
		return k.explain(ctx, d.err)
	case d.dismissed:
		return fmt.Errorf("%w: its dialog was dismissed, or could not be shown", ErrKeyringLocked)
	}
	return nil
}

// absent gives its sentinel to an error that was met before the service was
// seen on the bus: whatever it is, there is no keyring to use.
func (k keyringStore) absent(ctx context.Context, err error) error {
	switch {
	case isLate(err):
		return k.late(ctx, ErrUnavailable)
	case errors.Is(err, dbus.ErrNoService):
		return fmt.Errorf("%w: no secret service (%s): %w", ErrUnavailable, helpService, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// explain gives its sentinel to an error of a service that was seen.
func (k keyringStore) explain(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrKeyringLocked):
		return err
	case isLate(err):
		return k.late(ctx, ErrBusy)
	case errors.Is(err, dbus.ErrNoService), errors.Is(err, dbus.ErrNoBus):
		return k.absent(ctx, err) // it has left
	}
	return fmt.Errorf("%w: %w", ErrFailed, err)
}

// isLate reports whether a context ended an exchange.
func isLate(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
