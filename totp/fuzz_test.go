package totp

import (
	"encoding/base32"
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzDecodeSecret compares with encoding/base32 over the characters that
// count, and checks that what was read survives being written and grouped.
func FuzzDecodeSecret(f *testing.F) {
	for _, seed := range []string{
		"", "JBSWY3DPEHPK3PXP", "jbsw y3dp-ehpk\t3pxp\n", "MY======", "MY", "MZXW6YQ=", "MZ=XW", "M", "MZX", "77",
		"========", "MZXW0", "\u00a0MY\u2013\u200b", "MZ\xff", "\u017f\u212a", "MY = = = = = =",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := DecodeSecret(text)
		if err != nil {
			checkSecretError(t, text, got, err)
			return
		}
		plain := strings.Map(func(r rune) rune {
			if _, ok := base32Value(r); ok {
				return r
			}
			return -1
		}, text)
		want, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(plain))
		if err != nil || string(got) != string(want) || len(got) == 0 {
			t.Fatalf("%q: %x; encoding/base32 says %x, %v", text, got, want, err)
		}
		encoded := EncodeSecret(got)
		grouped := strings.ToLower(strings.Join(strings.SplitAfter(encoded, "A"), " - "))
		for _, form := range []string{encoded, grouped} {
			if back, err := DecodeSecret(form); err != nil || string(back) != string(got) {
				t.Fatalf("%q became %q, which is %x, %v", text, form, back, err)
			}
		}
	})
}

func checkSecretError(t *testing.T, text string, got []byte, err error) {
	t.Helper()
	var se *SecretError
	if !errors.As(err, &se) || got != nil {
		t.Fatalf("%q: %x, %#v", text, got, err)
	}
	if se.Position < 0 || se.Position > utf8.RuneCountInString(text) || (se.Position == 0) != errors.Is(err, ErrEmpty) {
		t.Fatalf("%q: position %d for %v", text, se.Position, se.Err)
	}
	r := []rune(text)
	switch {
	case errors.Is(err, ErrEmpty):
	case errors.Is(err, ErrPadding):
		if r[se.Position-1] != '=' {
			t.Fatalf("%q: no padding at %d", text, se.Position)
		}
	case errors.Is(err, ErrLength), errors.Is(err, ErrCharacter):
		if _, ok := base32Value(r[se.Position-1]); ok != errors.Is(err, ErrLength) {
			t.Fatalf("%q: %v at %d", text, se.Err, se.Position)
		}
	default:
		t.Fatalf("%q: unknown reason %v", text, se.Err)
	}
}

// FuzzParseURI checks that whatever is read can be written, unless the format
// forbids it, and then reads as the same, here and to net/url.
func FuzzParseURI(f *testing.F) {
	for _, seed := range []string{
		"otpauth://totp/Example:alice@google.com?secret=JBSWY3DPEHPK3PXP&issuer=Example",
		"otpauth://totp/Big%20Corporation%3A%20alice%40bigco.com?secret=jbsw+y3dp&period=60&digits=8&algorithm=SHA256",
		"otpauth://hotp/a?secret=MY&counter=18446744073709551615&period=x", "otpauth://totp?secret=MY",
		"otpauth://totp/C# 100%:a+b?secret=MY&issuer=Old&x=1&y", "OTPAUTH://HOTP/:::?&&SECRET=MY&counter=0&=",
		"otpauth://totp/a?secret=MY&secret=MY", "otpauth://totp/%FF?secret=MY", "otpauth://totp/%00%zz%?secret=MY&%=%",
		"otpauth://steam/a?secret=MY", "otpauth://totp/\u00a0a\u3000?secret=MY&issuer=%C2%A0",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := ParseURI(text)
		if err != nil {
			if ue := (*URIError)(nil); !errors.As(err, &ue) || ue.Part == "" || !reflect.DeepEqual(u, Credential{}) {
				t.Fatalf("%q: %#v, %#v", text, u, err)
			}
			return
		}
		if _, err := u.Key(); err != nil {
			t.Fatalf("%q was read but has no key: %v", text, err)
		}
		encoded, err := u.URI()
		if err != nil {
			colon := strings.Contains(u.Issuer+u.Account, ":") && errors.Is(err, ErrColon)
			if !colon && !errors.Is(err, ErrTooLong) {
				t.Fatalf("%q was read but cannot be written: %v", text, err)
			}
			return
		}
		back, err := ParseURI(encoded)
		if err != nil || !reflect.DeepEqual(back, u) {
			t.Fatalf("%q became %q, which is %v, %v", text, encoded, back, err)
		}
		if again, err := back.URI(); err != nil || again != encoded {
			t.Fatalf("%q, then %q, %v", encoded, again, err)
		}
		checkWithNetURL(t, u, encoded)
	})
}

func checkWithNetURL(t *testing.T, u Credential, encoded string) {
	t.Helper()
	parsed, err := url.Parse(encoded)
	if err != nil {
		t.Fatalf("net/url refuses %q: %v", encoded, err)
	}
	query, err := url.ParseQuery(parsed.RawQuery)
	if err != nil || parsed.Fragment != "" || parsed.Host != u.Type.String() || !strings.HasSuffix(parsed.Path, u.Account) ||
		query.Get("issuer") != u.Issuer || query.Get("secret") != EncodeSecret(u.Secret()) {
		t.Fatalf("net/url reads %q otherwise: %v, %v", encoded, parsed, err)
	}
	for name, value := range u.Extra {
		if !reflect.DeepEqual(query[name], []string{value}) {
			t.Fatalf("net/url reads %q as %q in %q", name, query[name], encoded)
		}
	}
}
