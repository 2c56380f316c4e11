package library

import (
	"testing"
	"time"

	"github.com/pquerna/otp"
	pquerna "github.com/pquerna/otp/totp"

	"github.com/o2fa/o2fa/totp"
)

const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

// moment moves on, so that no code is the one before.
type moment struct{ unix int64 }

func (m *moment) next() time.Time {
	m.unix += 30
	return time.Unix(m.unix, 0)
}

func prepared(tb testing.TB) *totp.Key {
	tb.Helper()
	raw, err := totp.DecodeSecret(secret)
	if err != nil {
		tb.Fatal(err)
	}
	key, err := totp.NewKey(raw, totp.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// peerOptions are the same steps, digits and hash as totp's defaults.
var peerOptions = pquerna.ValidateOpts{Period: 30, Skew: 1, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}

// TestSameCodes shows that both do the same work.
func TestSameCodes(t *testing.T) {
	key, m := prepared(t), moment{1_000_000_000}
	for range 1000 {
		at := m.next()
		theirs, err := pquerna.GenerateCodeCustom(secret, at, peerOptions)
		if err != nil || theirs != key.Code(at) {
			t.Fatalf("at %v: %s, pquerna/otp has %s, %v", at, key.Code(at), theirs, err)
		}
		if valid, err := pquerna.ValidateCustom(key.Code(at), secret, at.Add(20*time.Second), peerOptions); !valid || err != nil {
			t.Fatalf("pquerna/otp refuses the code of %v: %v", at, err)
		}
		if _, err := key.Match(theirs, at.Add(20*time.Second), totp.Window{}); err != nil {
			t.Fatalf("the code of %v: %v", at, err)
		}
	}
}

func BenchmarkGenerate(b *testing.B) {
	b.Run("totp prepared", func(b *testing.B) {
		key, m, buf := prepared(b), moment{1_000_000_000}, make([]byte, 0, totp.MaxDigits)
		b.ReportAllocs()
		for b.Loop() {
			buf = key.AppendCode(buf[:0], key.Counter(m.next()))
		}
	})
	b.Run("totp from text", func(b *testing.B) {
		m := moment{1_000_000_000}
		b.ReportAllocs()
		for b.Loop() {
			prepared(b).Code(m.next())
		}
	})
	b.Run("pquerna from text", func(b *testing.B) { // it knows no prepared key
		m := moment{1_000_000_000}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := pquerna.GenerateCodeCustom(secret, m.next(), peerOptions); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkValidate takes the code of now, with a step before and after. Where
// pquerna/otp stops at the first that is equal, Match compares them all.
func BenchmarkValidate(b *testing.B) {
	at := time.Unix(1_000_000_000, 0)
	for _, c := range []struct{ name, code string }{{"right", prepared(b).Code(at)}, {"wrong", "000000"}} {
		b.Run("totp prepared/"+c.name, func(b *testing.B) {
			key := prepared(b)
			b.ReportAllocs()
			for b.Loop() {
				_, _ = key.Match(c.code, at, totp.Window{})
			}
		})
		b.Run("totp from text/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = prepared(b).Match(c.code, at, totp.Window{})
			}
		})
		b.Run("pquerna from text/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = pquerna.ValidateCustom(c.code, secret, at, peerOptions)
			}
		})
	}
}
