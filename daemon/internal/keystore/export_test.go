package keystore

import "context"

// Do runs call as the keyring store s runs its own calls of go-keyring.
func Do(ctx context.Context, s Store, call func() error) error {
	return s.(keyringStore).do(ctx, func(context.Context) error { return call() })
}
