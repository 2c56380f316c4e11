package totp

import (
	"testing"
	"time"
)

func BenchmarkAppendCode(b *testing.B) {
	for _, algorithm := range []Algorithm{SHA1, SHA256, SHA512} {
		b.Run(algorithm.String(), func(b *testing.B) {
			k := mustKey(b, rfcSecrets[algorithm], Options{Algorithm: algorithm})
			buf := make([]byte, 0, MaxDigits)
			b.ReportAllocs()
			var counter uint64
			for b.Loop() {
				buf = k.AppendCode(buf[:0], counter)
				counter++
			}
		})
	}
}

func BenchmarkToken(b *testing.B) {
	k := mustKey(b, rfcSecrets[SHA1], Options{})
	now := time.Unix(1234567890, 0)
	b.ReportAllocs()
	for b.Loop() {
		k.Token(now)
	}
}

// BenchmarkNewKeyAndCode is what one code costs from a secret that is not kept
// prepared.
func BenchmarkNewKeyAndCode(b *testing.B) {
	secret := []byte(rfcSecrets[SHA1])
	b.ReportAllocs()
	for b.Loop() {
		k, err := NewKey(secret, Options{})
		if err != nil {
			b.Fatal(err)
		}
		k.HOTP(1)
	}
}

func BenchmarkDecodeSecret(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeSecret("gezd gnbv gy3t qojq gezd gnbv gy3t qojq"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseURI(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseURI("otpauth://totp/Example:alice@example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Example&digits=6&period=30"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkURI(b *testing.B) {
	u := NewCredential([]byte(rfcSecrets[SHA1]), Options{})
	u.Issuer, u.Account = "Example", "alice@example.com"
	b.ReportAllocs()
	for b.Loop() {
		if _, err := u.URI(); err != nil {
			b.Fatal(err)
		}
	}
}
