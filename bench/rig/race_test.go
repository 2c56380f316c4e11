package rig

import (
	"errors"
	"testing"
	"time"
)

func TestCheck(t *testing.T) {
	const first = "287082" // RFC 6238 appendix B: 94287082 at 59 s, of eight digits
	c := Contestant{Name: "x"}
	for _, test := range []struct {
		text       string
		start, end int64
		ok         bool
	}{
		{first, 30, 30, true},
		{first, 59, 59, true},
		{first, 59, 60, true}, // the step changed while it ran
		{first, 29, 30, true},
		{first, 29, 29, false},
		{first, 60, 60, false},
		{"", 59, 59, false},
		{"94" + first, 59, 59, false},
	} {
		err := c.check(test.text, time.Unix(test.start, 0), time.Unix(test.end, 0))
		if errors.Is(err, ErrWrongCode) == test.ok {
			t.Errorf("%q between %d and %d s: %v", test.text, test.start, test.end, err)
		}
	}
}
