package totp

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

// The secrets of RFC 6238 appendix B: the digits 1 to 0 over and over, as long
// as the sum of each hash. The first is that of RFC 4226 appendix D too.
var rfcSecrets = map[Algorithm]string{
	SHA1:   "12345678901234567890",
	SHA256: "12345678901234567890123456789012",
	SHA512: "1234567890123456789012345678901234567890123456789012345678901234",
}

func mustKey(t testing.TB, secret string, options Options) *Key {
	t.Helper()
	k, err := NewKey([]byte(secret), options)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// rfc4226 is appendix D: the truncated value in decimal, and the code.
var rfc4226 = []struct{ decimal, code string }{
	{"1284755224", "755224"},
	{"1094287082", "287082"},
	{"137359152", "359152"},
	{"1726969429", "969429"},
	{"1640338314", "338314"},
	{"868254676", "254676"},
	{"1918287922", "287922"},
	{"82162583", "162583"},
	{"673399871", "399871"},
	{"645520489", "520489"},
}

func TestRFC4226AppendixD(t *testing.T) {
	k := mustKey(t, rfcSecrets[SHA1], Options{})
	for counter, want := range rfc4226 {
		if got := k.HOTP(uint64(counter)); got != want.code {
			t.Errorf("HOTP(%d) = %s, want %s", counter, got, want.code)
		}
	}
}

// TestDigits takes every length from the appendix's full decimal values: a code
// is their last digits, and ten digits are the whole value with leading zeros.
func TestDigits(t *testing.T) {
	for digits := MinDigits; digits <= MaxDigits; digits++ {
		k := mustKey(t, rfcSecrets[SHA1], Options{Digits: digits})
		for counter, v := range rfc4226 {
			padded := "0000000000"[len(v.decimal):] + v.decimal
			want := padded[10-digits:]
			if got := k.HOTP(uint64(counter)); got != want {
				t.Errorf("%d digits: HOTP(%d) = %s, want %s", digits, counter, got, want)
			}
		}
	}
}

func TestRFC6238AppendixB(t *testing.T) {
	vectors := []struct {
		unix                 int64
		sha1, sha256, sha512 string
	}{
		{59, "94287082", "46119246", "90693936"},
		{1111111109, "07081804", "68084774", "25091201"},
		{1111111111, "14050471", "67062674", "99943326"},
		{1234567890, "89005924", "91819424", "93441116"},
		{2000000000, "69279037", "90698825", "38618901"},
		{20000000000, "65353130", "77737706", "47863826"},
	}
	keys := map[Algorithm]*Key{}
	for algorithm, secret := range rfcSecrets {
		keys[algorithm] = mustKey(t, secret, Options{Algorithm: algorithm, Digits: 8})
	}
	for _, v := range vectors {
		for algorithm, want := range map[Algorithm]string{SHA1: v.sha1, SHA256: v.sha256, SHA512: v.sha512} {
			if got := keys[algorithm].Code(time.Unix(v.unix, 0)); got != want {
				t.Errorf("%v at %d: %s, want %s", algorithm, v.unix, got, want)
			}
		}
	}
}

func TestCounter(t *testing.T) {
	tests := []struct {
		name   string
		t      time.Time
		period time.Duration
		want   uint64
	}{
		{"the epoch", time.Unix(0, 0), 30 * time.Second, 0},
		{"the last instant of step 0", time.Unix(29, 999999999), 30 * time.Second, 0},
		{"the first instant of step 1", time.Unix(30, 0), 30 * time.Second, 1},
		{"a period of one second", time.Unix(1234567890, 5), time.Second, 1234567890},
		{"an odd period", time.Unix(1000, 0), 7 * time.Second, 142},
		{"the longest period", time.Unix(9223372035, 0), MaxPeriod, 0},
		{"after one longest period", time.Unix(9223372036, 0), MaxPeriod, 1},
		{"just before 1970", time.Unix(-1, 999999999), 30 * time.Second, 0},
		{"long before 1970", time.Unix(-1<<62, 0), time.Second, 0},
		{"the zero time", time.Time{}, 30 * time.Second, 0},
		{"beyond 32 bits", time.Unix(20000000000, 0), 30 * time.Second, 666666666},
		{"the last second", time.Unix(lastSecond, 0), time.Second, lastSecond},
		{"beyond what time holds", time.Unix(math.MaxInt64, 0), time.Second, lastSecond},
		{"another zone", time.Unix(59, 0).In(time.FixedZone("", 5*3600)), 30 * time.Second, 1},
	}
	for _, tt := range tests {
		k := mustKey(t, rfcSecrets[SHA1], Options{Period: tt.period})
		if got := k.Counter(tt.t); got != tt.want {
			t.Errorf("%s: counter %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestToken(t *testing.T) {
	k := mustKey(t, rfcSecrets[SHA1], Options{Digits: 8})
	zone := time.FixedZone("here", 3600)
	at := time.Unix(1111111109, 500).In(zone)
	got := k.Token(at)
	want := Token{"07081804", 37037036, time.Unix(1111111080, 0).In(zone), time.Unix(1111111110, 0).In(zone)}
	if got != want {
		t.Errorf("Token = %+v, want %+v", got, want)
	}
	next := k.Token(got.Expiry)
	if next.Code != "14050471" || next.Counter != got.Counter+1 || !next.Start.Equal(got.Expiry) {
		t.Errorf("the token at Expiry = %+v", next)
	}
	if last := k.Token(got.Expiry.Add(-1)); last != got {
		t.Errorf("the last instant has another token: %+v", last)
	}
}

func TestTokenAtTheEdgesOfTime(t *testing.T) {
	for _, period := range []time.Duration{MinPeriod, DefaultPeriod, MaxPeriod} {
		k := mustKey(t, rfcSecrets[SHA1], Options{Period: period})
		before := k.Token(time.Unix(-12345, 0))
		if before.Counter != 0 || before.Start.Unix() != 0 || before.Code != k.HOTP(0) {
			t.Errorf("before 1970 with %v: %+v", period, before)
		}
		last := k.Token(time.Unix(lastSecond, 0))
		if last.Start.After(time.Unix(lastSecond, 0)) || last.Expiry.Before(last.Start) {
			t.Errorf("the last second with %v: from %v to %v", period, last.Start.Unix(), last.Expiry.Unix())
		}
	}
}

// TestLargeCounters pins that the counter is eight unsigned bytes. The codes are
// those of "oathtool -d 8 -c COUNTER 3132".
func TestLargeCounters(t *testing.T) {
	k := mustKey(t, "12", Options{Digits: 8})
	for counter, want := range map[uint64]string{
		math.MaxUint32:     "56602734",
		math.MaxUint32 + 1: "25716719",
		math.MaxInt64:      "23989660",
		math.MaxInt64 + 1:  "39349635",
		math.MaxUint64 - 5: "37529876",
		math.MaxUint64:     "76981453",
	} {
		if got := k.HOTP(counter); got != want {
			t.Errorf("HOTP(%d) = %s, want %s", counter, got, want)
		}
	}
}

func TestOptionsRefused(t *testing.T) {
	tests := []struct {
		name    string
		secret  string
		options Options
		want    error
	}{
		{"no secret", "", Options{}, ErrEmpty},
		{"an unknown hash", "x", Options{Algorithm: 3}, ErrAlgorithm},
		{"5 digits", "x", Options{Digits: 5}, ErrDigits},
		{"11 digits", "x", Options{Digits: 11}, ErrDigits},
		{"negative digits", "x", Options{Digits: -6}, ErrDigits},
		{"a negative period", "x", Options{Period: -30 * time.Second}, ErrPeriod},
		{"half a second", "x", Options{Period: time.Second / 2}, ErrPeriod},
		{"a second and a half", "x", Options{Period: 3 * time.Second / 2}, ErrPeriod},
		{"the longest duration", "x", Options{Period: math.MaxInt64}, ErrPeriod},
	}
	for _, tt := range tests {
		k, err := NewKey([]byte(tt.secret), tt.options)
		if !errors.Is(err, tt.want) || k != nil {
			t.Errorf("%s: %v, %v; want %v", tt.name, k, err, tt.want)
		}
	}
	if got := mustKey(t, "x", Options{}).Options(); got != (Options{SHA1, 6, 30 * time.Second}) {
		t.Errorf("the defaults are %+v", got)
	}
}

// TestKeyCopiesItsSecret covers short secrets and those longer than a block,
// which HMAC hashes first.
func TestKeyCopiesItsSecret(t *testing.T) {
	for _, n := range []int{1, 20, 64, 65, 128, 129, 1024} {
		for _, algorithm := range []Algorithm{SHA1, SHA256, SHA512} {
			secret := []byte(strings.Repeat("k", n))
			k, err := NewKey(secret, Options{Algorithm: algorithm})
			if err != nil {
				t.Fatal(err)
			}
			before := k.HOTP(7)
			clear(secret)
			if after := k.HOTP(7); after != before {
				t.Errorf("%v, %d bytes: the code changed with the caller's buffer", algorithm, n)
			}
		}
	}
}

func TestAppendCodeKeepsWhatIsThere(t *testing.T) {
	k := mustKey(t, rfcSecrets[SHA1], Options{})
	if got := string(k.AppendCode([]byte("code="), 1)); got != "code=287082" {
		t.Errorf("AppendCode = %q", got)
	}
}

func TestAppendCodeAllocatesNothing(t *testing.T) {
	for algorithm, secret := range rfcSecrets {
		for _, digits := range []int{MinDigits, MaxDigits} {
			k := mustKey(t, secret, Options{Algorithm: algorithm, Digits: digits})
			buf := make([]byte, 0, MaxDigits)
			now := time.Unix(1234567890, 0)
			if n := testing.AllocsPerRun(1000, func() {
				buf = k.AppendCode(buf[:0], k.Counter(now))
				now = now.Add(time.Second)
			}); n != 0 {
				t.Errorf("%v, %d digits: %v allocations a code", algorithm, digits, n)
			}
		}
	}
}

func TestWipedKeyPanics(t *testing.T) {
	k := mustKey(t, rfcSecrets[SHA1], Options{})
	k.Wipe()
	k.Wipe()
	for name, key := range map[string]*Key{"wiped": k, "zero": {}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a %s key made a code", name)
				}
			}()
			key.HOTP(0)
		}()
	}
}

func TestAlgorithmNames(t *testing.T) {
	for _, a := range []Algorithm{SHA1, SHA256, SHA512} {
		for _, name := range []string{
			a.String(), strings.ToLower(a.String()), "SHA-" + a.String()[3:],
			"Hmac" + a.String(), "hmac-sha-" + a.String()[3:],
		} {
			if got, err := ParseAlgorithm(name); err != nil || got != a {
				t.Errorf("ParseAlgorithm(%q) = %v, %v", name, got, err)
			}
		}
	}
	for _, name := range []string{"", "SHA", "SHA2", "SHA224", "MD5", "HMAC", "SHA1 "} {
		if _, err := ParseAlgorithm(name); !errors.Is(err, ErrAlgorithm) {
			t.Errorf("ParseAlgorithm(%q): %v", name, err)
		}
	}
	if got := Algorithm(9).String(); got != "Algorithm(9)" {
		t.Error(got)
	}
}
