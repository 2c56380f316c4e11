package totp

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math"
)

// Yandex ID's codes: eight letters, every 30 seconds, from a secret and a PIN.
const (
	yandexLetters = 8
	yandexSecret  = 16 // what follows in the text that Yandex hands out is a checksum
	yandexMinPIN  = 4
	yandexMaxPIN  = 16
)

// NewYandex prepares a secret of Yandex ID with the person's PIN: codes of
// eight letters in lower case, every 30 seconds. Of the secret the first 16
// bytes count; the rest of what Yandex hands out is a checksum, and whoever has
// 16 bytes only has the whole secret. Both are part of each code; a wrong PIN
// shows only by codes that are refused. The errors are ErrYandex, for a secret
// of fewer than 16 bytes or a PIN that is not 4 to 16 decimal digits, and
// ErrEmpty.
//
// The key is SHA-256 of PIN and secret, without its first byte if that is 0; its
// HMAC-SHA-256 of the time step is truncated as in RFC 4226, to eight bytes
// instead of four, and written in base 26.
func NewYandex(secret []byte, pin string) (*Key, error) {
	if len(secret) == 0 {
		return nil, ErrEmpty
	}
	if len(secret) < yandexSecret || !isPIN(pin) {
		return nil, ErrYandex
	}
	input := append([]byte(pin), secret[:yandexSecret]...)
	key := sha256.Sum256(input)
	clear(input)
	defer clear(key[:])
	options := Options{Algorithm: SHA256, Digits: yandexLetters, Period: DefaultPeriod}
	return &Key{options, yandex{newHOTP(bytes.TrimPrefix(key[:], []byte{0}), options)}}, nil
}

func isPIN(pin string) bool {
	for i := range len(pin) {
		if pin[i] < '0' || pin[i] > '9' {
			return false
		}
	}
	return len(pin) >= yandexMinPIN && len(pin) <= yandexMaxPIN
}

type yandex struct{ *hotp }

func (y yandex) code(counter uint64) []byte {
	_ = y.truncated(counter) // leaves the whole sum
	sum := y.sum[:sha256.Size]
	offset := sum[len(sum)-1] & 15
	value := binary.BigEndian.Uint64(sum[offset:]) & math.MaxInt64
	code := y.text[:yandexLetters]
	for i := len(code) - 1; i >= 0; i-- {
		code[i] = 'a' + byte(value%26)
		value /= 26
	}
	return code
}

func (y yandex) form(c byte) (byte, bool) {
	c = lower(c)
	return c, 'a' <= c && c <= 'z'
}

func (y yandex) name() string { return "Yandex" }
