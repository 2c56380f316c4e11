package totp

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func mustWallet(t testing.TB, text string, o WalletOptions) *Wallet {
	t.Helper()
	w, err := ParseWallet(text, o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWalletSealsAndRotates(t *testing.T) {
	old := mustWallet(t, "1: old\n", WalletOptions{Cost: 3})
	f := Factory{Options: Options{Algorithm: SHA256, Digits: 8, Period: time.Minute}, Issuer: "Example", Wallet: old}
	c, err := f.New("alice")
	if err != nil || len(c.Secret()) != 32 {
		t.Fatal(c, err)
	}
	text, err := f.JSON(c)
	if err != nil || strings.Contains(text, EncodeSecret(c.Secret())) || !strings.Contains(text, `"v":2`) {
		t.Fatalf("%s, %v", text, err)
	}
	back, changed, err := f.Parse(text)
	if err != nil || changed || describe(back, false) != describe(c, false) {
		t.Errorf("%+v, %t, %v", describe(back, false), changed, err)
	}
	for name, c := range map[string]struct {
		secrets string
		o       WalletOptions
		changed bool
		err     error
	}{
		"the same":         {"1: old\n", WalletOptions{Cost: 3}, false, nil},
		"another cost":     {"1: old\n", WalletOptions{Cost: 4}, true, nil},
		"a newer tag":      {"1: old\n2: new\n", WalletOptions{Cost: 3}, true, nil},
		"an older default": {"1: old\n2: new\n", WalletOptions{Cost: 3, Tag: "1"}, false, nil},
		"passlib's form":   {"1: old\n", WalletOptions{Cost: 3, Passlib: true}, true, nil},
		"another secret":   {"1: other\n", WalletOptions{Cost: 3}, false, ErrOpen},
		"no such tag":      {"2: old\n", WalletOptions{Cost: 3}, false, ErrNoTag},
	} {
		back, changed, err := Factory{Wallet: mustWallet(t, c.secrets, c.o)}.Parse(text)
		if !errors.Is(err, c.err) || changed != c.changed || err == nil && string(back.Secret()) == "" {
			t.Errorf("%s: %t, %v", name, changed, err)
		}
	}
	if _, _, err := (Factory{}).Parse(text); !errors.Is(err, ErrWallet) {
		t.Errorf("without a wallet: %v", err)
	}
	plain, err := Factory{}.JSON(c)
	if _, changed, err2 := f.Parse(plain); err != nil || err2 != nil || !changed {
		t.Errorf("a secret in clear beside a wallet: %t, %v, %v", changed, err, err2)
	}
}

// TestAuthenticatedFormKnowsEveryBit changes each field of a sealed secret.
func TestAuthenticatedFormKnowsEveryBit(t *testing.T) {
	w := mustWallet(t, "1: one\n2: two\n", WalletOptions{Cost: 2})
	sealed, err := w.Encrypt([]byte("ten bytes."))
	if err != nil {
		t.Fatal(err)
	}
	open := func(e EncryptedKey) error { _, _, err := w.Decrypt(e); return err }
	if err := open(sealed); err != nil || len(sealed.Salt) != 16 {
		t.Fatal(err, len(sealed.Salt))
	}
	same := mustWallet(t, "1: one\n2: one\n", WalletOptions{Cost: 2})
	moved, err := same.Encrypt([]byte("ten bytes."))
	moved.Tag = "1"
	if _, _, err2 := same.Decrypt(moved); err != nil || !errors.Is(err2, ErrOpen) {
		t.Errorf("under another tag of the same secret: %v, %v", err, err2)
	}
	for i := range 8 * len(sealed.Key) {
		e := sealed
		e.Key = append([]byte(nil), sealed.Key...)
		e.Key[i/8] ^= 1 << (i % 8)
		if err := open(e); !errors.Is(err, ErrOpen) {
			t.Fatalf("bit %d of the key: %v", i, err)
		}
	}
	for i := range 8 * len(sealed.Salt) {
		e := sealed
		e.Salt = append([]byte(nil), sealed.Salt...)
		e.Salt[i/8] ^= 1 << (i % 8)
		if err := open(e); !errors.Is(err, ErrOpen) {
			t.Fatalf("bit %d of the salt: %v", i, err)
		}
	}
	for name, change := range map[string]struct {
		e    EncryptedKey
		want error
	}{
		"cost":         {EncryptedKey{2, 3, "2", sealed.Salt, sealed.Key}, ErrOpen},
		"tag":          {EncryptedKey{2, 2, "1", sealed.Salt, sealed.Key}, ErrOpen},
		"version":      {EncryptedKey{3, 2, "2", sealed.Salt, sealed.Key}, ErrVersion},
		"a huge cost":  {EncryptedKey{2, 60, "2", sealed.Salt, sealed.Key}, ErrCost},
		"a short key":  {EncryptedKey{2, 2, "2", sealed.Salt, sealed.Key[:5]}, ErrOpen},
		"an empty key": {EncryptedKey{2, 2, "2", sealed.Salt, nil}, ErrEmpty},
	} {
		if err := open(change.e); !errors.Is(err, change.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	again, err := w.Encrypt([]byte("ten bytes."))
	if err != nil || string(again.Salt) == string(sealed.Salt) || string(again.Key) == string(sealed.Key) {
		t.Error("the same secret seals to the same text")
	}
	if _, err := w.Encrypt(nil); !errors.Is(err, ErrEmpty) {
		t.Errorf("no secret: %v", err)
	}
	if _, err := w.Encrypt(make([]byte, 1009)); !errors.Is(err, ErrLongSecret) {
		t.Errorf("a long secret: %v", err)
	}
	if e, err := w.Encrypt(make([]byte, 1008)); err != nil || open(e) != nil {
		t.Errorf("the longest secret: %v", err)
	}
}

func TestWrongWallets(t *testing.T) {
	for text, want := range map[string]error{
		"": ErrEmpty, "# nothing\n": ErrEmpty, "{}": ErrEmpty, "no colon\n": ErrSecrets, "a: b\nc\n": ErrSecrets, "1: a\n1: b\n": ErrDuplicate,
		`{"1":"a","1":"b"}`: ErrDuplicate, `{"1":2}`: ErrSecrets, `{"1":["a"]}`: ErrSecrets, `{"1":"a"} x`: ErrSecrets, `{"1":"a"`: ErrSecrets,
		`{"1":"a"}}`: ErrSecrets, `{"1":"a"}]`: ErrSecrets, `{"1":"a",}`: ErrSecrets, "{\"1\":\"\xff\"}": ErrSecrets,
		"1:\n": ErrEmpty, "-1: a\n": ErrTag, "a b: c\n": ErrTag, ": a\n": ErrTag, "\u00e9: a\n": ErrTag, strings.Repeat("x", maxWallet+1): ErrTooLong,
	} {
		if w, err := ParseWallet(text, WalletOptions{}); !errors.Is(err, want) {
			t.Errorf("%.20q: %v, %v; want %v", text, w, err, want)
		} else if strings.Contains(err.Error(), "\"b\"") {
			t.Errorf("%q: %v", text, err)
		}
	}
	secrets := map[string][]byte{"1": []byte("a")}
	for o, want := range map[WalletOptions]error{{Tag: "2"}: ErrNoTag, {Cost: -1}: ErrCost, {Cost: MaxCost + 1}: ErrCost} {
		if w, err := NewWallet(secrets, o); !errors.Is(err, want) {
			t.Errorf("%+v: %v, %v", o, w, err)
		}
	}
	w, err := NewWallet(secrets, WalletOptions{})
	if err != nil || w.String() != "totp.Wallet(1; seals under 1, cost 14)" {
		t.Error(w, err)
	}
	secrets["1"][0] = 'b' // the wallet has a copy
	if string((**w.secrets)["1"]) != "a" {
		t.Error("the caller's slice is the wallet's")
	}
	for text, want := range map[string]string{"010: a\n9: b\n": "010", "a_b: x\na.c: y\n": "a_b"} {
		if w, err := ParseWallet(text, WalletOptions{}); err != nil || w.Tag() != want {
			t.Errorf("%q: %v, %v; want %s", text, w, err, want)
		}
	}
	if got := len(GenerateWalletSecret(0)); got != 43 {
		t.Errorf("an application secret of %d characters", got)
	}
	kept := (**w.secrets)["1"]
	w.Wipe()
	if kept[0] != 0 {
		t.Error("Wipe left a secret")
	}
	if _, err := w.Encrypt([]byte("x")); !errors.Is(err, ErrNoTag) {
		t.Errorf("a wiped wallet seals: %v", err)
	}
}

func TestLoadWallet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets")
	if _, err := LoadWallet(path, WalletOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(path, []byte("2026-01-31: canary\n2026-06-30: other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if w, err := LoadWallet(path, WalletOptions{}); err != nil || w.Tag() != "2026-06-30" {
		t.Error(w, err)
	}
	if err := os.WriteFile(path, []byte("canary without a tag"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadWallet(path, WalletOptions{}); !errors.Is(err, ErrSecrets) || strings.Contains(err.Error(), "canary") {
		t.Errorf("%v", err)
	}
}

func TestFactory(t *testing.T) {
	for name, c := range map[string]struct {
		f    Factory
		want error
	}{
		"small": {Factory{Size: 9}, ErrSize}, "large": {Factory{Size: 21}, ErrSize}, "colon": {Factory{Issuer: "a:b"}, ErrColon},
		"digits": {Factory{Options: Options{Digits: 5}}, ErrDigits}, "period": {Factory{Options: Options{Period: 1}}, ErrPeriod},
		"algorithm": {Factory{Options: Options{Algorithm: 9}}, ErrAlgorithm}, "ok": {Factory{Size: 10}, nil},
	} {
		got, err := c.f.New("alice")
		if !errors.Is(err, c.want) || err == nil && len(got.Secret()) != 10 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := (Factory{}).New("a:b"); !errors.Is(err, ErrColon) {
		t.Errorf("a colon in the account: %v", err)
	}
	for algorithm, size := range map[Algorithm]int{SHA1: 20, SHA256: 32, SHA512: 64} {
		c, err := Factory{Options: Options{Algorithm: algorithm}}.New("")
		if err != nil || len(c.Secret()) != size {
			t.Errorf("%v: %d bytes, %v", algorithm, len(c.Secret()), err)
		}
	}
	options := Options{Algorithm: SHA512, Digits: 8, Period: time.Minute}
	f := Factory{Options: options, Issuer: "Example"}
	made, err1 := f.New("alice")
	taken, err2 := f.Import([]byte(hello), "alice")
	for _, c := range []Credential{made, taken} {
		if err := errors.Join(err1, err2); err != nil || c.Options != options || c.Type != TOTP || c.Label() != "Example:alice" {
			t.Errorf("%v, %v", c, err)
		}
	}
	if string(taken.Secret()) != hello {
		t.Errorf("Import took %x", taken.Secret())
	}
	if _, err := (Factory{}).Import(nil, ""); !errors.Is(err, ErrEmpty) {
		t.Errorf("no secret: %v", err)
	}
}

// TestDefaultsBreakNoRoundTrip is passlib's trap: there a class with 8 digits
// writes a key of 6 without them, and reads it as one of 8.
func TestDefaultsBreakNoRoundTrip(t *testing.T) {
	eight := Factory{Options: Options{Digits: 8, Period: time.Minute, Algorithm: SHA512}, Issuer: "Default"}
	for _, f := range []Factory{{}, {Issuer: "Other"}, eight} {
		c, err := f.New("alice")
		if err != nil {
			t.Fatal(err)
		}
		text, err := eight.JSON(c)
		if err != nil {
			t.Fatal(err)
		}
		uri, err := c.URI()
		if err != nil {
			t.Fatal(err)
		}
		m, err := eight.Map(c)
		if err != nil {
			t.Fatal(err)
		}
		fromMap, _, err := eight.ParseMap(m)
		if err != nil || describe(fromMap, false) != describe(c, false) {
			t.Errorf("%v: %+v, %v", m, describe(fromMap, false), err)
		}
		sealing := eight
		sealing.Wallet = mustWallet(t, "1: s\n", WalletOptions{Cost: 1})
		for source, want := range map[string]error{uri: nil, uri[1:]: ErrJSON} {
			if _, changed, err := sealing.Parse(source); changed != (want == nil) || !errors.Is(err, want) {
				t.Errorf("%s beside a wallet: %t, %v", source, changed, err)
			}
		}
		for _, source := range []string{text, uri} {
			back, changed, err := eight.Parse(source)
			if err != nil || changed || describe(back, false) != describe(c, false) {
				t.Errorf("%s: %+v, %v", source, describe(back, false), err)
			}
		}
	}
}

func TestVerify(t *testing.T) {
	f := Factory{Wallet: mustWallet(t, "1: s\n", WalletOptions{Cost: 1})}
	c, err := f.New("alice")
	if err != nil {
		t.Fatal(err)
	}
	k, err := c.Key()
	if err != nil {
		t.Fatal(err)
	}
	text, err := f.JSON(c)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1_000_000_005, 0)
	m, err := f.Verify(k.Code(at), text, at, Window{})
	if err != nil || m.Skipped != 0 || m.String() != "counter 33333333, +0 steps" {
		t.Error(m, err)
	}
	if _, err := f.Verify(k.Code(at), text, at, Window{Last: &m.Counter}); !errors.Is(err, ErrUsed) {
		t.Error(err)
	}
	if _, err := f.Verify("1", text, at, Window{}); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
	if _, err := f.Verify("123456", "nothing", at, Window{}); !errors.Is(err, ErrJSON) {
		t.Error(err)
	}
	if _, err := f.Verify("755224", "otpauth://hotp/a?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&counter=0", at, Window{}); !errors.Is(err, ErrByCounter) {
		t.Errorf("a credential by counter: %v", err)
	}
}

func TestCounterCredentialsAsJSON(t *testing.T) {
	c := byCounter(1<<63 + 7)
	text, err := c.JSON(nil)
	if want := `{"counter":9223372036854775815,"key":"JBSWY3DPEHPK3PXP","label":"a","type":"hotp","v":1}`; err != nil || text != want {
		t.Errorf("%s, %v", text, err)
	}
	back, _, err := ParseJSON(text, nil)
	if err != nil || back.Type != HOTP || back.Counter != 1<<63+7 {
		t.Errorf("%+v, %v", back, err)
	}
}

func TestWrongJSON(t *testing.T) {
	const key = `"key":"JBSWY3DPEHPK3PXP"`
	w := mustWallet(t, "1: s\n", WalletOptions{Cost: 1})
	for text, want := range map[string]error{
		``: ErrJSON, `null`: ErrJSON, `[]`: ErrJSON, `"x"`: ErrJSON, `{` + key + `}`: ErrMissing, `{"type":"totp","v":1}`: ErrMissing,
		`{"type":"totp",` + key + `}`: ErrVersion, `{"type":"totp","v":2,` + key + `}`: ErrVersion, `{"type":"totp","v":"1",` + key + `}`: ErrValue,
		`{"type":"steam","v":1,` + key + `}`: ErrType, `{"type":1,"v":1,` + key + `}`: ErrValue, `{"type":"hotp","v":1,` + key + `}`: ErrMissing,
		`{"type":"totp","v":1,"digits":5,` + key + `}`: ErrDigits, `{"type":"totp","v":1,"digits":6.5,` + key + `}`: ErrValue,
		`{"type":"totp","v":1,"digits":-6,` + key + `}`: ErrValue, `{"type":"totp","v":1,"digits":11,` + key + `}`: ErrDigits, `{"type":"totp","v":1,"digits":0,` + key + `}`: ErrDigits,
		`{"type":"totp","v":1,"period":9223372037,` + key + `}`: ErrPeriod, `{"type":"totp","v":1,"period":36028797018963998,` + key + `}`: ErrPeriod, `{"type":"totp","v":1,"period":0,` + key + `}`: ErrPeriod,
		`{"type":"totp","v":1,"alg":"md5",` + key + `}`: ErrAlgorithm, `{"type":"totp","v":1,"alg":1,` + key + `}`: ErrAlgorithm,
		`{"type":"totp","v":1,"label":"a:b",` + key + `}`: ErrColon, `{"type":"totp","v":1,"issuer":7,` + key + `}`: ErrValue,
		`{"type":"totp","v":1,"novel":1,` + key + `}`: ErrUnknown, `{"type":"totp","v":1,"key":"0189"}`: ErrCharacter, `{"type":"totp","v":1,"key":""}`: ErrEmpty,
		`{"type":"totp","v":1,"key":5}`: ErrValue, `{"type":"totp","v":1,` + key + `} {}`: ErrJSON, `{"type":"totp","v":1,` + key + `}}`: ErrJSON,
		`{"type":"totp","v":1,` + key + `}]`: ErrJSON, `{"type":"totp","v":1,` + key + `,}`: ErrJSON, `{"type":"totp","v":1,"label":"` + "\xff" + `",` + key + `}`: ErrJSON,
		`{"type":"totp","v":1,` + key + `,` + key + `}`: ErrDuplicate, `{"type":"totp","v":1,"enckey":{"v":1,"\u0076":1}}`: ErrDuplicate,
		`{"type":"totp","v":1,"label":["a"],` + key + `}`: ErrValue, `{"type":"totp","v":null,` + key + `}`: ErrVersion, `{"type":null,"v":1,` + key + `}`: ErrMissing,
		`{"type":"hotp","v":1,"counter":null,` + key + `}`: ErrMissing, `{"type":"totp","v":1,"enckey":{"v":1,"c":null,"t":"1","s":"MY","k":"MY"}}`: ErrMissing,
		`{"type":"totp","v":1,"enckey":{"v":1,"c":1,"t":"1","s":"` + strings.Repeat("A", 2056) + `","k":"MY"}}`: ErrTooLong,
		`{"type":"totp","v":1,` + key + `,"enckey":{}}`:                                                         ErrDuplicate,
		`{"type":"totp","v":1,"enckey":5}`:                                                                      ErrValue,
		`{"type":"totp","v":1,"enckey":{"v":1,"c":1,"t":"1","s":"MY","k":"MY","x":1}}`:                          ErrUnknown, `{"type":"totp","v":1,"enckey":{}}`: ErrMissing,
		`{"type":"totp","v":1,"enckey":{"v":1,"c":60,"t":"1","s":"MY","k":"MY"}}`: ErrCost,
		`{"type":"totp","v":1,"enckey":{"v":9,"c":1,"t":"1","s":"MY","k":"MY"}}`:  ErrVersion,
		`{"type":"totp","v":1,"enckey":{"v":1,"c":1,"t":"2","s":"MY","k":"MY"}}`:  ErrNoTag,
		`{"type":"totp","v":1,"enckey":{"v":1,"c":1,"t":"1","s":"","k":"MY"}}`:    ErrEmpty,
		`{"type":"totp","v":1,"enckey":{"v":1,"c":1,"t":"1","s":"!","k":"MY"}}`:   ErrCharacter,
		`{"type":"totp","v":1,"enckey":{"v":2,"c":1,"t":"1","s":"MY","k":"MY"}}`:  ErrOpen,
		strings.Repeat(" ", MaxJSON+1):                                            ErrTooLong,
	} {
		_, _, err := ParseJSON(text, w)
		if field := (*FieldError)(nil); !errors.Is(err, want) || !errors.As(err, &field) {
			t.Errorf("%.90s: %v, want %v", text, err, want)
		}
	}
	for _, text := range []string{`{"type":"totp","v":1,"last_counter":5,` + key + `}`, ` {"v":1,"type":"totp","label":null,` + key + "}\n",
		`{"type":"totp","v":1,"alg":null,"digits":null,"period":null,"issuer":null,` + key + `}`} {
		if _, _, err := ParseJSON(text, nil); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for text, want := range map[string]string{
		`{"type":"totp","v":1,"label":"a:b",` + key + `}`: "label", `{"type":"totp","v":1,"issuer":"a:b",` + key + `}`: "issuer", `{"type":"totp","v":1,"alg":"x",` + key + `}`: "alg",
		`{"type":"totp","v":1,"novel":1,` + key + `}`: "", `{"type":"totp","v":1,"enckey":{"v":1,"c":60,"t":"1","s":"!","k":"!"}}`: "enckey c",
		`{"type":"totp","v":1,"enckey":{"v":1,"c":6,"t":"1","s":"!","k":"!"}}`: "enckey s",
	} {
		_, _, err := ParseJSON(text, w)
		if field := (*FieldError)(nil); !errors.As(err, &field) || field.Field != want {
			t.Errorf("%s: %v, want field %q", text, err, want)
		}
	}
	long := NewCredential(make([]byte, MaxJSON), Options{})
	if text, err := long.JSON(nil); !errors.Is(err, ErrTooLong) || text != "" {
		t.Errorf("a text that is not read is written: %d bytes, %v", len(text), err)
	}
	for n, want := range map[float64]error{1<<53 - 1: nil, 1 << 53: ErrValue, 1e300: ErrValue} {
		c, _, err := ParseMap(map[string]any{"type": "hotp", "v": 1, "counter": n, "key": "MY"}, nil)
		if !errors.Is(err, want) || err == nil && c.Counter != 1<<53-1 {
			t.Errorf("counter %g: %d, %v", n, c.Counter, err)
		}
	}
	for _, n := range []any{int8(8), int32(8), uint8(8), uint64(8), float32(8), json.Number("8"), -8, int64(-8), 8.5, float32(8.5), json.Number("-8"), true, "8"} {
		c, _, err := ParseMap(map[string]any{"type": "totp", "v": 1, "digits": n, "key": "MY"}, nil)
		if right := strings.HasSuffix(fmt.Sprintf("%T %v", n, n), " 8") && n != "8"; right != (err == nil && c.Digits == 8) || !right && !errors.Is(err, ErrValue) {
			t.Errorf("%T %v: %d digits, %v", n, n, c.Digits, err)
		}
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(`{"type":"totp","v":1,"digits":8,"period":60,`+key+`}`), &m); err != nil { // numbers as float64
		t.Fatal(err)
	}
	if c, _, err := ParseMap(m, nil); err != nil || c.Digits != 8 || c.Period != time.Minute {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestHexAndGroups(t *testing.T) {
	for text, want := range map[string]string{"00ff": "\x00\xff", "DE ad-be\u00a0EF": "\xde\xad\xbe\xef"} {
		if got, err := DecodeHex(text); err != nil || string(got) != want {
			t.Errorf("%q: %x, %v", text, got, err)
		}
	}
	for text, want := range map[string]SecretError{"": {0, ErrEmpty}, " -": {0, ErrEmpty}, "0": {1, ErrLength}, "00 0 ": {4, ErrLength}, "0g": {2, ErrHex}, "\uff10": {1, ErrHex}} {
		got, err := DecodeHex(text)
		if e := (*SecretError)(nil); got != nil || !errors.As(err, &e) || *e != want {
			t.Errorf("%q: %x, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{"": "", "abc": "abc", "S3JDVB7QD2R7JPXX": "S3JD-VB7Q-D2R7-JPXX", "123456": "123456", "1234567890": "12345-67890", "1234567": "1234-567"} {
		if got := Group(text, "-"); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	if a, b := GenerateSecret(20), GenerateSecret(20); len(a) != 20 || string(a) == string(b) {
		t.Error("two new secrets are equal")
	}
}
