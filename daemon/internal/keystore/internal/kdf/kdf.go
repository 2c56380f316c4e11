// Package kdf owns the derivation of a key from a passphrase: Argon2id, its
// costs and their bounds. Only the keystore and its test support can import it,
// so that nobody else can choose a cheap cost.
package kdf

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"golang.org/x/crypto/argon2"
)

// KeySize is the length of a derived key in bytes.
const KeySize = 32

// Bounds of what a header may ask for. Whoever can write the vault file chooses
// these numbers before a passphrase is asked for, so they must not be able to
// stop the machine.
const (
	MaxTime      = 16
	MaxMemoryKiB = 1 << 20 // one GiB
	MaxThreads   = 16
	MinSalt      = 16 // bytes
	MaxSalt      = 64
)

// minMemoryPerThread is Argon2's own lower bound, in KiB.
const minMemoryPerThread = 8

// ErrBounds means that a cost or a salt is outside the bounds.
var ErrBounds = errors.New("argon2id parameters out of bounds")

// Cost is how much work one derivation is. The zero value is Default.
type Cost struct {
	time, memoryKiB uint32
	threads         uint8
}

// Default takes about half a second on an ordinary machine: the second set of
// RFC 9106 §4 with twice the memory. kdf_test.go measures it.
func Default() Cost { return Cost{time: 3, memoryKiB: 128 << 10, threads: 4} }

// Cheap is for tests alone: a derivation of microseconds.
func Cheap() Cost { return Cost{time: 1, memoryKiB: minMemoryPerThread, threads: 1} }

// New returns the cost of the given passes, memory and threads, or ErrBounds.
func New(time, memoryKiB uint32, threads uint8) (Cost, error) {
	switch {
	case time < 1 || time > MaxTime:
		return Cost{}, fmt.Errorf("%w: time %d", ErrBounds, time)
	case threads < 1 || threads > MaxThreads:
		return Cost{}, fmt.Errorf("%w: %d threads", ErrBounds, threads)
	case memoryKiB < minMemoryPerThread*uint32(threads) || memoryKiB > MaxMemoryKiB:
		return Cost{}, fmt.Errorf("%w: %d KiB of memory", ErrBounds, memoryKiB)
	}
	return Cost{time: time, memoryKiB: memoryKiB, threads: threads}, nil
}

// Params returns the numbers that New takes.
func (c Cost) Params() (time, memoryKiB uint32, threads uint8) {
	if c == (Cost{}) {
		c = Default()
	}
	return c.time, c.memoryKiB, c.threads
}

// CheckSalt returns ErrBounds for a salt of a length that is not allowed.
func CheckSalt(salt []byte) error {
	if len(salt) < MinSalt || len(salt) > MaxSalt {
		return fmt.Errorf("%w: salt of %d bytes", ErrBounds, len(salt))
	}
	return nil
}

// turn lets one derivation run at a time: each takes up to a GiB, and a few
// impatient clients must not take that many times over.
var turn = make(chan struct{}, 1)

// Derive returns the key of KeySize bytes. It waits for its turn until ctx
// ends; once begun it cannot be stopped.
func (c Cost) Derive(ctx context.Context, passphrase, salt []byte) ([]byte, error) {
	if err := CheckSalt(salt); err != nil {
		return nil, err
	}
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := ctx.Err(); err != nil { // select picks either when both are ready
		return nil, err
	}
	time, memory, threads := c.Params()
	key := argon2.IDKey(passphrase, salt, time, memory, threads, KeySize)
	if memory > freeAboveKiB {
		// The daemon idles for days after this: without it the blocks would
		// count as its memory until the next collection, if one ever came.
		debug.FreeOSMemory()
	}
	return key, nil
}

// freeAboveKiB is the memory from which returning it at once is worth a
// collection.
const freeAboveKiB = 4 << 10
