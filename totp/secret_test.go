package totp

import (
	"errors"
	"strings"
	"testing"
)

func TestDecodeSecretAsPasted(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"plain", "JBSWY3DPEHPK3PXP", "Hello!\xde\xad\xbe\xef"},
		{"lower case", "jbswy3dpehpk3pxp", "Hello!\xde\xad\xbe\xef"},
		{"both cases", "jbSWy3dpEHPK3pxp", "Hello!\xde\xad\xbe\xef"},
		{"groups", "jbsw y3dp ehpk 3pxp", "Hello!\xde\xad\xbe\xef"},
		{"dashes", "JBSW-Y3DP-EHPK-3PXP", "Hello!\xde\xad\xbe\xef"},
		{"typographic dashes", "JBSW\u2010Y3DP\u2013EHPK\u2014\u22123PXP", "Hello!\xde\xad\xbe\xef"},
		{"line ends and tabs", "\tJBSWY3DP\r\nEHPK3PXP\n", "Hello!\xde\xad\xbe\xef"},
		{"no-break spaces", "JBSW\u00a0Y3DP\u202fEHPK\u30003PXP", "Hello!\xde\xad\xbe\xef"},
		{"invisible characters", "\ufeffJBSW\u200bY3DP\u2060EHPK\u00ad3PXP", "Hello!\xde\xad\xbe\xef"},
		{"padding", "MY======", "f"},
		{"padding in groups", "MY== ====\n", "f"},
		{"dashes in the padding", "MZXW6YQ-=-", "foob"},
		{"2 characters", "MY", "f"},
		{"4 characters", "MZXQ", "fo"},
		{"5 characters", "MZXW6", "foo"},
		{"7 characters", "MZXW6YQ", "foob"},
		{"4 characters, padded", "MZXQ====", "fo"},
		{"5 characters, padded", "MZXW6===", "foo"},
		{"7 characters, padded", "MZXW6YQ=", "foob"},
		{"8 characters", "MZXW6YTB", "fooba"},
		{"bits left over", "MZ", "f"},
		{"all bits left over", "77", "\xff"},
		{"zeros", "aaaaaaaa", "\x00\x00\x00\x00\x00"},
	}
	for _, tt := range tests {
		got, err := DecodeSecret(tt.text)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
}

func TestDecodeSecretRefuses(t *testing.T) {
	tests := []struct {
		name, text string
		position   int
		want       error
	}{
		{"nothing", "", 0, ErrEmpty},
		{"blanks", " \t\n", 0, ErrEmpty},
		{"dashes", "--", 0, ErrEmpty},
		{"only padding", "=", 1, ErrPadding},
		{"eight of padding", "========", 1, ErrPadding},
		{"1 character", "M", 1, ErrLength},
		{"3 characters", "MZX", 3, ErrLength},
		{"6 characters", "MZXW6Y ", 6, ErrLength},
		{"9 characters", "MZXW6YTBM", 9, ErrLength},
		{"3 characters, padded", "MZX=====", 3, ErrLength},
		{"too little padding", "MY=====", 3, ErrPadding},
		{"too much padding", "MY=======", 3, ErrPadding},
		{"padding of a whole block", "MZXW6YTB=", 9, ErrPadding},
		{"eight too many", "MZXW6YTB========", 9, ErrPadding},
		{"padding inside", "MZ=XW6YTB", 3, ErrPadding},
		{"padding first", "=MZXW6YTB", 1, ErrPadding},
		{"two blocks each padded", "MY======MY======", 3, ErrPadding},
		{"zero", "MZXW0YTB", 5, ErrCharacter},
		{"one", "1ZXW6YTB", 1, ErrCharacter},
		{"eight", "MZXW6YT8", 8, ErrCharacter},
		{"nine", "MZ XW6YT9", 9, ErrCharacter},
		{"punctuation", "MZXW!", 5, ErrCharacter},
		{"a plus", "MZXW+", 5, ErrCharacter},
		{"a character after padding", "MY======!", 9, ErrCharacter},
		{"characters are counted, not bytes", "\u00a0\u00a0MZ\u00e9", 5, ErrCharacter},
		{"a letter whose upper case is S", "MZXW6YT\u017f", 8, ErrCharacter},
		{"a letter whose lower case is k", "MZXW6YT\u212a", 8, ErrCharacter},
		{"a full-width letter", "\uff2dZXW6YTB", 1, ErrCharacter},
		{"bytes that are not UTF-8", "MZ\xffXW", 3, ErrCharacter},
		{"a zero byte", "MZ\x00XW", 3, ErrCharacter},
	}
	for _, tt := range tests {
		got, err := DecodeSecret(tt.text)
		var se *SecretError
		if !errors.As(err, &se) || !errors.Is(err, tt.want) || se.Position != tt.position || got != nil {
			t.Errorf("%s: %q, %v; want %v at %d", tt.name, got, err, tt.want, tt.position)
		}
	}
}

// TestSecretErrorQuotesNothing breaks a secret in every place and in every way.
// Two texts of one shape must yield one message: then nothing of them is in it.
func TestSecretErrorQuotesNothing(t *testing.T) {
	one, other := "JBSWY3DPEHPK3PXP", "KRUGKIDROVUWG2ZA"
	for i := range one {
		for _, with := range []string{"!", "0", "=", "\u00e9", "\xff"} {
			_, err1 := DecodeSecret(one[:i] + with + one[i:])
			_, err2 := DecodeSecret(other[:i] + with + other[i:])
			var e1, e2 *SecretError
			if !errors.As(err1, &e1) || !errors.As(err2, &e2) || *e1 != *e2 || err1.Error() != err2.Error() {
				t.Errorf("%q at %d: %v and %v", with, i, err1, err2)
			}
		}
	}
}

func TestEncodeSecret(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "f": "MY", "fo": "MZXQ", "foo": "MZXW6", "foob": "MZXW6YQ", "fooba": "MZXW6YTB", "foobar": "MZXW6YTBOI",
	} {
		if got := EncodeSecret([]byte(text)); got != want {
			t.Errorf("EncodeSecret(%q) = %q, want %q", text, got, want)
		}
	}
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for n := 1; n <= len(all); n++ {
		text := EncodeSecret(all[:n])
		padded := text + strings.Repeat("=", (8-len(text)%8)%8)
		for _, form := range []string{text, strings.ToLower(text), padded, strings.Join(strings.Split(padded, ""), " ")} {
			if back, err := DecodeSecret(form); err != nil || string(back) != string(all[:n]) {
				t.Fatalf("%d bytes: %v", n, err)
			}
		}
	}
}
