package keystore

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/o2fa/o2fa/daemon/internal/keystore/internal/kdf"
	"github.com/o2fa/o2fa/internal/secret"
)

// Cost is the work of one Argon2id derivation. The zero value is DefaultCost; a
// cheaper one can only be had from package keystoretest.
type Cost = kdf.Cost

// DefaultCost takes about half a second on an ordinary machine.
func DefaultCost() Cost { return kdf.Default() }

// saltSize is what RFC 9106 §3.1 recommends, in bytes.
const saltSize = 16

type passphrase struct {
	pass secret.Bytes
	cost Cost
}

// NewPassphrase returns a store whose keys are derived from pass with Argon2id,
// new ones at the given cost, known ones at the cost that their header names.
// The bytes are taken as they are. The store does not copy pass: the caller
// wipes it when it is done with the store.
func NewPassphrase(pass secret.Bytes, cost Cost) Store {
	return passphrase{pass: pass, cost: cost}
}

func (p passphrase) Create(ctx context.Context, vault [16]byte) (Header, secret.Bytes, error) {
	if p.pass.Len() == 0 {
		return Header{}, secret.Bytes{}, ErrEmptyPassphrase
	}
	h := newHeader(TypePassphrase, vault)
	h.Argon2, h.Salt = new(Argon2), make([]byte, saltSize)
	h.Argon2.Time, h.Argon2.MemoryKiB, h.Argon2.Threads = p.cost.Params()
	rand.Read(h.Salt)
	key, err := p.Open(ctx, h)
	if err != nil {
		return Header{}, secret.Bytes{}, err
	}
	return h, key, nil
}

func (p passphrase) Open(ctx context.Context, h Header) (secret.Bytes, error) {
	if err := checkType(h, TypePassphrase); err != nil {
		return secret.Bytes{}, err
	}
	if err := h.check(); err != nil {
		return secret.Bytes{}, err
	}
	if p.pass.Len() == 0 {
		return secret.Bytes{}, ErrEmptyPassphrase
	}
	cost, err := h.cost()
	if err != nil {
		return secret.Bytes{}, err
	}
	key, err := cost.Derive(ctx, p.pass.Reveal(), h.Salt)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("deriving key from passphrase: %w", err)
	}
	return secret.New(key), nil
}

func (passphrase) Remove(_ context.Context, h Header) error { return checkType(h, TypePassphrase) }
