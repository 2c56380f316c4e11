package totp

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"math"
	"time"
)

// The ways in which a code can be refused. A person is told one thing for
// ErrInvalid and ErrUsed; the difference is for logs and for a client that
// says "wait for the next code".
var (
	ErrMalformed = errors.New("not a code of this kind")                        // letters, or another length
	ErrInvalid   = errors.New("code is not valid at this time")                 // well formed, and no code of the window
	ErrUsed      = errors.New("code was used before")                           // the error is a *UsedError
	ErrWindow    = errors.New("window is negative or of more than 10000 steps") // the caller's mistake
)

// UsedError is Match's answer to the code of Window.Last.
type UsedError struct {
	Expiry time.Time // when the next code begins, in UTC
}

// Error returns the reason.
func (e *UsedError) Error() string { return ErrUsed.Error() }

// Unwrap returns ErrUsed.
func (e *UsedError) Unwrap() error { return ErrUsed }

// DefaultWindow is how far codes may lie from the time of a match, both ways:
// with steps of 30 seconds the code before and the code after are taken too, as
// RFC 6238 section 5.2 allows for transmission delays.
const DefaultWindow = 30 * time.Second

// NoWindow as Window.Size makes Match take the code of its time alone.
const NoWindow time.Duration = -1

// MaxSteps bounds how many codes one match computes.
const MaxSteps = 10000

// Window says which codes Match takes. The zero value takes those of 30 seconds
// before and after, and knows of no code that was used.
type Window struct {
	// Size is how far before and after the time of the match codes are taken,
	// in whole seconds, a fraction is dropped; 0 means DefaultWindow, NoWindow
	// none.
	Size time.Duration

	// Skew is added to the time of the match: negative for a client whose
	// clock is known to be behind, or whose codes take long to arrive (RFC 6238
	// section 6). It may be any number of whole seconds; a fraction is dropped.
	Skew time.Duration

	// Last is the counter of the last code that was taken from this client,
	// Match.Counter of then; nil means that there was none. Codes of it and of
	// earlier counters are refused (RFC 6238 section 5.2).
	Last *uint64
}

// Match is a code that was taken. The caller stores Counter as the next
// Window.Last, before it lets the client in.
type Match struct {
	Counter  uint64    // the time step that the code is of
	Expected uint64    // the time step of the match's time, without Skew
	Skipped  int64     // Counter - Expected: how far the client is ahead, in steps
	Expiry   time.Time // the first instant after the step, in UTC
	// Remember is until when, in UTC, Counter has to be remembered for the code
	// not to be taken twice: a match with the same window refuses it from then
	// on by itself. passlib's cache_time is this without regard to Skew.
	Remember time.Time
}

// Match looks for code among those of the window around the time at. Blanks and
// dashes in code count for nothing. It takes the same time wherever in the
// window the code is, and whether or not it is there.
//
// If several steps have that code, the first that was not used is taken. The
// errors are ErrMalformed, ErrInvalid, ErrUsed (a *UsedError) for the code of
// Window.Last, and ErrWindow.
func (k *Key) Match(code string, at time.Time, window Window) (Match, error) {
	var buf [maxCode]byte
	want, err := k.clean(buf[:0], code)
	if err != nil {
		return Match{}, err
	}
	size, err := window.size(k.options.Period)
	if err != nil {
		return Match{}, err
	}
	skew := int64(window.Skew / time.Second)
	client := max(-lastSecond, min(at.Unix(), lastSecond)) + skew
	period := int64(k.options.Period / time.Second)
	if client+size < 0 { // before 1970 there is no step
		return Match{}, ErrInvalid
	}
	start, end := uint64(max(0, client-size)/period), uint64((client+size)/period)
	counter, found, used := k.search(want, start, end, window.Last)
	switch {
	case found:
	case used:
		return Match{}, &UsedError{k.expiry(counter)}
	default:
		return Match{}, ErrInvalid
	}
	m := Match{Counter: counter, Expected: k.Counter(at), Expiry: k.expiry(counter)}
	m.Skipped = int64(m.Counter) - int64(m.Expected)
	m.Remember = time.Unix(min(m.Expiry.Unix()+size-skew, lastSecond), 0).UTC()
	return m, nil
}

// size returns the size in seconds, or ErrWindow.
func (w Window) size(period time.Duration) (int64, error) {
	size := w.Size
	switch {
	case size == 0:
		size = DefaultWindow
	case size == NoWindow:
		size = 0
	}
	whole := int64(size / time.Second)
	if size < 0 || 2*whole > (MaxSteps-1)*int64(period/time.Second) {
		return 0, ErrWindow
	}
	return whole, nil
}

// search compares want with every code from start to end, both included. What it
// finds decides over no branch before all are compared; whether a counter is
// still free is no secret. found is for the first free one, used for last.
func (k *Key) search(want []byte, start, end uint64, last *uint64) (counter uint64, found, used bool) {
	var have, again int
	if last != nil && *last > start {
		start = *last
	}
	if start > end {
		return 0, false, false
	}
	for c := start; ; c++ {
		equal := subtle.ConstantTimeCompare(k.made().code(c), want)
		if last != nil && c == *last {
			again = equal
		} else {
			take := -uint64(equal &^ have) // all ones for the first that is equal
			counter = counter&^take | c&take
			have |= equal
		}
		if c == end { // not the loop's condition: after the last counter there is none
			break
		}
	}
	if have == 0 && again == 1 {
		return *last, false, true
	}
	return counter, have == 1, false
}

// maxCode is the length of the longest code.
const maxCode = MaxDigits

// clean appends code as k writes codes to dst, which has room for it.
// ErrMalformed if it cannot be one: digits are those of ASCII alone, as others,
// of other scripts, are none that a token shows.
func (k *Key) clean(dst []byte, code string) ([]byte, error) {
	coder := k.made()
	for _, r := range code {
		var c byte
		var ok bool
		if r <= '~' {
			c, ok = coder.form(byte(r))
		}
		switch {
		case ok && len(dst) < k.options.Digits:
			dst = append(dst, c)
		case ok, !isFiller(r) && r != '=': // of which passlib makes nothing either
			return nil, ErrMalformed
		}
	}
	if len(dst) != k.options.Digits {
		return nil, ErrMalformed
	}
	return dst, nil
}

// Normalize returns a code as k writes it: without blanks and dashes, letters
// in the right case. The error is ErrMalformed.
func (k *Key) Normalize(code string) (string, error) {
	var buf [maxCode]byte
	text, err := k.clean(buf[:0], code)
	return string(text), err
}

// Look-ahead of counters, RFC 4226 sections 7.2 and 7.4.
const (
	DefaultLookAhead = 10     // codes that a person may have asked for in vain
	MaxLookAhead     = 10_000 // the server computes as many for each wrong code
	NoLookAhead      = -1     // the next code alone
)

// MaxResync is how many codes one Resync takes.
const MaxResync = 10

// MatchCounter looks for code among those of counter next, and of ahead more
// (RFC 4226 section 7.4), at most MaxLookAhead; ahead 0 means DefaultLookAhead,
// NoLookAhead none. It returns the counter of the code, for the caller to store
// that plus 1 as the next one before it lets the client in. Codes of counters
// before next are never found. As Match it takes the same time for every code.
// The errors are ErrMalformed, ErrInvalid, and ErrWindow for another ahead.
func (k *Key) MatchCounter(code string, next uint64, ahead int) (uint64, error) {
	ahead, err := lookAhead(ahead)
	if err != nil {
		return 0, err
	}
	var buf [maxCode]byte
	want, err := k.clean(buf[:0], code)
	if err != nil {
		return 0, err
	}
	end := next + uint64(ahead)
	if end < next {
		end = math.MaxUint64
	}
	counter, found, _ := k.search(want, next, end, nil)
	if !found {
		return 0, ErrInvalid
	}
	return counter, nil
}

// lookAhead returns how many counters after the next one are looked at, or
// ErrWindow.
func lookAhead(ahead int) (int, error) {
	switch {
	case ahead == 0:
		return DefaultLookAhead, nil
	case ahead == NoLookAhead:
		return 0, nil
	case ahead < 0 || ahead > MaxLookAhead:
		return 0, ErrWindow
	}
	return ahead, nil
}

// Resync is MatchCounter for several codes that a client shows one after the
// other: they have to be those of as many counters in a row. Asking for two or
// three allows for a large look-ahead after a token has run away, without making
// a lucky guess likelier (RFC 4226 section 7.4). It returns the counter of the
// last of them. ErrWindow is for more than MaxResync codes too.
func (k *Key) Resync(codes []string, next uint64, ahead int) (uint64, error) {
	ahead, err := lookAhead(ahead)
	switch {
	case err != nil:
		return 0, err
	case len(codes) > MaxResync:
		return 0, ErrWindow
	case len(codes) == 0:
		return 0, ErrMalformed
	}
	want := make([][]byte, len(codes))
	for i, code := range codes {
		if want[i], err = k.clean(make([]byte, 0, maxCode), code); err != nil {
			return 0, err
		}
	}
	var counter uint64
	var have int
	run := make([]int, len(codes)) // run[i]: the last i+1 codes made were the first i+1 wanted
	for c, n := next, ahead+len(codes); n > 0; n-- {
		made := k.made().code(c)
		for i := len(want) - 1; i >= 0; i-- {
			equal := subtle.ConstantTimeCompare(made, want[i])
			if i > 0 {
				equal &= run[i-1]
			}
			run[i] = equal
		}
		take := -uint64(run[len(run)-1] &^ have)
		counter = counter&^take | c&take
		have |= run[len(run)-1]
		if c++; c == 0 { // after the last counter there is none
			break
		}
	}
	if have == 0 {
		return 0, ErrInvalid
	}
	return counter, nil
}

// String tells the match for a log.
func (m Match) String() string {
	return fmt.Sprintf("counter %d, %+d steps", m.Counter, m.Skipped)
}
