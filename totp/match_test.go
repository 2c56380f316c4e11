package totp

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func TestMatchInAndAroundTheWindow(t *testing.T) {
	k := mustKey(t, rfcSecrets[SHA1], Options{})
	at := time.Unix(1_000_000_005, 0) // 15 s into the step 33333333
	now := k.Counter(at)
	for _, c := range []struct {
		name   string
		step   int64 // of the code, from now
		window Window
		want   error
	}{
		{"now", 0, Window{}, nil}, {"one before", -1, Window{}, nil}, {"one after", 1, Window{}, nil},
		{"two before", -2, Window{}, ErrInvalid}, {"two after", 2, Window{}, ErrInvalid},
		{"no window", 0, Window{Size: NoWindow}, nil}, {"no window, one before", -1, Window{Size: NoWindow}, ErrInvalid},
		{"no window, one after", 1, Window{Size: NoWindow}, ErrInvalid},
		{"a minute, two after", 2, Window{Size: time.Minute}, nil}, {"a minute, three after", 3, Window{Size: time.Minute}, ErrInvalid},
		{"client behind", -4, Window{Skew: -2 * time.Minute}, nil}, {"client behind, now", 0, Window{Skew: -2 * time.Minute}, ErrInvalid},
		{"after the last", 1, Window{Last: new(now)}, nil}, {"the last", 0, Window{Last: new(now)}, ErrUsed},
		{"before the last", -1, Window{Last: new(now)}, ErrInvalid}, {"a last beyond the window", 1, Window{Last: new(now + 9)}, ErrInvalid},
		{"a last of long ago", 0, Window{Last: new(uint64(0))}, nil},
	} {
		m, err := k.Match(k.HOTP(now+uint64(c.step)), at, c.window)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if err == nil && (m.Counter != now+uint64(c.step) || m.Expected != now || m.Skipped != c.step || m.Expiry != k.Step(m.Counter).Expiry) {
			t.Errorf("%s: %+v", c.name, m)
		}
	}
}

// TestRemember goes to the very instant from which a used code is refused by the
// window alone.
func TestRemember(t *testing.T) {
	k := mustKey(t, rfcSecrets[SHA256], Options{Algorithm: SHA256})
	at := time.Unix(1_000_000_005, 0)
	for _, w := range []Window{{}, {Size: NoWindow}, {Size: 90 * time.Second}, {Skew: -45 * time.Second}, {Skew: 20 * time.Second, Size: time.Minute}} {
		code := k.Code(at.Add(w.Skew))
		m, err := k.Match(code, at, w)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Match(code, m.Remember.Add(-time.Second), w); err != nil {
			t.Errorf("%+v: refused a second before %v: %v", w, m.Remember, err)
		}
		if _, err := k.Match(code, m.Remember, w); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: at %v: %v", w, m.Remember, err)
		}
	}
}

func TestMatchReadsCodesAsPeopleTypeThem(t *testing.T) {
	steam, err := NewSteam([]byte("a secret"))
	if err != nil {
		t.Fatal(err)
	}
	motp, err := NewMOTP([]byte("a secret"), "1234")
	if err != nil {
		t.Fatal(err)
	}
	yandex, err := NewYandex([]byte("sixteen bytes..."), "1234")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1_000_000_005, 0)
	for _, k := range []*Key{mustKey(t, rfcSecrets[SHA1], Options{Digits: 8}), steam, motp, yandex} {
		code := k.Code(at)
		for _, typed := range []string{code, " " + code[:3] + " - " + code[3:] + "\n", strings.ToUpper(code), strings.ToLower(code),
			code[:1] + "\u00a0\u2013\u200b" + code[1:], code + "="} {
			if m, err := k.Match(typed, at, Window{}); err != nil || m.Skipped != 0 {
				t.Errorf("%v: %q: %v", k, typed, err)
			}
			if got, err := k.Normalize(typed); err != nil || got != code {
				t.Errorf("%v: %q is %q, %v", k, typed, got, err)
			}
		}
		for _, typed := range []string{"", " - ", code[1:], code + code[:1], code[1:] + "!", code[1:] + "\x00", code[1:] + "\xff",
			code[1:] + "\u0661", code[1:] + "\uff11", strings.Repeat(code, 1000)} { // Arabic-Indic and fullwidth digits
			if _, err := k.Match(typed, at, Window{}); !errors.Is(err, ErrMalformed) {
				t.Errorf("%v: %.40q: %v", k, typed, err)
			}
		}
	}
}

func TestMatchAtTheEdges(t *testing.T) {
	k := mustKey(t, rfcSecrets[SHA1], Options{})
	for _, unix := range []int64{math.MinInt64, -1e10, -31} {
		if _, err := k.Match(k.HOTP(0), time.Unix(unix, 0), Window{}); !errors.Is(err, ErrInvalid) {
			t.Errorf("at %d: %v", unix, err)
		}
	}
	if m, err := k.Match(k.HOTP(0), time.Unix(0, 0), Window{}); err != nil || m.Counter != 0 {
		t.Errorf("at 0: %+v, %v", m, err)
	}
	if _, err := k.Match(k.HOTP(0), time.Unix(0, 0), Window{Skew: -time.Hour}); !errors.Is(err, ErrInvalid) {
		t.Errorf("before 1970: %v", err)
	}
	late := time.Unix(math.MaxInt64, 0)
	if _, err := k.Match(k.Code(late), late, Window{Skew: math.MaxInt64, Size: time.Hour}); !errors.Is(err, ErrInvalid) {
		t.Errorf("the last second, far ahead: %v", err)
	}
	if m, err := k.Match(k.Code(late), late, Window{}); err != nil || m.Counter != lastSecond/30 || m.Remember.Unix() != lastSecond {
		t.Errorf("the last second: %+v, %v", m, err)
	}
	for _, skew := range []time.Duration{math.MinInt64, math.MaxInt64, 1500 * time.Millisecond} {
		at := time.Unix(1e11, 0)
		m, err := k.Match(k.Code(at.Add(skew)), at, Window{Skew: skew})
		if want := m.Expiry.Unix() + 30 - int64(skew/time.Second); err != nil || m.Remember.Unix() != want {
			t.Errorf("a skew of %v: %+v, %v", skew, m, err)
		}
	}
	for _, size := range []time.Duration{-2, math.MinInt64, math.MaxInt64, 5000 * 30 * time.Second, (4999*30 + 29) * time.Second} {
		if _, err := k.Match("123456", late, Window{Size: size}); !errors.Is(err, ErrWindow) {
			t.Errorf("a window of %v: %v", size, err)
		}
	}
}

// counting makes one and the same code for some counters and counts what it makes.
type counting struct {
	same map[uint64]bool
	made int
}

func (c *counting) code(counter uint64) []byte {
	c.made++
	if c.same[counter] {
		return []byte("111111")
	}
	return []byte("222222")
}
func (c *counting) form(b byte) (byte, bool) { return b, true }
func (c *counting) name() string             { return "counting" }
func (c *counting) wipe()                    {}

// TestMatchComputesTheWholeWindow shows that where a code is, and whether it is
// there, makes no difference to the work; and which of equal codes is taken.
func TestMatchComputesTheWholeWindow(t *testing.T) {
	at := time.Unix(1000*30, 0)
	for _, c := range []struct {
		name string
		same []uint64
		last *uint64
		want uint64
		err  error
		made int
	}{
		{"none", nil, nil, 0, ErrInvalid, 11}, {"the first", []uint64{995}, nil, 995, nil, 11}, {"the last", []uint64{1005}, nil, 1005, nil, 11},
		{"two", []uint64{999, 1003}, nil, 999, nil, 11}, {"a used one and a later one", []uint64{999, 1003}, new(uint64(999)), 1003, nil, 7},
		{"a used one", []uint64{999}, new(uint64(999)), 0, ErrUsed, 7},
	} {
		coder := &counting{same: map[uint64]bool{}}
		for _, step := range c.same {
			coder.same[step] = true
		}
		k := &Key{Options{Digits: 6, Period: 30 * time.Second}, coder}
		m, err := k.Match("111111", at, Window{Size: 150 * time.Second, Last: c.last})
		if !errors.Is(err, c.err) || m.Counter != c.want {
			t.Errorf("%s: %+v, %v", c.name, m, err)
		}
		if coder.made != c.made {
			t.Errorf("%s: %d codes made, want %d", c.name, coder.made, c.made)
		}
	}
	coder := &counting{}
	k := &Key{Options{Digits: 6, Period: 30 * time.Second}, coder}
	for second := range int64(30) {
		coder.made = 0
		_, err := k.Match("111111", time.Unix(1e9+second, 0), Window{Size: (4999*30 + 15) * time.Second})
		if !errors.Is(err, ErrInvalid) || coder.made > MaxSteps || coder.made < MaxSteps-1 {
			t.Errorf("the largest window: %d codes made, %v", coder.made, err)
		}
	}
}

func TestMatchCounter(t *testing.T) {
	k := mustKey(t, rfcSecrets[SHA1], Options{})
	for _, c := range []struct {
		code        uint64
		next        uint64
		ahead       int
		want        error
		description string
	}{
		{5, 5, 0, nil, "the next"}, {15, 5, 0, nil, "the last of the look-ahead"}, {16, 5, 0, ErrInvalid, "beyond it"},
		{4, 5, 0, ErrInvalid, "used"}, {5, 5, -2, ErrWindow, "below 0"}, {5, 5, NoLookAhead, nil, "the next alone"}, {6, 5, NoLookAhead, ErrInvalid, "after it"}, {5, 5, MaxLookAhead + 1, ErrWindow, "too many"},
		{105, 5, 100, nil, "far ahead"}, {math.MaxUint64, math.MaxUint64 - 1, 5, nil, "the last there is"}, {0, math.MaxUint64, 5, ErrInvalid, "around the end"},
	} {
		got, err := k.MatchCounter(k.HOTP(c.code), c.next, c.ahead)
		if !errors.Is(err, c.want) || err == nil && got != c.code {
			t.Errorf("%s: %d, %v", c.description, got, err)
		}
	}
}

func TestResync(t *testing.T) {
	k := mustKey(t, rfcSecrets[SHA1], Options{})
	codes := func(steps ...uint64) (list []string) {
		for _, step := range steps {
			list = append(list, k.HOTP(step))
		}
		return list
	}
	for _, c := range []struct {
		codes []string
		want  error
		at    uint64
	}{
		{codes(100, 101), nil, 101}, {codes(100, 101, 102), nil, 102}, {codes(0, 1), nil, 1}, {codes(1000, 1001), nil, 1001},
		{codes(100, 102), ErrInvalid, 0}, {codes(101, 100), ErrInvalid, 0}, {codes(100, 100), ErrInvalid, 0}, {codes(1001, 1002), ErrInvalid, 0},
		{[]string{k.HOTP(1), "x"}, ErrMalformed, 0}, {nil, ErrMalformed, 0},
		{codes(0, 1, 2, 3, 4, 5, 6, 7, 8, 9), nil, 9}, {codes(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10), ErrWindow, 0},
	} {
		if got, err := k.Resync(c.codes, 0, 1000); !errors.Is(err, c.want) || got != c.at {
			t.Errorf("%v: %d, %v; want %d, %v", c.codes, got, err, c.at, c.want)
		}
	}
	if got, err := k.Resync(codes(math.MaxUint64, 0), math.MaxUint64-3, 0); !errors.Is(err, ErrInvalid) {
		t.Errorf("around the end: %d, %v", got, err)
	}
	if got, err := k.Resync(codes(math.MaxUint64-1, math.MaxUint64), math.MaxUint64-3, 0); err != nil || got != math.MaxUint64 {
		t.Errorf("the last there are: %d, %v", got, err)
	}
	// A run that begins anew inside a run.
	coder := &counting{same: map[uint64]bool{3: true, 4: true, 5: true}}
	if got, err := (&Key{Options{Digits: 6}, coder}).Resync([]string{"111111", "111111", "222222"}, 0, 10); err != nil || got != 6 {
		t.Errorf("%d, %v", got, err)
	}
	if coder.made != 13 {
		t.Errorf("%d codes made", coder.made)
	}
}

func TestThrottle(t *testing.T) {
	var client Throttle
	now := time.Unix(1_000_000_000, 0)
	for failures, want := range []time.Duration{0, 0, 0, 0, 5 * time.Second, 10 * time.Second} {
		if client.Failures != failures || client.Wait(now, DefaultDelay) != want {
			t.Errorf("after %d: %v, want %v", failures, client.Wait(now, DefaultDelay), want)
		}
		client = client.Failed(now)
	}
	if got := client.Wait(now.Add(14*time.Second), DefaultDelay); got != time.Second {
		t.Errorf("a second before the end: %v", got)
	}
	if got := client.Wait(now.Add(time.Hour), DefaultDelay); got != 0 {
		t.Errorf("an hour later: %v", got)
	}
	if got := client.Wait(now.Add(-time.Hour), DefaultDelay); got != 15*time.Second {
		t.Errorf("with the clock set back: %v", got)
	}
	text, err := json.Marshal(client)
	var back Throttle
	if err != nil || json.Unmarshal(text, &back) != nil || back != client {
		t.Errorf("%s, %v: %+v", text, err, back)
	}
	if text, _ := json.Marshal(client.Succeeded()); string(text) != "{}" || client.Succeeded().Wait(now, DefaultDelay) != 0 {
		t.Errorf("after a right code: %s", text)
	}
	if got := DefaultDelay(math.MaxInt); got != time.Hour {
		t.Errorf("the longest delay: %v", got)
	}
	if (Throttle{Failures: math.MaxInt}).Failed(now).Failures != math.MaxInt {
		t.Error("the count overflows")
	}
}

// TestDelayOfAMonth is the sum in DefaultDelay's documentation.
func TestDelayOfAMonth(t *testing.T) {
	guesses := 0
	var client Throttle
	for now := time.Unix(0, 0); now.Before(time.Unix(30*24*3600, 0)); guesses++ {
		client = client.Failed(now)
		now = now.Add(client.Wait(now, DefaultDelay))
	}
	if guesses < 1050 || guesses > 1100 {
		t.Errorf("%d guesses in a month", guesses)
	}
}

func TestTokens(t *testing.T) {
	k := mustKey(t, rfcSecrets[SHA1], Options{})
	token := k.TokenAt(59)
	if !token.Valid(time.Unix(59, 999_999_999)) || token.Valid(time.Unix(60, 0)) || token.Valid(time.Unix(29, 0)) {
		t.Errorf("%+v", token)
	}
	if token.Remaining(time.Unix(58, 0)) != 2*time.Second || token.Remaining(time.Unix(61, 0)) != 0 {
		t.Errorf("%v left", token.Remaining(time.Unix(58, 0)))
	}
	if next := k.Step(token.Counter + 1); next.Start != token.Expiry || next.Code != k.HOTP(2) {
		t.Errorf("%+v", next)
	}
	if end := k.Step(math.MaxUint64); end.Code != k.HOTP(math.MaxUint64) || end.Expiry.Unix() != lastSecond {
		t.Errorf("%+v", end)
	}
}

func TestPreparedKeysAllocateNothing(t *testing.T) {
	motp, _ := NewMOTP([]byte("secret"), "1234")
	steam, _ := NewSteam([]byte("secret"))
	yandex, _ := NewYandex([]byte("sixteen bytes..."), "1234")
	at := time.Unix(1_000_000_005, 0)
	buf := make([]byte, 0, MaxDigits)
	for _, k := range []*Key{mustKey(t, rfcSecrets[SHA1], Options{}), mustKey(t, rfcSecrets[SHA512], Options{Algorithm: SHA512}), steam, motp, yandex} {
		code := k.Code(at)
		last := new(k.Counter(at) - 1)
		if n := testing.AllocsPerRun(100, func() { buf = k.AppendCode(buf[:0], 7) }); n != 0 {
			t.Errorf("%v: %v allocations for a code", k, n)
		}
		if n := testing.AllocsPerRun(100, func() {
			if _, err := k.Match(code, at, Window{Last: last}); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v: %v allocations for a match", k, n)
		}
		if n := testing.AllocsPerRun(100, func() {
			if _, err := k.Match(code, at.Add(time.Hour), Window{Last: last}); err == nil {
				t.Fatal("an old code matches")
			}
		}); n != 0 {
			t.Errorf("%v: %v allocations for a match of a wrong code", k, n)
		}
		if n := testing.AllocsPerRun(100, func() {
			if _, err := k.MatchCounter(code, *last, 0); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v: %v allocations for a match by counter", k, n)
		}
	}
}
