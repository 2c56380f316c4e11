package seal

import (
	"crypto/aes"
	"crypto/cipher"
)

const (
	nonceSize = 24 // of XAES: 12 bytes choose the subkey, 12 are its nonce
	tagSize   = 16
)

// xaes is c2sp.org/XAES-256-GCM under one key: AES-256-GCM with a fresh key
// for each 96-bit half of the nonce, so that nonces may be drawn at random for
// as long as the key lives. The subkey is NIST SP 800-108 in counter mode over
// AES-CMAC; as its input is one block, a CMAC is one encryption.
type xaes struct {
	block cipher.Block
	k1    [aes.BlockSize]byte // CMAC's subkey for a complete last block
}

// expand makes ready key, which has KeySize bytes and is not kept.
func expand(key []byte) xaes {
	x := xaes{block: newCipher(key)}
	x.block.Encrypt(x.k1[:], x.k1[:])
	// Doubling in GF(2^128), without a branch on the secret top bit.
	var carry byte
	for i := len(x.k1) - 1; i >= 0; i-- {
		next := x.k1[i] >> 7
		x.k1[i] = x.k1[i]<<1 | carry
		carry = next
	}
	x.k1[len(x.k1)-1] ^= carry * 0b10000111
	return x
}

// derive fills key with the AES-256-GCM key for the first half of nonce.
func (x *xaes) derive(key *[KeySize]byte, nonce []byte) {
	for i := range 2 {
		b := key[i*aes.BlockSize:][:aes.BlockSize]
		copy(b, []byte{0, byte(i + 1), 'X', 0})
		copy(b[4:], nonce[:nonceSize/2])
		for j := range b {
			b[j] ^= x.k1[j]
		}
		x.block.Encrypt(b, b)
	}
}

// gcm returns the AEAD for nonce; it takes the second half of nonce as its own.
func (x *xaes) gcm(nonce []byte) cipher.AEAD {
	derived := new([KeySize]byte)
	defer clear(derived[:])
	x.derive(derived, nonce)
	aead, err := cipher.NewGCM(newCipher(derived[:]))
	if err != nil {
		panic(err) // only another block size is refused
	}
	return aead
}

func newCipher(key []byte) cipher.Block {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // only another length of key is refused
	}
	return block
}
