package bench

import (
	"testing"

	"github.com/o2fa/o2fa/totp"
)

// BenchmarkCode is the part of a code that is neither process nor socket.
func BenchmarkCode(b *testing.B) {
	key, err := totp.NewKey([]byte("12345678901234567890"), totp.Options{})
	if err != nil {
		b.Fatal(err)
	}
	var buf [totp.MaxDigits]byte
	b.ReportAllocs()
	for counter := uint64(0); b.Loop(); counter++ {
		key.AppendCode(buf[:0], counter)
	}
}

// TestBenchmarksMeasureRealCodes keeps the benchmark from timing an error.
func TestBenchmarksMeasureRealCodes(t *testing.T) {
	key, err := totp.NewKey([]byte("12345678901234567890"), totp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(key.AppendCode(nil, 1)); got != "287082" { // RFC 4226 appendix D
		t.Errorf("code %s", got)
	}
}
