//go:build unix && !darwin

package keystore

import (
	"context"
	"fmt"

	"github.com/o2fa/o2fa/internal/dbus"
)

// Examine looks whether the keyring has the item of a vault, and would give it
// without asking a person. It reads no key and shows no dialog. The errors are
// those of Open.
func Examine(ctx context.Context, cfg KeyringConfig, vault [16]byte) error {
	k := NewKeyring(cfg).(keyringStore)
	address, err := dbus.SessionAddress(k.cfg.Getenv)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	s, prompt, err := k.unlock(ctx, address)
	if err != nil {
		return err
	}
	defer s.conn.Close() // an unused prompt is gone with it
	limited, cancel := context.WithTimeout(ctx, k.cfg.Timeout)
	defer cancel()
	var unlocked, locked []dbus.Path
	item := map[string]string{"service": service, "username": user(vault)} // as go-keyring files it
	if err := s.service().Call(limited, serviceIface+".SearchItems", item).Store(&unlocked, &locked); err != nil {
		return k.explain(ctx, err)
	}
	switch {
	case prompt != none:
		return fmt.Errorf("%w: it will ask for its password", ErrKeyringLocked)
	case len(unlocked)+len(locked) == 0:
		return fmt.Errorf("%w: the keyring has no item %s of service %s", ErrMissing, user(vault), service)
	}
	return nil
}
