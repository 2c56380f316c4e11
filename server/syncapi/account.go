// Package syncapi owns what both ends of the remote protocol agree on. So far
// that is the identity which open2fa derives from a UUID; the wire types and the
// HTTP client join it with the remote. It uses the standard library alone and
// knows neither the vault nor the server's store.
package syncapi

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/big"
	"strings"
)

// DefaultAPIURL is where open2fa's own client finds its remote when
// OPEN2FA_API_URL is not set. o2fa shows it and sends nothing there by itself.
const DefaultAPIURL = "https://open2fa.liberfy.ai/api/v1"

// ErrUUID says that a text is no UUID in any of the accepted spellings. It
// never repeats the text: an account's UUID is all its keys.
var ErrUUID = errors.New("not a UUID (want 32 hex digits, as in xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx)")

// UUID is the 16 bytes from which every key of an account is derived.
type UUID [16]byte

// ParseUUID reads the spellings that open2fa accepts: lower or upper case, with
// or without dashes, in braces, or after "urn:uuid:".
func ParseUUID(text string) (UUID, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	text = strings.TrimPrefix(text, "urn:uuid:")
	if n := len(text); n > 1 && text[0] == '{' && text[n-1] == '}' {
		text = text[1 : n-1]
	}
	if len(text) == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-' {
		text = text[:8] + text[9:13] + text[14:18] + text[19:23] + text[24:]
	}
	var u UUID
	if len(text) != hex.EncodedLen(len(u)) {
		return UUID{}, ErrUUID
	}
	if _, err := hex.Decode(u[:], []byte(text)); err != nil {
		return UUID{}, ErrUUID
	}
	return u, nil
}

// Text returns the usual 36 characters. It is not called String, so that no
// formatting verb prints an account's keys by accident.
func (u UUID) Text() string {
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// String returns a placeholder.
func (u UUID) String() string { return "[uuid]" }

// GoString returns a placeholder.
func (u UUID) GoString() string { return "[uuid]" }

// Open2FA returns the two values that open2fa's own pages and clients show:
// with h = SHA-256 of the UUID's bytes, the ID is base58 of h[:16], which names
// the account to a v1 server, and the Secret is base58 of h[16:], its key.
func (u UUID) Open2FA() (id, secret string) {
	h := sha256.Sum256(u[:])
	return base58(h[:16]), base58(h[16:])
}

const base58Alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// base58 encodes with Bitcoin's alphabet; each leading zero byte is a "1".
func base58(b []byte) string {
	var digits []byte
	n, radix, rem := new(big.Int).SetBytes(b), big.NewInt(58), new(big.Int)
	for n.Sign() > 0 {
		n.QuoRem(n, radix, rem)
		digits = append(digits, base58Alphabet[rem.Int64()])
	}
	for _, c := range b {
		if c != 0 {
			break
		}
		digits = append(digits, base58Alphabet[0])
	}
	for i, j := 0, len(digits)-1; i < j; i, j = i+1, j-1 {
		digits[i], digits[j] = digits[j], digits[i]
	}
	return string(digits)
}
