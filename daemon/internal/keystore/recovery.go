package keystore

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/o2fa/o2fa/internal/secret"
)

// A recovery code is 26 characters of Crockford's base32, 130 random bits, and
// his check symbol, which finds every mistyped or exchanged character. It has no
// I, L, O and U; when read, I and L are 1, and O is 0.
const (
	crockford       = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	crockfordCheck  = crockford + "*~$=U"
	recoveryDigits  = 26
	recoveryGroup   = 5
	recoveryInfo    = "o2fa/slot/recovery"
	recoveryLongest = 100 // characters of a code as people type it
)

// ErrRecoveryCode means that a text is no recovery code: too short, too long, or
// mistyped.
var ErrRecoveryCode = errors.New("not a recovery code")

// NewRecoveryCode returns a new code as people write it down: upper case, in
// groups with dashes between.
func NewRecoveryCode() secret.Bytes {
	var random [recoveryDigits]byte
	rand.Read(random[:])
	digits := make([]byte, 0, recoveryDigits+1)
	for _, b := range random {
		digits = append(digits, crockford[b&31])
	}
	clear(random[:])
	digits = append(digits, checkSymbol(digits))
	text := make([]byte, 0, len(digits)+len(digits)/recoveryGroup)
	for i, c := range digits {
		if i > 0 && i%recoveryGroup == 0 {
			text = append(text, '-')
		}
		text = append(text, c)
	}
	clear(digits)
	return secret.New(text)
}

// checkSymbol returns the symbol of the number that the digits are, modulo 37.
func checkSymbol(digits []byte) byte {
	n := 0
	for _, c := range digits {
		n = (n*32 + strings.IndexByte(crockford, c)) % len(crockfordCheck)
	}
	return crockfordCheck[n]
}

// parseRecoveryCode returns the digits of a code without its check symbol, for
// the caller to wipe. Blanks and dashes count for nothing. The error is
// ErrRecoveryCode and repeats nothing of the code.
func parseRecoveryCode(text []byte) ([]byte, error) {
	if len(text) > recoveryLongest {
		return nil, fmt.Errorf("%w: it is too long", ErrRecoveryCode)
	}
	digits := make([]byte, 0, recoveryLongest)
	for _, c := range text {
		switch {
		case c == ' ' || c == '-' || c == '\t':
			continue
		case 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
		}
		if len(digits) < recoveryDigits { // the check symbol stands for itself
			switch c {
			case 'I', 'L':
				c = '1'
			case 'O':
				c = '0'
			}
		}
		digits = append(digits, c)
	}
	if len(digits) != recoveryDigits+1 {
		clear(digits)
		return nil, fmt.Errorf("%w: it has %d characters, not %d", ErrRecoveryCode, len(digits), recoveryDigits+1)
	}
	digits, check := digits[:recoveryDigits], digits[recoveryDigits]
	for _, c := range digits {
		if strings.IndexByte(crockford, c) < 0 {
			clear(digits)
			return nil, fmt.Errorf("%w: it has a character that no code has", ErrRecoveryCode)
		}
	}
	if checkSymbol(digits) != check {
		clear(digits)
		return nil, fmt.Errorf("%w: it is mistyped", ErrRecoveryCode)
	}
	return digits, nil
}

// IsRecoveryCode reports whether text reads as one, its check symbol included.
func IsRecoveryCode(text secret.Bytes) bool {
	digits, err := parseRecoveryCode(text.Reveal())
	clear(digits)
	return err == nil
}

type recovery struct{ code secret.Bytes }

// NewRecovery returns a store whose keys are derived from a recovery code. It is
// random enough to need no slow derivation. The store does not copy code: the
// caller wipes it when it is done with the store.
func NewRecovery(code secret.Bytes) Store { return recovery{code} }

func (r recovery) Create(ctx context.Context, vault [16]byte) (Header, secret.Bytes, error) {
	h := newHeader(TypeRecovery, vault)
	h.Salt = make([]byte, saltSize)
	rand.Read(h.Salt)
	key, err := r.Open(ctx, h)
	if err != nil {
		return Header{}, secret.Bytes{}, err
	}
	return h, key, nil
}

func (r recovery) Open(ctx context.Context, h Header) (secret.Bytes, error) {
	if err := ctx.Err(); err != nil {
		return secret.Bytes{}, err
	}
	if err := checkType(h, TypeRecovery); err != nil {
		return secret.Bytes{}, err
	}
	if err := h.check(); err != nil {
		return secret.Bytes{}, err
	}
	digits, err := parseRecoveryCode(r.code.Reveal())
	if err != nil {
		return secret.Bytes{}, err
	}
	defer clear(digits)
	key, err := hkdf.Key(sha256.New, digits, h.Salt, recoveryInfo, KeySize)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("deriving key from recovery code: %w", err)
	}
	return secret.New(key), nil
}

func (recovery) Remove(_ context.Context, h Header) error { return checkType(h, TypeRecovery) }
