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

// The ways in which Options can be wrong, besides ErrAlgorithm, and what
// NewYandex refuses.
var (
	ErrDigits = errors.New("digits must be 6 to 10")
	ErrPeriod = errors.New("period must be a whole number of seconds, from 1 to 9223372036")
	ErrYandex = errors.New("a Yandex secret has at least 16 bytes and a PIN of 4 to 16 digits")
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

// Key is a secret prepared for making codes and for matching them. Make it with
// NewKey, NewSteam, NewMOTP or NewYandex: a Key that was not, or that was
// wiped, panics when asked for a code. It is not safe for concurrent use.
type Key struct {
	options Options
	coder   coder
}

// coder is what tells one kind of code from another: what is computed, and how
// the result is written. Time, windows and replays are the same for all.
type coder interface {
	// code returns the code of a counter, in a buffer that the next call
	// overwrites.
	code(counter uint64) []byte
	// form returns c as code would have written it, for a letter or digit that
	// a person typed, or false if no code has it.
	form(c byte) (byte, bool)
	// name is the kind of code, for String.
	name() string
	wipe()
}

// hotp makes the codes of RFC 4226. The buffers are made once because a slice
// handed to a hash.Hash escapes: on the stack they would cost an allocation for
// each code. Sum, which tells the code, is behind a second pointer for the
// reason that box gives, and so is text.
type hotp struct {
	digits  int
	mac     hash.Hash
	counter [8]byte
	sum     *[sha512.Size]byte
	text    *[MaxDigits]byte
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
	return &Key{options, newHOTP(secret, options)}, nil
}

func newHOTP(secret []byte, options Options) *hotp {
	mac := hmac.New(options.Algorithm.hash(), secret)
	mac.Reset() // the first one allocates what makes the later ones cheap
	return &hotp{digits: options.Digits, mac: mac, sum: new([sha512.Size]byte), text: new([MaxDigits]byte)}
}

// Options returns what the key was made with, its defaults filled in.
func (k *Key) Options() Options { return k.options }

// HOTP returns the code of a counter, HOTP(K, C) of RFC 4226 section 5.3, as
// Options.Digits decimal digits with leading zeros. Every uint64 is a counter.
func (k *Key) HOTP(counter uint64) string { return string(k.made().code(counter)) }

// AppendCode appends the code of a counter, as HOTP returns it, to dst and
// returns the extended slice. It allocates only if dst lacks room.
func (k *Key) AppendCode(dst []byte, counter uint64) []byte {
	return append(dst, k.made().code(counter)...)
}

func (k *Key) made() coder {
	if k.coder == nil {
		panic("totp: use of a Key that was wiped or not made by a New function")
	}
	return k.coder
}

func (h *hotp) code(counter uint64) []byte {
	value := h.truncated(counter)
	code := h.text[:h.digits]
	for i := len(code) - 1; i >= 0; i-- {
		code[i] = '0' + byte(value%10)
		value /= 10
	}
	return code
}

func (h *hotp) form(c byte) (byte, bool) { return c, '0' <= c && c <= '9' }

func (h *hotp) name() string { return "HOTP" }

// truncated returns the 31 bit Snum of RFC 4226 section 5.3.
func (h *hotp) truncated(counter uint64) uint32 {
	binary.BigEndian.PutUint64(h.counter[:], counter)
	h.mac.Reset()
	h.mac.Write(h.counter[:])
	sum := h.mac.Sum(h.sum[:0])
	offset := sum[len(sum)-1] & 15
	return binary.BigEndian.Uint32(sum[offset:]) & math.MaxInt32
}

func (h *hotp) wipe() {
	clear(h.sum[:])
	clear(h.text[:])
	*h = hotp{}
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
	token := k.Step(k.Counter(t))
	token.Start, token.Expiry = token.Start.In(t.Location()), token.Expiry.In(t.Location())
	return token
}

// TokenAt returns the token at a Unix time, in seconds, with its times in UTC.
func (k *Key) TokenAt(unix int64) Token { return k.Token(time.Unix(unix, 0).UTC()) }

// Step returns the token of a time step, with its times in UTC: that of
// token.Counter+1 is the next one, that of token.Counter-1 the previous one,
// which step 0 has not.
// Steps beyond what a time.Time can hold have its last second as their times.
func (k *Key) Step(counter uint64) Token {
	return Token{
		Code:    k.HOTP(counter),
		Counter: counter,
		Start:   k.begin(counter),
		Expiry:  k.expiry(counter),
	}
}

// begin returns the first instant of a step.
func (k *Key) begin(counter uint64) time.Time {
	period := uint64(k.options.Period / time.Second)
	if counter > lastSecond/period {
		return time.Unix(lastSecond, 0).UTC()
	}
	return time.Unix(int64(counter*period), 0).UTC()
}

// expiry returns the first instant after a step.
func (k *Key) expiry(counter uint64) time.Time {
	begin := k.begin(counter).Unix()
	return time.Unix(min(begin+int64(k.options.Period/time.Second), lastSecond), 0).UTC()
}

// Valid reports whether the token holds at t.
func (t Token) Valid(at time.Time) bool { return !at.Before(t.Start) && at.Before(t.Expiry) }

// Remaining returns how long the token still holds at t, 0 if it has expired.
// For a t before Start that is longer than a period.
func (t Token) Remaining(at time.Time) time.Duration { return max(0, t.Expiry.Sub(at)) }

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
	if k.coder != nil {
		k.coder.wipe()
		k.coder = nil
	}
}

// String describes the key without its secret, as in
// "totp.Key(SHA1, 6 digits, 30s)", or "totp.Key(Steam, 5 digits, 30s)".
func (k *Key) String() string {
	kind := k.options.Algorithm.String()
	if k.coder != nil && k.coder.name() != "HOTP" {
		kind = k.coder.name()
	}
	return fmt.Sprintf("totp.Key(%s, %d digits, %v)", kind, k.options.Digits, k.options.Period)
}
