//go:build unix && !darwin

package keystore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/o2fa/o2fa/internal/dbus"
)

// Names of the Secret Service, https://specifications.freedesktop.org/secret-service.
const (
	secretsName     = "org.freedesktop.secrets"
	secretsPath     = dbus.Path("/org/freedesktop/secrets")
	loginCollection = dbus.Path("/org/freedesktop/secrets/collection/login")
	serviceIface    = "org.freedesktop.Secret.Service"
	promptIface     = "org.freedesktop.Secret.Prompt"
	none            = dbus.Path("/") // no prompt needed, no such collection
)

// dismissTimeout bounds the last word to a keyring that was given up.
const dismissTimeout = time.Second

// What a person can do about it; part of the error texts.
const (
	helpLocked  = "unlock it on the desktop, or set DISPLAY so that it can ask for its password"
	helpService = "install and start gnome-keyring or KWallet, or choose another keystore"
)

// attach opens the connection that go-keyring uses. Cutting it frees a call
// that hangs in a dialog, and the dialog goes with it.
func attach(bus string) (detach func(), err error) { return dbus.Shared(bus) }

// isLocked: prepare has unlocked the keyring, so another reason is likelier.
func isLocked(error) bool { return false }

// secretService is the Secret Service on a connection of our own.
type secretService struct{ conn *dbus.Conn }

// prepare finds out, within the deadlines, whether go-keyring would get an
// answer, and returns the address of the bus where. go-keyring itself would
// start a bus where there is none and wait for ever at a locked collection.
func (k keyringStore) prepare(ctx context.Context) (bus string, err error) {
	address, err := dbus.SessionAddress(k.cfg.Getenv)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	limited, cancel := context.WithTimeout(ctx, k.cfg.Timeout)
	defer cancel()
	conn, err := dbus.Dial(limited, address)
	if err != nil {
		return "", k.explain(ctx, err)
	}
	defer conn.Close()
	s := secretService{conn}
	collection, err := s.collection(limited)
	if err != nil {
		return "", k.explain(ctx, err)
	}
	prompt, err := s.unlock(limited, collection)
	if err != nil {
		return "", k.explain(ctx, err)
	}
	if prompt == none {
		return address, nil
	}
	if err := k.ask(ctx, s, prompt); err != nil {
		return "", err
	}
	// Completed tells what the dialog says; only this tells what is so.
	again, cancel := context.WithTimeout(ctx, k.cfg.Timeout)
	defer cancel()
	switch prompt, err = s.unlock(again, collection); {
	case err != nil:
		return "", k.explain(ctx, err)
	case prompt != none:
		return "", fmt.Errorf("%w: it still is after its dialog", ErrKeyringLocked)
	}
	return address, nil
}

// explain gives an error of the pre-check its sentinel.
func (k keyringStore) explain(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrKeyringLocked):
		return err
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return k.late(ctx, "answer")
	case errors.Is(err, dbus.ErrNoService):
		return fmt.Errorf("%w: no secret service (%s): %w", ErrUnavailable, helpService, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// collection starts the service if need be and returns the collection that
// go-keyring would use: login, else the default one.
func (s secretService) collection(ctx context.Context) (dbus.Path, error) {
	var started uint32
	if err := s.conn.Bus().Call(ctx, dbus.BusName+".StartServiceByName", secretsName, uint32(0)).Store(&started); err != nil {
		return "", err
	}
	var collections []dbus.Path
	if err := s.service().Property(ctx, serviceIface, "Collections", &collections); err != nil {
		return "", err
	}
	if slices.Contains(collections, loginCollection) {
		return loginCollection, nil
	}
	var path dbus.Path
	if err := s.service().Call(ctx, serviceIface+".ReadAlias", "default").Store(&path); err != nil {
		return "", err
	}
	if path == none {
		return "", fmt.Errorf("%w: it has no default collection (make one with seahorse, or log in to the desktop once)", ErrUnavailable)
	}
	return path, nil
}

// unlock unlocks collection where that takes no person, and returns the prompt
// where it does. The property Locked would not do: gnome-keyring calls a
// keyring without password locked until its first use.
func (s secretService) unlock(ctx context.Context, collection dbus.Path) (prompt dbus.Path, err error) {
	var unlocked []dbus.Path
	err = s.service().Call(ctx, serviceIface+".Unlock", []dbus.Path{collection}).Store(&unlocked, &prompt)
	if err == nil && prompt == none && len(unlocked) == 0 {
		return "", fmt.Errorf("%w: it refuses to unlock %s", ErrKeyringLocked, collection)
	}
	return prompt, err
}

func (s secretService) service() dbus.Object { return s.conn.Object(secretsName, secretsPath) }

// ask shows the keyring's dialog and waits until it is gone, at most for the
// configured time.
func (k keyringStore) ask(ctx context.Context, s secretService, prompt dbus.Path) error {
	if k.cfg.PromptTimeout < 0 || (k.cfg.Getenv("DISPLAY") == "" && k.cfg.Getenv("WAYLAND_DISPLAY") == "") {
		s.dismiss(ctx, prompt)
		return fmt.Errorf("%w, and there is no display to ask for its password on: %s", ErrKeyringLocked, helpLocked)
	}
	k.cfg.Waiting(true)
	defer k.cfg.Waiting(false)
	limited, cancel := context.WithTimeout(ctx, k.cfg.PromptTimeout)
	defer cancel()
	dismissed, err := s.prompt(limited, prompt)
	switch {
	case err == nil && !dismissed:
		return nil
	case err == nil:
		return fmt.Errorf("%w: its dialog was dismissed", ErrKeyringLocked)
	}
	s.dismiss(ctx, prompt)
	switch {
	case ctx.Err() != nil:
		return k.late(ctx, "")
	case limited.Err() != nil:
		return fmt.Errorf("%w: nobody answered its dialog within %v", ErrKeyringLocked, k.cfg.PromptTimeout)
	}
	return k.explain(ctx, err)
}

// prompt runs the dialog and reports whether it was dismissed.
func (s secretService) prompt(ctx context.Context, prompt dbus.Path) (dismissed bool, err error) {
	signals, err := s.conn.Signals(ctx,
		dbus.Match{Sender: secretsName, Interface: promptIface},
		dbus.Match{Sender: dbus.BusName, Interface: dbus.BusName, Arg0: secretsName})
	if err != nil {
		return false, err
	}
	const noWindow = "" // the dialog belongs to no window of ours
	if err := s.conn.Object(secretsName, prompt).Call(ctx, promptIface+".Prompt", noWindow).Store(); err != nil {
		return false, err
	}
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case signal, ok := <-signals:
			switch {
			case !ok:
				return false, dbus.ErrNoBus
			case signal.Name == promptIface+".Completed" && signal.Path == prompt && len(signal.Body) > 0:
				dismissed, _ := signal.Body[0].(bool)
				return dismissed, nil
			case lostOwner(signal, secretsName):
				return false, fmt.Errorf("%w: it ended while it asked", dbus.ErrNoService)
			}
		}
	}
}

// lostOwner reports whether signal says that name has no owner any more.
func lostOwner(signal *dbus.Signal, name string) bool {
	if signal.Name != dbus.BusName+".NameOwnerChanged" || len(signal.Body) != 3 {
		return false
	}
	return signal.Body[0] == name && signal.Body[2] == ""
}

// dismiss takes the dialog away, also when ctx has ended.
func (s secretService) dismiss(ctx context.Context, prompt dbus.Path) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dismissTimeout)
	defer cancel()
	// The dialog ends with our connection anyway: this is only politer.
	_ = s.conn.Object(secretsName, prompt).Call(ctx, promptIface+".Dismiss").Store()
}
