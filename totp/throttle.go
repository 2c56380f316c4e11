package totp

import (
	"math"
	"time"
)

// Throttle counts the wrong codes of one client, so that guessing takes too long
// (RFC 4226 section 7.3). It is a value: the caller stores it with the client,
// as JSON if it likes, changes it with Failed and Succeeded, and asks Wait
// before each match. What is stored must survive a restart, and two matches of
// one client must not run at the same time: else guesses come free.
//
// The zero value is a client that has failed nothing.
type Throttle struct {
	Failures int       `json:"failures,omitempty"` // wrong codes since the last right one
	Last     time.Time `json:"last,omitzero"`      // when the last of them came
}

// Delays of DefaultDelay.
const (
	firstDelay = 5 * time.Second
	maxDelay   = time.Hour
	freeTries  = 3
)

// DefaultDelay is how long a client waits after so many failures: not at all
// after three, as people mistype, then 5 seconds more for each, at most an hour.
// That leaves some 1,100 guesses in the first month: of codes of six digits with
// a window of three steps one account in 300 would fall to them.
func DefaultDelay(failures int) time.Duration {
	if failures <= freeTries {
		return 0
	}
	return time.Duration(min(failures-freeTries, int(maxDelay/firstDelay))) * firstDelay
}

// Wait returns how long from now no code must be looked at, 0 if one may be.
// delay is a function of the caller's, or nil for DefaultDelay. A clock that was set back
// lengthens no wait beyond the delay itself.
func (t Throttle) Wait(now time.Time, delay func(failures int) time.Duration) time.Duration {
	if delay == nil {
		delay = DefaultDelay
	}
	wait := delay(t.Failures)
	if passed := now.Sub(t.Last); passed > 0 {
		wait -= passed
	}
	return max(0, wait)
}

// Failed returns t with one more wrong code.
func (t Throttle) Failed(now time.Time) Throttle {
	return Throttle{Failures: min(t.Failures, math.MaxInt-1) + 1, Last: now.UTC().Truncate(time.Millisecond)}
}

// Succeeded returns t after a right code: everything is forgiven.
func (t Throttle) Succeeded() Throttle { return Throttle{} }
