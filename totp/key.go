package totp

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"math"
	"time"
)

// Bounds and defaults of Options.
const (
	MinDigits     = 6  // RFC 4226 section 5.3 asks for at least 6
	MaxDigits     = 10 // the truncated value has 31 bits: no more than 10 digits
	DefaultDigits = 6

	MinPeriod     = time.Second
	MaxPeriod     = math.MaxInt64 / time.Second * time.Second // 9,223,372,036 s, about 292 years
	DefaultPeriod = 30 * time.Second                          // RFC 6238 section 5.2
)

// The ways in which Options can be wrong, besides ErrAlgorithm.
var (
	ErrDigits = errors.New("digits must be 6 to 10")
	ErrPeriod = errors.New("period must be a whole number of seconds, from 1 to 9223372036")
)

// Options says how codes are made from a secret. The zero value means SHA-1, 6
// digits, 30 seconds.
type Options struct {
	// Algorithm is the hash: SHA1 (the zero value), SHA256 or SHA512.
	Algorithm Algorithm

	// Digits is the length of a code, MinDigits to MaxDigits; 0 means
	// DefaultDigits. A code of 10 digits begins with 0, 1 or 2, since the
	// truncated value of RFC 4226 section 5.3 is below 2^31: the tenth digit
	// adds next to nothing.
	Digits int

	// Period is the time step X of RFC 6238 section 4.1, in whole seconds from
	// MinPeriod to MaxPeriod; 0 means DefaultPeriod. HOTP has no use for it.
	Period time.Duration
}

// filled returns o with its defaults in place. The error is ErrAlgorithm,
// ErrDigits or ErrPeriod.
func (o Options) filled() (Options, error) {
	if o.Digits == 0 {
		o.Digits = DefaultDigits
	}
	if o.Period == 0 {
		o.Period = DefaultPeriod
	}
	switch {
	case o.Algorithm.hash() == nil:
		return Options{}, ErrAlgorithm
	case o.Digits < MinDigits || o.Digits > MaxDigits:
		return Options{}, ErrDigits
	case o.Period < MinPeriod || o.Period%time.Second != 0:
		return Options{}, ErrPeriod
	}
	return o, nil
}

// Key is a secret prepared for making codes. Make it with NewKey: a Key that
// was not, or that was wiped, panics when asked for a code. It is not safe for
// concurrent use.
type Key struct {
	options Options
	work    *work
}

// work is what making a code writes to. The buffers are made once because a
// slice handed to a hash.Hash escapes: on the stack they would cost an
// allocation for each code. Sum, which tells the code, is behind a second
// pointer for the reason that box gives.
type work struct {
	mac     hash.Hash
	counter [8]byte
	sum     *[sha512.Size]byte
}

// NewKey prepares secret, which it copies. The errors are ErrEmpty for no
// secret at all, ErrAlgorithm, ErrDigits and ErrPeriod.
//
// RFC 4226 section 4 asks for secrets of at least 16 bytes and recommends 20.
// NewKey takes shorter ones, as services in use hand out 10.
func NewKey(secret []byte, options Options) (*Key, error) {
	if len(secret) == 0 {
		return nil, ErrEmpty
	}
	options, err := options.filled()
	if err != nil {
		return nil, err
	}
	mac := hmac.New(options.Algorithm.hash(), secret)
	mac.Reset() // the first one allocates what makes the later ones cheap
	return &Key{options, &work{mac: mac, sum: new([sha512.Size]byte)}}, nil
}

// Options returns what the key was made with, its defaults filled in.
func (k *Key) Options() Options { return k.options }

// HOTP returns the code of a counter, HOTP(K, C) of RFC 4226 section 5.3, as
// Options.Digits decimal digits with leading zeros. Every uint64 is a counter.
func (k *Key) HOTP(counter uint64) string {
	var buf [MaxDigits]byte
	return string(k.AppendCode(buf[:0], counter))
}

// AppendCode appends the code of a counter, as HOTP returns it, to dst and
// returns the extended slice. It allocates only if dst lacks room.
func (k *Key) AppendCode(dst []byte, counter uint64) []byte {
	value := k.truncated(counter)
	var buf [MaxDigits]byte
	code := buf[:k.options.Digits]
	for i := len(code) - 1; i >= 0; i-- {
		code[i] = '0' + byte(value%10)
		value /= 10
	}
	return append(dst, code...)
}

// truncated returns the 31 bit Snum of RFC 4226 section 5.3.
func (k *Key) truncated(counter uint64) uint32 {
	w := k.work
	if w == nil {
		panic("totp: use of a Key that was wiped or not made by NewKey")
	}
	binary.BigEndian.PutUint64(w.counter[:], counter)
	w.mac.Reset()
	w.mac.Write(w.counter[:])
	sum := w.mac.Sum(w.sum[:0])
	offset := sum[len(sum)-1] & 15
	return binary.BigEndian.Uint32(sum[offset:]) & math.MaxInt32
}

// Counter returns the time step of t, floor(t / Period) with T0 = 0 (RFC 6238
// section 4.2); the counter of another T0 is Counter(t.Add(-T0)).
//
// There is no step before 1970: an earlier t has step 0, so that counters never
// fall while time rises, and a clock that was never set does not yield a counter
// near 2^64.
func (k *Key) Counter(t time.Time) uint64 {
	return uint64(seconds(t)) / uint64(k.options.Period/time.Second)
}

// Code returns the code at t: HOTP(Counter(t)).
func (k *Key) Code(t time.Time) string { return k.HOTP(k.Counter(t)) }

// Token is a code and the time in which it holds.
type Token struct {
	Code    string    // decimal digits, with leading zeros
	Counter uint64    // the time step that it was made from
	Start   time.Time // the first instant of that step
	Expiry  time.Time // the first instant of the next one
}

// Token returns the token at t. Its times are whole seconds in t's location.
// Start <= t < Expiry, except for a t before 1970, which yields the token of
// step 0.
func (k *Key) Token(t time.Time) Token {
	counter := k.Counter(t)
	period := int64(k.options.Period / time.Second)
	start := int64(counter) * period // at most seconds(t)
	expiry := min(start+period, lastSecond)
	return Token{
		Code:    k.HOTP(counter),
		Counter: counter,
		Start:   time.Unix(start, 0).In(t.Location()),
		Expiry:  time.Unix(expiry, 0).In(t.Location()),
	}
}

// lastSecond is the largest Unix time that a time.Time holds without wrapping:
// it counts from the year 1 inside, 62,135,596,800 s earlier, which is more than
// MaxPeriod, so that adding a period to it cannot overflow.
const lastSecond = math.MaxInt64 - 62135596800

// seconds returns the Unix time of t, held between 0 and lastSecond.
func seconds(t time.Time) int64 { return max(0, min(t.Unix(), lastSecond)) }

// Wipe makes k unusable. It clears what belongs to this package; the copy of
// the secret inside crypto/hmac cannot be overwritten, so Wipe lets go of it and
// leaves it to the garbage collector.
func (k *Key) Wipe() {
	if k.work != nil {
		clear(k.work.sum[:])
		*k.work = work{}
		k.work = nil
	}
}

// String describes the key without its secret, as in
// "totp.Key(SHA1, 6 digits, 30s)".
func (k *Key) String() string {
	return fmt.Sprintf("totp.Key(%v, %d digits, %v)", k.options.Algorithm, k.options.Digits, k.options.Period)
}
