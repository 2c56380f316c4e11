package totp

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"hash"
	"strconv"
	"strings"
)

// ErrAlgorithm is returned for a hash that is none of SHA1, SHA256 and SHA512.
var ErrAlgorithm = errors.New("algorithm is none of SHA1, SHA256, SHA512")

// Algorithm is the hash inside the HMAC (RFC 6238 section 1.2). The zero value
// is SHA1, the only one of RFC 4226 and the default of otpauth URIs.
type Algorithm uint8

// The algorithms. SHA-1 is sound here: HMAC does not rest on its resistance to
// collisions (RFC 4226 appendix B).
const (
	SHA1 Algorithm = iota
	SHA256
	SHA512
)

// String returns the name as otpauth URIs spell it: "SHA1", "SHA256" or
// "SHA512"; for any other value "Algorithm(n)".
func (a Algorithm) String() string {
	switch a {
	case SHA1:
		return "SHA1"
	case SHA256:
		return "SHA256"
	case SHA512:
		return "SHA512"
	}
	return "Algorithm(" + strconv.Itoa(int(a)) + ")"
}

// ParseAlgorithm reads the name of an algorithm in any case, with or without
// dashes and a leading "HMAC": "SHA1", "sha-256" and "HmacSHA512" are all
// known. Anything else, the empty name too, is ErrAlgorithm.
func ParseAlgorithm(name string) (Algorithm, error) {
	plain := strings.ReplaceAll(strings.ToUpper(name), "-", "")
	switch strings.TrimPrefix(plain, "HMAC") {
	case "SHA1":
		return SHA1, nil
	case "SHA256":
		return SHA256, nil
	case "SHA512":
		return SHA512, nil
	}
	return 0, ErrAlgorithm
}

// hash returns the constructor of a's hash, or nil if a is unknown.
func (a Algorithm) hash() func() hash.Hash {
	switch a {
	case SHA1:
		return sha1.New
	case SHA256:
		return sha256.New
	case SHA512:
		return sha512.New
	}
	return nil
}

// Size returns the length of a's sum in bytes: 20, 32 or 64; 0 if a is unknown.
func (a Algorithm) Size() int {
	if h := a.hash(); h != nil {
		return h().Size()
	}
	return 0
}
