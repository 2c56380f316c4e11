package totp

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
)

// canary is a secret that shows in no other way than by leaking.
const canary = "\x8fcanary-in-a-mine\xfe"

// leaks returns the form in which text shows the canary, or "".
func leaks(text string) string {
	decimal := strings.Trim(fmt.Sprintf("%d", []byte(canary)), "[]")
	goSyntax := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", []byte(canary)), "[]byte{"), "}")
	for name, form := range map[string]string{
		"raw":       canary,
		"quoted":    strings.Trim(fmt.Sprintf("%q", canary), `"`),
		"base32":    EncodeSecret([]byte(canary)),
		"hex":       hex.EncodeToString([]byte(canary)),
		"base64":    base64.RawStdEncoding.EncodeToString([]byte(canary)),
		"decimal":   decimal,
		"Go syntax": goSyntax,
		"Extra":     "canary in extra",
	} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
			return name
		}
	}
	return ""
}

func canaries(t *testing.T) (Key, Credential) {
	t.Helper()
	u, err := ParseURI("otpauth://totp/Example:alice?secret=" + EncodeSecret([]byte(canary)) + "&pin=canary+in+extra")
	if err != nil {
		t.Fatal(err)
	}
	k, err := u.Key()
	if err != nil {
		t.Fatal(err)
	}
	k.HOTP(0) // so that all buffers were in use
	return *k, u
}

// otherCanaries returns the wallet and the further kinds of keys with the canary.
func otherCanaries(t *testing.T) (Wallet, []*Key) {
	t.Helper()
	w, err := NewWallet(map[string][]byte{"1": []byte(canary)}, WalletOptions{Cost: 1})
	if err != nil {
		t.Fatal(err)
	}
	steam, err1 := NewSteam([]byte(canary))
	motp, err2 := NewMOTP([]byte(canary), "canary in extra")
	yandex, err3 := NewYandex([]byte(canary), "123456")
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	for _, k := range []*Key{steam, motp, yandex} {
		k.HOTP(0)
	}
	return *w, []*Key{steam, motp, yandex}
}

// TestFormsAreSeen shows that leaks can see what the other tests look for.
func TestFormsAreSeen(t *testing.T) {
	secret := []byte(canary)
	for _, text := range []string{
		string(secret), fmt.Sprintf("%v", secret), fmt.Sprintf("%+v", struct{ s []byte }{secret}), fmt.Sprintf("%#v", struct{ s []byte }{secret}),
		fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprintf("%q", secret), EncodeSecret(secret),
	} {
		if leaks(text) == "" {
			t.Errorf("leaks does not see the canary in %s", text)
		}
	}
}

func TestFmtShowsNoSecret(t *testing.T) {
	k, u := canaries(t)
	w, others := otherCanaries(t)
	bare := u // Extra has no box: reflection shows it, and so does the misused %p
	bare.Extra = nil
	values := map[string]any{
		"Key": k, "*Key": &k, "Credential": u, "*Credential": &u, "Wallet": w, "*Wallet": &w, "unexported Wallet": struct{ w Wallet }{w},
		"Steam": others[0], "mOTP": others[1], "Yandex": others[2], "unexported keys": struct{ a, b, c *Key }{others[0], others[1], others[2]},
		"bare keys":              []Key{*others[0], *others[1], *others[2]},
		"slices":                 []any{k, &k, u, &u, []Credential{u}, []*Key{&k}},
		"maps":                   map[string]any{"k": k, "u": u},
		"exported fields":        struct{ K, U any }{&k, u},
		"unexported Key":         struct{ k Key }{k},
		"unexported *Key":        struct{ k *Key }{&k},
		"unexported Credential":  struct{ u Credential }{bare},
		"unexported *Credential": struct{ u *Credential }{&bare},
		"unexported slice":       struct{ u []Credential }{[]Credential{bare}},
		"unexported any":         struct{ u any }{&bare},
		"an error around":        fmt.Errorf("doing: %v %w", u, errors.New("x")),
	}
	for name, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%t", "%p", "%z"} {
			text := fmt.Sprintf(verb, v)
			if form := leaks(text); form != "" && (verb != "%p" || form != "Extra") {
				t.Errorf("%s with %s shows the secret (%s): %s", name, verb, form, text)
			}
		}
	}
	if got, want := u.String(), "otpauth://totp/Example:alice?secret=***&issuer=Example"; got != want {
		t.Errorf("String = %s, want %s", got, want)
	}
	if got, want := k.String(), "totp.Key(SHA1, 6 digits, 30s)"; got != want {
		t.Errorf("String = %s, want %s", got, want)
	}
	if _, err := ParseURI(u.String()); !errors.Is(err, ErrCharacter) {
		t.Errorf("the redacted URI can be read: %v", err)
	}
}

func TestLogsShowNoSecret(t *testing.T) {
	k, u := canaries(t)
	for _, handler := range []func(io.Writer, *slog.HandlerOptions) slog.Handler{
		func(w io.Writer, o *slog.HandlerOptions) slog.Handler { return slog.NewTextHandler(w, o) },
		func(w io.Writer, o *slog.HandlerOptions) slog.Handler { return slog.NewJSONHandler(w, o) },
	} {
		var out bytes.Buffer
		slog.New(handler(&out, nil)).Info("message", "key", k, "keyp", &k, "credential", u, "credentialp", &u,
			"in", struct{ U any }{u}, "group", slog.GroupValue(slog.Any("u", &u)))
		if form := leaks(out.String()); form != "" {
			t.Errorf("a log shows the secret (%s): %s", form, out.String())
		}
		if strings.Count(out.String(), "Example:alice") < 3 {
			t.Errorf("a log does not say whose credential: %s", out.String())
		}
	}
}

func TestJSONShowsNoSecret(t *testing.T) {
	_, u := canaries(t)
	for _, v := range []any{u, &u, struct{ U Credential }{u}} {
		if text, err := json.Marshal(v); !errors.Is(err, ErrMarshal) {
			t.Errorf("a Credential as JSON: %s, %v", text, err)
		}
	}
}

// TestURIErrorsShowNothing puts the canary wherever a Credential can be wrong.
func TestURIErrorsShowNothing(t *testing.T) {
	text := EncodeSecret([]byte(canary))
	for _, uri := range []string{
		text, text + "://totp/a", "otpauth://" + text + "/a", "otpauth://totp/" + text + "%FF?secret=" + text,
		"otpauth://totp/a?" + text, "otpauth://totp/a?secret=" + text + "!", "otpauth://totp/a?secret=" + text + "&secret=" + text,
		"otpauth://totp/a?" + text + "=1&" + text + "=1", "otpauth://totp/a?secret=" + text + "&digits=" + text,
		"otpauth://totp/a?secret=" + text + "&period=" + text, "otpauth://totp/a?secret=" + text + "&algorithm=" + text,
		"otpauth://hotp/a?secret=" + text + "&counter=" + text, "otpauth://totp/a?secret=" + text + "&x=" + strings.Repeat(text, MaxURI/20),
	} {
		_, err := ParseURI(uri)
		if err == nil {
			t.Errorf("a wrong URI was read: %s", uri)
			continue
		}
		if form := leaks(fmt.Sprintf("%v %+v %#v", err, err, errors.Unwrap(err))); form != "" {
			t.Errorf("an error shows the secret (%s): %v", form, err)
		}
	}
}

// TestStoredErrorsShowNothing puts the canary wherever JSON or a wallet's text
// can be wrong.
func TestStoredErrorsShowNothing(t *testing.T) {
	secret := EncodeSecret([]byte(canary))
	w, err := NewWallet(map[string][]byte{"1": []byte(canary)}, WalletOptions{Cost: 1})
	if err != nil {
		t.Fatal(err)
	}
	show := func(text string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("a wrong text was read: %s", text)
		} else if form := leaks(fmt.Sprintf("%v %+v %#v", err, err, errors.Unwrap(err))); form != "" {
			t.Errorf("an error shows the secret (%s): %v", form, err)
		}
	}
	for _, text := range []string{
		secret, `{"` + secret + `":1}`, `{"type":"` + secret + `","v":1}`, `{"type":"totp","v":"` + secret + `"}`, `{"type":"totp","v":1,"key":"` + secret + `!"}`,
		`{"type":"totp","v":1,"alg":"` + secret + `","key":"MY"}`, `{"type":"totp","v":1,"label":":` + secret + `","key":"MY"}`,
		`{"type":"totp","v":1,"key":"` + secret + `","key":"` + secret + `"}`, `{"type":"totp","v":1,"enckey":{"v":2,"c":1,"t":"` + secret + `","s":"MY","k":"MY"}}`,
		`{"type":"totp","v":1,"enckey":{"v":2,"c":1,"t":"1","s":"` + secret + `","k":"` + secret + `"}}`, `{"type":"totp","v":1,"enckey":"` + secret + `"}`,
	} {
		_, _, err := ParseJSON(text, w)
		show(text, err)
	}
	for _, text := range []string{secret, "1: a\n" + secret, " " + secret + "\u00e9: " + secret, "1: " + secret + "\n1: " + secret,
		`{"1": "` + secret + `"`, `{"1": ["` + secret + `"]}`, `{"1": "` + secret + `", "1": "` + secret + `"}`} {
		_, err := ParseWallet(text, WalletOptions{})
		show(text, err)
	}
}
