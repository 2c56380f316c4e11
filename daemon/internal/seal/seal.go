// Package seal owns the one envelope in which o2fa keeps and sends anything
// secret: XAES-256-GCM with a random nonce, a purpose, a bound context and
// padding. It is pure: it knows no file, no entry and no account, and draws
// every nonce itself, since a nonce used twice gives the plaintext away.
//
//	envelope        = 0x02 ‖ nonce (24) ‖ ciphertext ‖ tag (16)
//	additional data = 0x02 ‖ purpose ‖ 0x00 ‖ context
//	plaintext       = data ‖ 0x80 ‖ 0x00…, to the next multiple of 256
//
// The format is frozen: docs/vectors/seal.json holds vectors that this package
// and any other implementation have to pass.
package seal

import (
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"math"
)

// Sizes, in bytes.
const (
	KeySize  = 32                      // of every key
	Block    = 256                     // padded plaintexts are multiples of it
	Overhead = 1 + nonceSize + tagSize // of an envelope over its padded plaintext
)

// version is the first byte of every envelope. 1 was open2fa's way, which has
// no version byte and no authentication.
const version = 0x02

// mark ends the data and begins the padding.
const mark = 0x80

// ErrOpen is returned for whatever does not open: another key, another
// purpose or context, a flipped bit, a missing byte. It never says which, as
// only an attacker would gain by it.
var ErrOpen = errors.New("sealed data does not open")

// ErrKeySize is returned for a key that does not have KeySize bytes, or was wiped.
var ErrKeySize = errors.New("key has not 32 bytes, or zeros alone")

// Key seals and opens. It refers to the raw bytes that it was made from, wherever
// they are kept, and expands them for each use: what of that stays in Go's memory
// is garbage, not a second place where the key lives. Safe for concurrent use
// but for Wipe.
type Key struct{ raw []byte }

// NewKey returns the key of raw, which must have KeySize bytes (else ErrKeySize).
// They stay the caller's, to be wiped, and must not change before that. Whoever
// wipes them wipes the key: use of it panics then, as it would seal under another
// one. A key of zeros is none.
func NewKey(raw []byte) (*Key, error) {
	if !usable(raw) {
		return nil, ErrKeySize
	}
	return &Key{raw}, nil
}

// usable reports whether raw is a key, and not what a wipe has left of one.
func usable(raw []byte) bool {
	var none [KeySize]byte
	return len(raw) == KeySize && subtle.ConstantTimeCompare(raw, none[:]) == 0
}

// Wipe lets go of the raw bytes. Nobody may be using k.
func (k *Key) Wipe() { k.raw = nil }

// gcm returns the AEAD for nonce.
func (k *Key) gcm(nonce []byte) cipher.AEAD {
	if !usable(k.raw) {
		panic("seal: use of a key that was wiped")
	}
	x := expand(k.raw)
	defer clear(x.k1[:])
	return x.gcm(nonce)
}

// Seal returns the envelope of plaintext. The same purpose and context open it
// again. It panics for a purpose that does not exist.
func (k *Key) Seal(p Purpose, context, plaintext []byte) []byte {
	var nonce [nonceSize]byte
	rand.Read(nonce[:]) // does not fail: it ends the process instead
	return k.sealWith(nonce[:], p, context, plaintext)
}

// sealWith is Seal with a given nonce. Only the tests, which must make frozen
// vectors again, call it with one that is not random.
func (k *Key) sealWith(nonce []byte, p Purpose, context, plaintext []byte) []byte {
	padded := padLen(len(plaintext))
	out := make([]byte, 1+nonceSize+padded, Overhead+padded)
	out[0] = version
	copy(out[1:], nonce)
	body := out[1+nonceSize:]
	body[copy(body, plaintext)] = mark
	return k.sealPadded(out, p, context)
}

// sealPadded encrypts, in place, what follows the nonce in out.
func (k *Key) sealPadded(out []byte, p Purpose, context []byte) []byte {
	nonce := out[1 : 1+nonceSize]
	head, body := out[:1+nonceSize], out[1+nonceSize:]
	return k.gcm(nonce).Seal(head, nonce[nonceSize/2:], body, additional(p, context))
}

// Open returns the plaintext of an envelope, or ErrOpen.
func (k *Key) Open(p Purpose, context, envelope []byte) ([]byte, error) {
	return k.AppendOpen(nil, p, context, envelope)
}

// AppendOpen is Open into the free space of dst, which must not overlap
// envelope; it allocates only when that space is smaller than the envelope. On
// ErrOpen the result is nil and nothing of the plaintext is left in dst. After
// use the caller wipes the result up to its capacity.
func (k *Key) AppendOpen(dst []byte, p Purpose, context, envelope []byte) ([]byte, error) {
	sealed := len(envelope) - Overhead
	if sealed < Block || sealed%Block != 0 || envelope[0] != version {
		return nil, ErrOpen
	}
	nonce := envelope[1 : 1+nonceSize]
	body := envelope[1+nonceSize:]
	out, err := k.gcm(nonce).Open(dst, nonce[nonceSize/2:], body, additional(p, context))
	if err != nil {
		return nil, ErrOpen
	}
	end, ok := unpad(out[len(dst):])
	if !ok {
		clear(out[len(dst):])
		return nil, ErrOpen
	}
	return out[:len(dst)+end], nil
}

// padLen returns the length of n bytes with their padding, at least one byte
// of it.
func padLen(n int) int { return (n/Block + 1) * Block }

// unpad returns where the data in padded ends. The tag has been checked, so
// its time may depend on the data; anything but one way to pad is refused, so
// that equal data has one form.
func unpad(padded []byte) (end int, ok bool) {
	for end = len(padded) - 1; end >= 0 && padded[end] == 0; end-- {
	}
	return end, end >= len(padded)-Block && end >= 0 && padded[end] == mark
}

// additional returns the additional data of an envelope.
func additional(p Purpose, context []byte) []byte {
	if !p.valid() {
		panic("seal: " + p.String() + " does not exist")
	}
	a := make([]byte, 0, 96) // enough for all but vault/meta of a long key
	a = append(a, version)
	a = append(a, names[p]...)
	a = append(a, 0)
	return append(a, context...)
}

// Context returns the context of VaultMeta and VaultLog: bucket and key, each
// as its length (u16) and its bytes, so that no two pairs give the same. It
// panics for one of more than 65,535 bytes, which no store of ours can hold.
func Context(bucket, key []byte) []byte {
	c := make([]byte, 0, 4+len(bucket)+len(key))
	for _, part := range [][]byte{bucket, key} {
		if len(part) > math.MaxUint16 {
			panic("seal: context of more than 65,535 bytes")
		}
		c = binary.BigEndian.AppendUint16(c, uint16(len(part)))
		c = append(c, part...)
	}
	return c
}
