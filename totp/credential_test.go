package totp

import (
	"errors"
	"maps"
	"math"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
)

const hello = "Hello!\xde\xad\xbe\xef" // JBSWY3DPEHPK3PXP

// makeCredential returns what a Credential with the secret hello and the default options parses to.
func makeCredential(change func(*Credential)) Credential {
	u := NewCredential([]byte(hello), Options{SHA1, 6, 30 * time.Second})
	change(&u)
	return u
}

func named(issuer, account string) Credential {
	return makeCredential(func(u *Credential) { u.Issuer, u.Account = issuer, account })
}

func byCounter(counter uint64) Credential {
	return makeCredential(func(u *Credential) { u.Type, u.Period, u.Account, u.Counter = HOTP, 0, "a", counter })
}

func TestParseURI(t *testing.T) {
	const query = "?secret=JBSWY3DPEHPK3PXP"
	tests := []struct {
		name, text string
		want       Credential
	}{
		{"account only", "otpauth://totp/alice" + query, named("", "alice")},
		{"prefix only", "otpauth://totp/Example:alice@google.com" + query, named("Example", "alice@google.com")},
		{"prefix and parameter", "otpauth://totp/Example:alice" + query + "&issuer=Example", named("Example", "alice")},
		{"parameter only", "otpauth://totp/alice" + query + "&issuer=Example", named("Example", "alice")},
		{"escaped colon and blank", "otpauth://totp/Big%20Corporation%3A%20alice%40bigco.com" + query, named("Big Corporation", "alice@bigco.com")},
		{"bare blanks", "otpauth://totp/Big Corp:  Alice Smith " + query, named("Big Corp", "Alice Smith")},
		{"different prefix", "otpauth://totp/Old:alice" + query + "&issuer=New",
			makeCredential(func(u *Credential) { u.Issuer, u.Account, u.Prefix = "New", "alice", "Old" })},
		{"empty issuer", "otpauth://totp/Example:alice" + query + "&issuer=", named("Example", "alice")},
		{"empty prefix", "otpauth://totp/:alice" + query + "&issuer=Example", named("Example", "alice")},
		{"further colons", "otpauth://totp/AWS:arn:aws:mfa/x" + query, named("AWS", "arn:aws:mfa/x")},
		{"colon in the issuer parameter", "otpauth://totp/x" + query + "&issuer=a%3Ab", named("a:b", "x")},
		{"no label", "otpauth://totp/" + query, named("", "")},
		{"no slash", "otpauth://totp" + query, named("", "")},
		{"no account", "otpauth://totp/Example:" + query, named("Example", "")},
		{"bare #", "otpauth://totp/C# club:alice#1" + query, named("C# club", "alice#1")},
		{"escaped #", "otpauth://totp/alice%231" + query, named("", "alice#1")},
		{"# in the parameters", "otpauth://totp/a" + query + "&issuer=C#", named("C#", "a")},
		{"bare %", "otpauth://totp/100% sure%" + query, named("", "100% sure%")},
		{"% before one hex digit", "otpauth://totp/5%a" + query, named("", "5%a")},
		{"escaped %", "otpauth://totp/100%2525" + query, named("", "100%25")},
		{"plus in the label", "otpauth://totp/Disney+:alice+home" + query, named("Disney+", "alice+home")},
		{"plus in a parameter", "otpauth://totp/a" + query + "&issuer=Big+Corp", named("Big Corp", "a")},
		{"escaped plus in a parameter", "otpauth://totp/a" + query + "&issuer=Disney%2B", named("Disney+", "a")},
		{"slashes", "otpauth://totp//a/b" + query, named("", "/a/b")},
		{"UTF-8, escaped and bare", "otpauth://totp/B%C3%BCro:\u5c71\u7530" + query, named("B\u00fcro", "\u5c71\u7530")},
		{"lower-case escapes", "otpauth://totp/%c3%bc" + query, named("", "\u00fc")},
		{"any case", "OtpAuth://TOTP/a?SECRET=jbswy3dpehpk3pxp&Digits=6", named("", "a")},
		{"blanks around", " \notpauth://totp/a" + query + "\r\n", named("", "a")},
		{"blanks in the secret", "otpauth://totp/a?secret=jbsw+y3dp%20ehpk-3pxp", named("", "a")},
		{"padded secret", "otpauth://totp/a?secret=JBSWY3DPEHPK3PXP&&", named("", "a")},
		{"all options", "otpauth://totp/a" + query + "&algorithm=sha512&digits=8&period=60",
			makeCredential(func(u *Credential) { u.Account, u.Options = "a", Options{SHA512, 8, time.Minute} })},
		{"ten digits", "otpauth://totp/a" + query + "&digits=10", makeCredential(func(u *Credential) { u.Account, u.Digits = "a", 10 })},
		{"longest period", "otpauth://totp/a" + query + "&period=9223372036",
			makeCredential(func(u *Credential) { u.Account, u.Period = "a", MaxPeriod })},
		{"hotp", "otpauth://hotp/a" + query + "&counter=0", byCounter(0)},
		{"largest counter", "otpauth://hotp/a" + query + "&counter=18446744073709551615", byCounter(math.MaxUint64)},
		{"unknown parameters", "otpauth://totp/a" + query + "&image=https%3A%2F%2Fx%2Fy%3Fz%3D1&flag&codeDisplay=%7B%7D&counter=x&=e",
			makeCredential(func(u *Credential) {
				u.Account = "a"
				u.Extra = map[string]string{"image": "https://x/y?z=1", "flag": "", "codeDisplay": "{}", "counter": "x", "": "e"}
			})},
		{"period of hotp", "otpauth://hotp/a" + query + "&counter=5&period=30",
			makeCredential(func(u *Credential) {
				u.Type, u.Period, u.Account, u.Counter = HOTP, 0, "a", 5
				u.Extra = map[string]string{"period": "30"}
			})},
	}
	for _, tt := range tests {
		got, err := ParseURI(tt.text)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, %v; want %+v", tt.name, got, err, tt.want)
			continue
		}
		if strings.Contains(got.Issuer+got.Account, ":") {
			continue // has no text, see TestURIRefuses
		}
		text, err := got.URI()
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if back, err := ParseURI(text); err != nil || !reflect.DeepEqual(back, tt.want) {
			t.Errorf("%s: through %s: %+v, %v", tt.name, text, back, err)
		}
	}
}

func TestParseURIRefuses(t *testing.T) {
	const good = "otpauth://totp/a?secret=JBSWY3DPEHPK3PXP"
	tests := []struct {
		name, text, part string
		want             error
	}{
		{"nothing", "", "scheme", ErrScheme},
		{"another scheme", "https://totp/a?secret=JBSWY3DPEHPK3PXP", "scheme", ErrScheme},
		{"a migration", "otpauth-migration://offline?data=x", "scheme", ErrScheme},
		{"one slash", "otpauth:/totp/a?secret=JBSWY3DPEHPK3PXP", "scheme", ErrScheme},
		{"a bare secret", "JBSWY3DPEHPK3PXP", "scheme", ErrScheme},
		{"another type", "otpauth://steam/a?secret=JBSWY3DPEHPK3PXP", "type", ErrType},
		{"no type", "otpauth:///a?secret=JBSWY3DPEHPK3PXP", "type", ErrType},
		{"a port", "otpauth://totp:80/a?secret=JBSWY3DPEHPK3PXP", "type", ErrType},
		{"no secret", "otpauth://totp/a", "secret", ErrMissing},
		{"no secret but others", "otpauth://totp/a?issuer=b", "secret", ErrMissing},
		{"an empty secret", "otpauth://totp/a?secret=", "secret", ErrEmpty},
		{"a bad secret", "otpauth://totp/a?secret=JBSW0", "secret", ErrCharacter},
		{"bad padding", "otpauth://totp/a?secret=MY%3D", "secret", ErrPadding},
		{"a cut secret", "otpauth://totp/a?secret=MYA", "secret", ErrLength},
		{"two secrets", good + "&secret=JBSWY3DPEHPK3PXP", "secret", ErrDuplicate},
		{"two secrets in two cases", good + "&Secret=JBSWY3DPEHPK3PXP", "secret", ErrDuplicate},
		{"two issuers", good + "&issuer=a&issuer=a", "issuer", ErrDuplicate},
		{"two unknown ones", good + "&x=1&x=1", "parameter", ErrDuplicate},
		{"two that are one escaped", good + "&x=1&%78=1", "parameter", ErrDuplicate},
		{"an unknown algorithm", good + "&algorithm=MD5", "algorithm", ErrAlgorithm},
		{"no algorithm", good + "&algorithm=", "algorithm", ErrAlgorithm},
		{"5 digits", good + "&digits=5", "digits", ErrDigits},
		{"11 digits", good + "&digits=11", "digits", ErrDigits},
		{"no digits", good + "&digits=0", "digits", ErrDigits},
		{"digits beyond int", good + "&digits=18446744073709551615", "digits", ErrDigits},
		{"digits that wrap to 6", good + "&digits=4294967302", "digits", ErrDigits},
		{"digits in words", good + "&digits=six", "digits", ErrNumber},
		{"empty digits", good + "&digits", "digits", ErrNumber},
		{"negative digits", good + "&digits=-6", "digits", ErrNumber},
		{"period 0", good + "&period=0", "period", ErrPeriod},
		{"a period beyond a duration", good + "&period=9223372037", "period", ErrPeriod},
		{"a period that wraps", good + "&period=18446744073709551615", "period", ErrPeriod},
		{"a period that wraps to 30 s", good + "&period=36028797018963998", "period", ErrPeriod},
		{"a fractional period", good + "&period=30.0", "period", ErrNumber},
		{"a period beyond 64 bits", good + "&period=18446744073709551616", "period", ErrNumber},
		{"hotp without counter", "otpauth://hotp/a?secret=JBSWY3DPEHPK3PXP", "counter", ErrMissing},
		{"a negative counter", "otpauth://hotp/a?secret=JBSWY3DPEHPK3PXP&counter=-1", "counter", ErrNumber},
		{"a counter beyond 64 bits", "otpauth://hotp/a?secret=JBSWY3DPEHPK3PXP&counter=18446744073709551616", "counter", ErrNumber},
		{"a label in Latin-1", "otpauth://totp/%E9?secret=JBSWY3DPEHPK3PXP", "label", ErrEncoding},
		{"an issuer in Latin-1", good + "&issuer=%E9", "issuer", ErrEncoding},
		{"an unknown one in Latin-1", good + "&x=\xe9", "parameter", ErrEncoding},
		{"an unknown name in Latin-1", good + "&%E9=x", "parameter", ErrEncoding},
		{"one byte too long", good + "&x=" + strings.Repeat("y", MaxURI+1-len(good)-3), "length", ErrTooLong},
	}
	for _, tt := range tests {
		u, err := ParseURI(tt.text)
		var ue *URIError
		if !errors.As(err, &ue) || !errors.Is(err, tt.want) || ue.Part != tt.part || !reflect.DeepEqual(u, Credential{}) {
			t.Errorf("%s: %+v, %v; want %s: %v", tt.name, u, err, tt.part, tt.want)
		}
	}
	if _, err := ParseURI(good + "&x=" + strings.Repeat("y", MaxURI-len(good)-3)); err != nil {
		t.Errorf("just short enough: %v", err)
	}
}

func TestURI(t *testing.T) {
	tests := []struct {
		want string
		uri  Credential
	}{
		{"otpauth://totp/?secret=JBSWY3DPEHPK3PXP", NewCredential([]byte(hello), Options{})},
		{"otpauth://totp/Example:alice@google.com?secret=JBSWY3DPEHPK3PXP&issuer=Example", named("Example", "alice@google.com")},
		{"otpauth://totp/Big%20Corp:Alice%20%2B%20Bob?secret=JBSWY3DPEHPK3PXP&issuer=Big%20Corp", named(" Big Corp ", "Alice + Bob\n")},
		{"otpauth://totp/100%25%20%23%3F%2F%26%3D?secret=JBSWY3DPEHPK3PXP", named("", "100% #?/&=")},
		{"otpauth://totp/B%C3%BCro:~a-b_c.d?secret=JBSWY3DPEHPK3PXP&issuer=B%C3%BCro", named("B\u00fcro", "~a-b_c.d")},
		{"otpauth://totp/%1B%0A%00?secret=JBSWY3DPEHPK3PXP", named("", "\x1b\n\x00")},
		{"otpauth://totp/Old:a?secret=JBSWY3DPEHPK3PXP&issuer=New", makeCredential(func(u *Credential) { u.Issuer, u.Prefix, u.Account = "New", "Old", "a" })},
		{"otpauth://totp/a?secret=JBSWY3DPEHPK3PXP&algorithm=SHA256&digits=8&period=60",
			makeCredential(func(u *Credential) { u.Account, u.Options = "a", Options{SHA256, 8, time.Minute} })},
		{"otpauth://hotp/a?secret=JBSWY3DPEHPK3PXP&counter=0", byCounter(0)},
		{"otpauth://hotp/a?secret=JBSWY3DPEHPK3PXP&counter=18446744073709551615", byCounter(math.MaxUint64)},
		{"otpauth://totp/a?secret=JBSWY3DPEHPK3PXP&b=1%202&z%26=", makeCredential(func(u *Credential) {
			u.Account, u.Extra = "a", map[string]string{"z&": "", "b": "1 2"}
		})},
	}
	for _, tt := range tests {
		got, err := tt.uri.URI()
		if err != nil || got != tt.want {
			t.Errorf("URI = %s, %v; want %s", got, err, tt.want)
			continue
		}
		parsed, err := url.Parse(got)
		if err != nil {
			t.Errorf("net/url: %v", err)
			continue
		}
		if want := strings.TrimSpace(tt.uri.Issuer); parsed.Query().Get("issuer") != want || parsed.Fragment != "" {
			t.Errorf("net/url reads issuer %q and fragment %q in %s", parsed.Query().Get("issuer"), parsed.Fragment, got)
		}
	}
}

func TestURIRefuses(t *testing.T) {
	tests := []struct {
		name string
		uri  Credential
		part string
		want error
	}{
		{"a colon in the issuer", named("a:b", "c"), "issuer", ErrColon},
		{"a colon in the account", named("a", "b:c"), "account", ErrColon},
		{"a colon in the prefix", makeCredential(func(u *Credential) { u.Prefix = ":" }), "prefix", ErrColon},
		{"no secret", Credential{}, "secret", ErrEmpty},
		{"an empty secret", NewCredential(nil, Options{}), "secret", ErrEmpty},
		{"an unknown type", makeCredential(func(u *Credential) { u.Type = 7 }), "type", ErrType},
		{"an unknown algorithm", makeCredential(func(u *Credential) { u.Algorithm = 7 }), "algorithm", ErrAlgorithm},
		{"5 digits", makeCredential(func(u *Credential) { u.Digits = 5 }), "digits", ErrDigits},
		{"half a second", makeCredential(func(u *Credential) { u.Period = time.Second / 2 }), "period", ErrPeriod},
		{"not UTF-8", named("", "\xff"), "account", ErrEncoding},
		{"an extra that is not UTF-8", makeCredential(func(u *Credential) { u.Extra = map[string]string{"x": "\xff"} }), "parameter", ErrEncoding},
		{"an extra secret", makeCredential(func(u *Credential) { u.Extra = map[string]string{"Secret": "x"} }), "secret", ErrDuplicate},
		{"an extra period", makeCredential(func(u *Credential) { u.Extra = map[string]string{"period": "1"} }), "period", ErrDuplicate},
		{"too long", named("", strings.Repeat("x", MaxURI)), "length", ErrTooLong},
	}
	for _, tt := range tests {
		text, err := tt.uri.URI()
		var ue *URIError
		if !errors.As(err, &ue) || !errors.Is(err, tt.want) || ue.Part != tt.part || text != "" {
			t.Errorf("%s: %q, %v; want %s: %v", tt.name, text, err, tt.part, tt.want)
		}
	}
}

func TestCredentialKey(t *testing.T) {
	u, err := ParseURI("otpauth://totp/a?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&digits=8")
	if err != nil {
		t.Fatal(err)
	}
	k, err := u.Key()
	if err != nil {
		t.Fatal(err)
	}
	if got := k.Code(time.Unix(59, 0)); got != "94287082" {
		t.Errorf("the code is %s", got)
	}
	secret := u.Secret()
	copied := u
	u.Wipe()
	if strings.Trim(string(secret), "\x00") != "" || copied.Secret() != nil {
		t.Error("Wipe left the secret")
	}
	if _, err := copied.Key(); !errors.Is(err, ErrEmpty) {
		t.Errorf("a wiped Credential has a key: %v", err)
	}
	if _, err := copied.URI(); !errors.Is(err, ErrEmpty) {
		t.Errorf("a wiped Credential has a text: %v", err)
	}
	if got := k.Code(time.Unix(59, 0)); got != "94287082" {
		t.Errorf("wiping the Credential changed its key: %s", got)
	}
	Credential{}.Wipe()
}

func TestLabel(t *testing.T) {
	for want, u := range map[string]Credential{
		"": named("", ""), "I": named("I", ""), "a": named("", "a"), "I:a": named("I", "a"),
	} {
		if got := u.Label(); got != want {
			t.Errorf("Label = %q, want %q", got, want)
		}
	}
}

// TestParseDoesNotShareExtra guards against a map made once for all.
func TestParseDoesNotShareExtra(t *testing.T) {
	const text = "otpauth://totp/a?secret=JBSWY3DPEHPK3PXP&x=1"
	one, _ := ParseURI(text)
	two, _ := ParseURI(text)
	one.Extra["x"] = "2"
	if !maps.Equal(two.Extra, map[string]string{"x": "1"}) {
		t.Error("two credentials share one Extra")
	}
}
