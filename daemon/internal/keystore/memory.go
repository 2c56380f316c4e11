package keystore

import (
	"context"
	"fmt"
	"sync"

	"github.com/o2fa/o2fa/internal/secret"
)

type memory struct {
	mu   sync.Mutex
	keys map[[16]byte]secret.Bytes // by vault; guarded by mu
}

// NewMemory returns a store that forgets its keys with the process, one per
// vault as a keyring has. It is for tests.
func NewMemory() Store { return &memory{keys: map[[16]byte]secret.Bytes{}} }

func (m *memory) Create(ctx context.Context, vault [16]byte) (Header, secret.Bytes, error) {
	if err := ctx.Err(); err != nil {
		return Header{}, secret.Bytes{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.keys[vault]; ok {
		return Header{}, secret.Bytes{}, fmt.Errorf("creating key in memory: %w", ErrExists)
	}
	key := newKey()
	m.keys[vault] = key
	return newHeader(TypeMemory, vault), secret.Copy(key.Reveal()), nil
}

func (m *memory) Open(ctx context.Context, h Header) (secret.Bytes, error) {
	key, err := m.find(ctx, h)
	if err != nil {
		return secret.Bytes{}, err
	}
	return secret.Copy(key.Reveal()), nil
}

func (m *memory) Remove(ctx context.Context, h Header) error {
	key, err := m.find(ctx, h)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.keys, h.Vault)
	key.Wipe()
	return nil
}

func (m *memory) find(ctx context.Context, h Header) (secret.Bytes, error) {
	if err := ctx.Err(); err != nil {
		return secret.Bytes{}, err
	}
	if err := checkType(h, TypeMemory); err != nil {
		return secret.Bytes{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key, ok := m.keys[h.Vault]
	if !ok {
		return secret.Bytes{}, fmt.Errorf("opening key in memory: %w", ErrMissing)
	}
	return key, nil
}
