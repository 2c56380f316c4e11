package totp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"math"
	"strconv"
)

// The forms of a sealed secret. The first is passlib's: AES-256 in counter mode,
// unauthenticated. The second is AES-256-GCM, bound to tag and cost.
const (
	formPasslib       = 1
	formAuthenticated = 2
)

const (
	passlibSalt = 12 // bytes
	authSalt    = 16
	aesKey      = 32
	gcmNonce    = 12
)

// maxSealed bounds a sealed secret, in bytes: ten times the longest that anybody
// hands out.
const maxSealed = 1 << 10

// ErrLongSecret is returned for a secret of more than a KiB.
var ErrLongSecret = errors.New("secret is longer than 1008 bytes")

// EncryptedKey is a sealed secret: what passlib calls enckey.
type EncryptedKey struct {
	Version int    // 1: passlib's form, 2: authenticated
	Cost    int    // logarithm to base 2 of the rounds of PBKDF2
	Tag     string // of the application secret
	Salt    []byte // 12 or 16 random bytes
	Key     []byte // sealed
}

// Map returns e as it is stored: v, c and t as they are, s and k in base32.
func (e EncryptedKey) Map() map[string]any {
	return map[string]any{"v": e.Version, "c": e.Cost, "t": e.Tag, "s": EncodeSecret(e.Salt), "k": EncodeSecret(e.Key)}
}

// ParseEncryptedKey reads what Map returned, with numbers of any type. Its error
// is a *FieldError.
func ParseEncryptedKey(m map[string]any) (EncryptedKey, error) {
	r := reader{m: m}
	r.known("v", "c", "t", "s", "k")
	e := EncryptedKey{Version: int(r.number("v", 0, 0, math.MaxInt32)), Tag: r.text("t", true)}
	if m["c"] == nil {
		r.fail("c", ErrMissing)
	}
	e.Cost = int(r.number("c", 0, 0, MaxCost))
	e.Salt, e.Key = r.sealed("s"), r.sealed("k")
	if e.Version != formPasslib && e.Version != formAuthenticated {
		r.fail("v", ErrVersion)
	}
	if r.err != nil {
		var field *FieldError
		_ = errors.As(r.err, &field) // all that fail makes
		return EncryptedKey{}, &FieldError{"enckey " + field.Field, field.Err}
	}
	return e, nil
}

// sealed returns a field of bytes in base32.
func (r *reader) sealed(name string) []byte {
	text := r.text(name, true)
	if len(text) > 2*maxSealed {
		r.fail(name, ErrTooLong)
		return nil
	}
	raw, err := DecodeSecret(text)
	if err != nil {
		r.fail(name, err)
	}
	return raw
}

// Encrypt seals a secret under the wallet's tag and cost. The errors are ErrEmpty,
// ErrLongSecret, and ErrNoTag for a wallet that was wiped.
func (w *Wallet) Encrypt(secret []byte) (EncryptedKey, error) {
	if len(secret) == 0 {
		return EncryptedKey{}, ErrEmpty
	}
	if len(secret) > maxSealed-16 {
		return EncryptedKey{}, ErrLongSecret
	}
	if (**w.secrets)[w.tag] == nil {
		return EncryptedKey{}, ErrNoTag
	}
	e := EncryptedKey{Version: w.version(), Cost: w.cost, Tag: w.tag}
	if e.Version == formPasslib {
		e.Salt = make([]byte, passlibSalt)
		_, _ = rand.Read(e.Salt) // never fails: crypto/rand ends the program instead
		sealed, err := w.stream(e, secret)
		e.Key = sealed
		return e, err
	}
	e.Salt = make([]byte, authSalt)
	_, _ = rand.Read(e.Salt)
	aead, nonce, err := w.aead(e)
	if err != nil {
		return EncryptedKey{}, err
	}
	e.Key = aead.Seal(nil, nonce, secret, e.bound())
	return e, nil
}

// Decrypt opens a sealed secret. recrypt says that tag, cost or form are not
// those with which the wallet seals now. The errors are ErrNoTag, ErrCost,
// ErrVersion, ErrEmpty and ErrOpen; passlib's form is never ErrOpen, see
// WalletOptions.Passlib.
func (w *Wallet) Decrypt(e EncryptedKey) (secret []byte, recrypt bool, err error) {
	switch {
	case (**w.secrets)[e.Tag] == nil:
		return nil, false, ErrNoTag
	case e.Cost < 0 || e.Cost > MaxCost:
		return nil, false, ErrCost
	case len(e.Key) == 0:
		return nil, false, ErrEmpty
	}
	switch e.Version {
	case formPasslib:
		secret, err = w.stream(e, e.Key)
	case formAuthenticated:
		var aead cipher.AEAD
		var nonce []byte
		if aead, nonce, err = w.aead(e); err == nil {
			if secret, err = aead.Open(nil, nonce, e.Key, e.bound()); err != nil {
				err = ErrOpen
			}
		}
	default:
		err = ErrVersion
	}
	if err != nil {
		return nil, false, err
	}
	return secret, e.Tag != w.tag || e.Cost != w.cost || e.Version != w.version(), nil
}

func (w *Wallet) version() int {
	if w.passlib {
		return formPasslib
	}
	return formAuthenticated
}

// derive returns n bytes from the application secret: PBKDF2 with HMAC-SHA-256
// (RFC 8018 section 5.2).
func (w *Wallet) derive(e EncryptedKey, n int) ([]byte, error) {
	return pbkdf2.Key(sha256.New, string((**w.secrets)[e.Tag]), e.Salt, 1<<e.Cost, n)
}

// stream is passlib's form, the same both ways.
func (w *Wallet) stream(e EncryptedKey, in []byte) ([]byte, error) {
	derived, err := w.derive(e, aesKey+aes.BlockSize)
	if err != nil {
		return nil, err
	}
	defer clear(derived)
	block, err := aes.NewCipher(derived[:aesKey])
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(in))
	cipher.NewCTR(block, derived[aesKey:]).XORKeyStream(out, in)
	return out, nil
}

// aead returns the cipher and the nonce of a salt, which is never used twice.
func (w *Wallet) aead(e EncryptedKey) (cipher.AEAD, []byte, error) {
	derived, err := w.derive(e, aesKey+gcmNonce)
	if err != nil {
		return nil, nil, err
	}
	defer clear(derived[:aesKey])
	block, err := aes.NewCipher(derived[:aesKey])
	if err != nil {
		return nil, nil, err
	}
	aead, err := cipher.NewGCM(block)
	return aead, derived[aesKey:], err
}

// bound is what the authenticated form vouches for beside the secret; the salt
// is in the key already.
func (e EncryptedKey) bound() []byte {
	return strconv.AppendInt([]byte("o2fa/totp/enckey/2 "+e.Tag+" "), int64(e.Cost), 10)
}
