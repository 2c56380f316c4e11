package keystore

import "context"

// Sentinel gives an error of go-keyring the sentinel that it means.
var Sentinel = sentinel

// Do runs call as the keyring store s runs its own calls of go-keyring.
func Do(ctx context.Context, s Store, call func() error) error {
	return s.(keyringStore).do(ctx, func(context.Context) error { return call() })
}

// DoBlind is Do on any system as it is where the keyring needs no preparing, is
// asked over no connection that could be cut, and shows its dialogs by itself or
// not at all.
func DoBlind(ctx context.Context, s Store, dialogs bool, call func() error) error {
	k := s.(keyringStore)
	k.dialogs = dialogs
	if err := takeSlot(); err != nil {
		return err
	}
	return k.run(ctx, func() (func(), error) { return nil, nil }, func(context.Context) error { return call() })
}
