//go:build darwin || windows

package keystore

import "context"

// dialogsInCalls: Keychain and Credential Manager belong to the system, which
// shows their dialogs when it is asked for an item.
const dialogsInCalls = true

// prepare has nothing to check: both are always there.
func (keyringStore) prepare(context.Context) (bus string, err error) { return "", nil }

// HasBus: there is none to look for.
func HasBus(context.Context, func(string) string) bool { return true }

// attach has no connection to open, and what hangs cannot be cut off.
func attach(string) (detach func(), err error) { return nil, nil }
