package keystore

import (
	"context"
	"encoding/base64"
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
	// dialog; 0 is two minutes. The dialog stays on the screen after the wait.
	//
	// On Linux, less than 0 never shows one; it needs DISPLAY or
	// WAYLAND_DISPLAY, and the next request waits for the one that stayed. macOS
	// and Windows show theirs unasked and tell nobody: there the larger of both
	// limits bounds the whole request, and the next one gets ErrBusy until the
	// dialog that stayed is answered.
	PromptTimeout time.Duration
	// Waiting, if set, is called with true before a request waits for that
	// dialog and with false when it no longer does. On macOS and Windows that is
	// a guess: true comes when a request has taken half a second.
	Waiting func(waiting bool)
	// Reading, if set, is called before the keyring is asked for a key or given
	// one: not for its dialog, which o2fa learns nothing secret from.
	Reading func()
	// Answered, if set, is called when a person has answered the dialog for which
	// a request had waited in vain: the next one meets an unlocked keyring. On
	// Linux only.
	Answered func()
	// Getenv reads the environment in which the session bus and the display are
	// named. Required on Linux.
	Getenv func(string) string
}

type keyringStore struct {
	cfg KeyringConfig
	// dialogs says that the system may show one in any call of go-keyring.
	dialogs bool
}

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
	if cfg.Reading == nil {
		cfg.Reading = func() {}
	}
	if cfg.Answered == nil {
		cfg.Answered = func() {}
	}
	if cfg.Getenv == nil {
		cfg.Getenv = func(string) string { return "" }
	}
	return keyringStore{cfg, dialogsInCalls}
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
		return secret.Bytes{}, fmt.Errorf("reading the keyring's item (service %s, username %s): %w", service, user(h.Vault), err)
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

// Item names the keyring's item of a vault, as other programs find it: its
// service and its user.
func Item(vault [16]byte) (serviceName, userName string) { return service, user(vault) }

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
		return fmt.Errorf("%w: it was deleted, or this is another keyring", ErrMissing)
	case errors.As(err, new(base64.CorruptInputError)): // go-keyring's own coat, on macOS
		return fmt.Errorf("%w: it is not base64", ErrDamaged)
	case errors.Is(err, keyring.ErrUnsupportedPlatform):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", meaning(err), err)
}
