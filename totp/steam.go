package totp

// Steam's codes: five letters and digits that are hard to mistake for each other,
// from the truncated value of RFC 4226 in base 26, the last letter first.
const (
	steamAlphabet = "23456789BCDFGHJKMNPQRTVWXY"
	steamLength   = 5
)

// NewSteam prepares the shared secret of a Steam account: codes of five letters
// and digits, every 30 seconds, by HMAC-SHA-1. Steam hands the secret out in
// base64, otpauth URIs that managers write for it have base32. The error is
// ErrEmpty.
func NewSteam(secret []byte) (*Key, error) {
	if len(secret) == 0 {
		return nil, ErrEmpty
	}
	options := Options{Algorithm: SHA1, Digits: steamLength, Period: DefaultPeriod}
	return &Key{options, steam{newHOTP(secret, options)}}, nil
}

type steam struct{ *hotp }

func (s steam) code(counter uint64) []byte {
	value := s.truncated(counter)
	code := s.text[:steamLength]
	for i := range code {
		code[i] = steamAlphabet[value%uint32(len(steamAlphabet))]
		value /= uint32(len(steamAlphabet))
	}
	return code
}

func (s steam) form(c byte) (byte, bool) {
	c = upper(c)
	for i := range len(steamAlphabet) {
		if steamAlphabet[i] == c {
			return c, true
		}
	}
	return 0, false
}

func (s steam) name() string { return "Steam" }

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	return c
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
