package ipc

import (
	"cmp"
	"strconv"
	"strings"
)

// VersionReply is what "o2fa version --json" and "o2fad version --json" print.
type VersionReply struct {
	Release string `json:"release"`
	API     int    `json:"api"` // Version
}

// MaxVersionReply bounds, in bytes, what a program may say of its version.
const MaxVersionReply = 4 << 10

// NewerRelease reports whether candidate may take over from running: both are
// releases of the form 1.2.3 and candidate is the larger. A development build
// (one with a hyphen) never takes over; any release takes over from the
// development build of the same or a smaller number. What is not of that form
// is never newer.
func NewerRelease(candidate, running string) bool {
	c, cDev, ok := parseRelease(candidate)
	if !ok || cDev {
		return false
	}
	r, rDev, ok := parseRelease(running)
	if !ok {
		return false
	}
	for i := range c {
		if d := cmp.Compare(c[i], r[i]); d != 0 {
			return d > 0
		}
	}
	return rDev
}

// parseRelease splits 1.2.3 or 1.2.3-suffix.
func parseRelease(text string) (n [3]int, dev, ok bool) {
	numbers, _, dev := strings.Cut(text, "-")
	parts := strings.Split(numbers, ".")
	if len(parts) != len(n) {
		return n, dev, false
	}
	for i, part := range parts {
		v, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return n, dev, false
		}
		n[i] = int(v)
	}
	return n, dev, true
}
