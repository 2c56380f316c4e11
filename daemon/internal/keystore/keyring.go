package keystore

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/o2fa/o2fa/internal/secret"
)

// service is the name under which the keyring files our items; their user is
// the id of the vault.
const service = "o2fa"

// The limits where KeyringConfig gives none.
const (
	defaultTimeout       = 5 * time.Second
	defaultPromptTimeout = 2 * time.Minute
)

// KeyringConfig says how to talk to the keyring.
type KeyringConfig struct {
	// Timeout bounds each exchange with the keyring in which no person has a
	// part; 0 is five seconds.
	Timeout time.Duration
	// PromptTimeout bounds the wait for a person to answer the keyring's
	// dialog; 0 is two minutes, less than 0 never shows one. On Linux the
	// dialog needs DISPLAY or WAYLAND_DISPLAY. It stays on the screen after the
	// wait, and the next request waits for the same one.
	PromptTimeout time.Duration
	// Waiting, if set, is called with true before a request waits for that
	// dialog and with false when it no longer does.
	Waiting func(waiting bool)
	// Getenv reads the environment in which the session bus and the display are
	// named. Required on Linux.
	Getenv func(string) string
}

type keyringStore struct{ cfg KeyringConfig }

// NewKeyring returns a store that keeps one item per vault in the OS keyring:
// the Secret Service on Linux, the Keychain on macOS, the Credential Manager on
// Windows.
//
// One request runs at a time in the process; another one meanwhile gets
// ErrBusy at once.
func NewKeyring(cfg KeyringConfig) Store {
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.PromptTimeout == 0 {
		cfg.PromptTimeout = defaultPromptTimeout
	}
	if cfg.Waiting == nil {
		cfg.Waiting = func(bool) {}
	}
	if cfg.Getenv == nil {
		cfg.Getenv = func(string) string { return "" }
	}
	return keyringStore{cfg}
}

func (k keyringStore) Create(ctx context.Context, vault [16]byte) (Header, secret.Bytes, error) {
	h, key := newHeader(TypeKeyring, vault), newKey()
	err := k.do(ctx, func(ctx context.Context) error { return createItem(ctx, vault, key) })
	if err != nil {
		// key is not wiped: a call that outlived its deadline may be reading it.
		return Header{}, secret.Bytes{}, fmt.Errorf("creating keyring item: %w", err)
	}
	return h, key, nil
}

func (k keyringStore) Open(ctx context.Context, h Header) (secret.Bytes, error) {
	if err := checkType(h, TypeKeyring); err != nil {
		return secret.Bytes{}, err
	}
	found := make(chan secret.Bytes, 1) // a late answer must not race with our return
	err := k.do(ctx, func(context.Context) error {
		key, err := readItem(h.Vault)
		found <- key
		return err
	})
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("reading keyring item: %w", err)
	}
	return <-found, nil
}

func (k keyringStore) Remove(ctx context.Context, h Header) error {
	if err := checkType(h, TypeKeyring); err != nil {
		return err
	}
	err := k.do(ctx, func(context.Context) error { return sentinel(keyring.Delete(service, user(h.Vault))) })
	if err != nil {
		return fmt.Errorf("removing keyring item: %w", err)
	}
	return nil
}

// user returns the user name of the item of vault.
func user(vault [16]byte) string { return hex.EncodeToString(vault[:]) }

// createItem stores key for vault and reads it back. go-keyring replaces an
// item silently, so it looks first. It asks go-keyring nothing more once ctx has
// ended: that would open a new connection, which nobody cuts off. An item that
// was written by then stays; no slot uses it.
func createItem(ctx context.Context, vault [16]byte, key secret.Bytes) error {
	switch _, err := keyring.Get(service, user(vault)); {
	case err == nil:
		return fmt.Errorf("%w: item %s of service %s", ErrExists, user(vault), service)
	case !errors.Is(err, keyring.ErrNotFound):
		return sentinel(err)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	// The value becomes a string here and is copied by go-keyring: these copies
	// cannot be wiped.
	err := keyring.Set(service, user(vault), string(formatValue(key.Reveal())))
	if err != nil {
		return sentinel(err)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	back, err := readItem(vault)
	if err == nil && !back.Equal(key) {
		err = ErrDamaged
	}
	if err == nil {
		return nil
	}
	if ctx.Err() == nil {
		_ = keyring.Delete(service, user(vault)) // it is ours, and no slot uses it
	}
	return fmt.Errorf("reading it back: %w", err)
}

// readItem returns the key that is stored for vault.
func readItem(vault [16]byte) (secret.Bytes, error) {
	value, err := keyring.Get(service, user(vault))
	if err != nil {
		return secret.Bytes{}, sentinel(err)
	}
	return parseValue([]byte(value))
}

// sentinel gives an error of go-keyring the sentinel that it means.
func sentinel(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, keyring.ErrNotFound):
		return fmt.Errorf("%w: the keyring has no such item", ErrMissing)
	case isLocked(err):
		return fmt.Errorf("%w: %w", ErrKeyringLocked, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// slot is held by the one request to the keyring that runs. go-keyring is one
// per process, has no deadlines and can hang for ever: this keeps the
// goroutines that hang in it to one, whatever the number of stores.
var slot = make(chan struct{}, 1)

// do makes sure that the keyring is there and unlocked, then runs call, which
// uses go-keyring, under the configured deadline; call's context ends with it.
// When call does not end in time it is cut off where the system allows that;
// where not, it keeps the slot until it ends.
func (k keyringStore) do(ctx context.Context, call func(context.Context) error) error {
	select {
	case slot <- struct{}{}:
	default:
		return ErrBusy
	}
	bus, err := k.prepare(ctx)
	if err != nil {
		<-slot
		return err
	}
	limited, cancel := context.WithTimeout(ctx, k.cfg.Timeout)
	defer cancel()
	attached, done := make(chan func(), 1), make(chan error, 1)
	go func() {
		err := attachAndRun(limited, bus, attached, call)
		<-slot // before done, so that the caller's next request finds it free
		done <- err
	}()
	select {
	case err = <-done:
	case <-limited.Done():
		err = k.cutOff(limited, attached, done)
	}
	if err != nil && errors.Is(err, limited.Err()) {
		return k.late(ctx, "answer")
	}
	return err
}

// cutOff ends a call that is late, if its connection can be closed, and returns
// ctx's error, or nil if the call did its work at the last moment.
func (k keyringStore) cutOff(ctx context.Context, attached <-chan func(), done <-chan error) error {
	select {
	case detach := <-attached:
		detach()
	default:
		return ctx.Err()
	}
	select { // it ends now: wait, so that the caller's next request finds the slot free
	case err := <-done:
		if err == nil {
			return nil
		}
	case <-time.After(k.cfg.Timeout):
	}
	return ctx.Err()
}

// attachAndRun opens the connection on which go-keyring will work, hands the
// function that closes it to attached, and runs call.
func attachAndRun(ctx context.Context, bus string, attached chan<- func(), call func(context.Context) error) (err error) {
	detach, err := attach(bus)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	attached <- detach
	defer detach()
	if ctx.Err() != nil { // too late: nobody is there to cut the call off
		return ctx.Err()
	}
	defer func() {
		// go-keyring does not expect its connection to be closed under it. The
		// value is left out: nobody knows what it holds.
		if recover() != nil {
			err = fmt.Errorf("%w: the connection ended while the keyring was asked", ErrUnavailable)
		}
	}()
	return call(ctx)
}

// late returns the error for a keyring that did not do what it should in time:
// the caller's own reason if ctx has ended, else ErrUnavailable.
func (k keyringStore) late(ctx context.Context, what string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("waiting for the keyring: %w", err)
	}
	return fmt.Errorf("%w: it did not %s within %v", ErrUnavailable, what, k.cfg.Timeout)
}
