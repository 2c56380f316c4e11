package ipc

import "testing"

func TestNewerRelease(t *testing.T) {
	for _, c := range []struct {
		candidate, running string
		want               bool
	}{
		{"1.0.1", "1.0.0", true}, {"1.10.0", "1.9.9", true}, {"2.0.0", "1.99.99", true},
		{"1.0.0", "1.0.0", false}, {"1.0.0", "1.0.1", false}, {"0.9.9", "1.0.0", false},
		{"1.0.1-dev", "1.0.0", false}, {"1.0.1-rc.1", "1.0.0", false},
		{"1.0.0", "1.0.0-dev", true}, {"1.0.0-dev", "1.0.0-dev", false}, {"1.0.0", "1.0.1-dev", false},
		{"", "1.0.0", false}, {"1.0", "1.0.0", false}, {"1.0.1", "", false}, {"v1.0.1", "1.0.0", false},
		{"0.10.0", "0.9.0", true}, {"1.2.3.4", "0.0.1", false}, {"1..3", "0.0.1", false}, {"1.2.x", "0.0.1", false},
		{"1.-1.0", "0.1.0", false}, {"1.0.99999999999", "1.0.0", false},
	} {
		if got := NewerRelease(c.candidate, c.running); got != c.want {
			t.Errorf("NewerRelease(%q, %q) = %t", c.candidate, c.running, got)
		}
	}
}
