package totp

import (
	"encoding/base32"
	"encoding/json"
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

// FuzzParseJSON checks that whatever is read can be written and reads as the
// same, in clear and under a wallet.
func FuzzParseJSON(f *testing.F) {
	w := mustWallet(f, "1: one\n2: two\n", WalletOptions{Cost: 1})
	sealed, err := NewCredential([]byte("ten bytes."), Options{}).JSON(w)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		`{"key":"JBSWY3DPEHPK3PXP","type":"totp","v":1}`, `{"alg":"sha512","digits":10,"issuer":"\u00e9","key":"MY","label":"a","period":1,"type":"totp","v":1}`,
		`{"counter":18446744073709551615,"key":"MY","type":"hotp","v":1}`, sealed, `{"type":"totp","v":1e0,"key":"MY"}`, `{}`, `[`, `{"type":null}`,
		`{"enckey":{"c":1,"k":"MY","s":"MY","t":"2","v":1},"type":"totp","v":1}`, `{"key":"MY","label":"\ud800","type":"totp","v":1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, _, err := ParseJSON(string(text), w)
		if err != nil {
			if fe := (*FieldError)(nil); !errors.As(err, &fe) || !reflect.DeepEqual(c, Credential{}) {
				t.Fatalf("%q: %#v, %#v", text, c, err)
			}
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%q was read but is no JSON", text)
		}
		if _, err := c.Key(); err != nil {
			t.Fatalf("%q was read but has no key: %v", text, err)
		}
		for _, wallet := range []*Wallet{nil, w} {
			stored, err := c.JSON(wallet)
			if errors.Is(err, ErrLongSecret) {
				continue
			}
			if err != nil {
				t.Fatalf("%q was read but cannot be written: %v", text, err)
			}
			back, changed, err := ParseJSON(stored, wallet)
			if err != nil || changed || !reflect.DeepEqual(back, c) {
				t.Fatalf("%q became %q, which is %v, %t, %v", text, stored, back, changed, err)
			}
		}
	})
}

// FuzzEnckey checks that what opens does not open when a bit of it differs, and
// that no cost is read that is not bounded.
func FuzzEnckey(f *testing.F) {
	w := mustWallet(f, "1: one\n", WalletOptions{Cost: 1})
	sealed, err := w.Encrypt([]byte("ten bytes."))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed.Version, sealed.Cost, sealed.Tag, sealed.Salt, sealed.Key)
	f.Add(1, 1, "1", []byte("salt"), []byte("key"))
	f.Add(2, -1, "", []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, version, cost int, tag string, salt, key []byte) {
		e := EncryptedKey{version, cost & 7, tag, salt, key}
		secret, _, err := w.Decrypt(e)
		if err == nil && version == formAuthenticated {
			changed := e
			changed.Key = append([]byte(nil), key...)
			changed.Key[len(salt)%len(key)] ^= 1 << (cost & 7)
			if _, _, err := w.Decrypt(changed); !errors.Is(err, ErrOpen) {
				t.Fatalf("%+v opens to %x, and %+v opens too", e, secret, changed)
			}
		}
		if err == nil && len(secret) == 0 {
			t.Fatalf("%+v opens to nothing", e)
		}
		fields := EncryptedKey{version, cost, tag, salt, key}.Map()
		if back, err := ParseEncryptedKey(fields); err == nil {
			if back.Cost < 0 || back.Cost > MaxCost || back.Version != version || back.Cost != cost || string(back.Key) != string(key) {
				t.Fatalf("%v reads as %+v", fields, back)
			}
		}
	})
}

// FuzzNormalize checks that what is taken for a code is one, and that its blanks
// and dashes make no difference.
func FuzzNormalize(f *testing.F) {
	for _, seed := range []string{"", "123456", "123 456", "12-34-56", "1234567", "12345x", "\u0661\u0662\u0663\u0664\u0665\u0666", "fr8rv", " F R 8 R V ", "\xff", "=123456="} {
		f.Add(seed)
	}
	secret := []byte("sixteen bytes...")
	steam, _ := NewSteam(secret)
	motp, _ := NewMOTP(secret, "1234")
	yandex, _ := NewYandex(secret, "1234")
	keys := map[string]*Key{"0123456789": mustKey(f, string(secret), Options{}), steamAlphabet: steam, "0123456789abcdef": motp, "abcdefghijklmnopqrstuvwxyz": yandex}
	f.Fuzz(func(t *testing.T, typed string) {
		for alphabet, k := range keys {
			code, err := k.Normalize(typed)
			if err != nil {
				if !errors.Is(err, ErrMalformed) || code != "" {
					t.Fatalf("%v: %q: %q, %v", k, typed, code, err)
				}
				continue
			}
			if len(code) != k.Options().Digits || strings.Trim(code, alphabet) != "" {
				t.Fatalf("%v: %q is taken for %q", k, typed, code)
			}
			if again, err := k.Normalize("- " + code[:2] + "\t" + code[2:]); err != nil || again != code {
				t.Fatalf("%v: %q, then %q, %v", k, code, again, err)
			}
		}
	})
}
