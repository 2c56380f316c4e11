package totp

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// passlib is the reference: Python's passlib.totp in a process of its own, which
// answers questions.
type passlib struct {
	in  io.Writer
	out *bufio.Scanner
}

// needPasslib starts the reference, or skips the test.
func needPasslib(t *testing.T) *passlib {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import passlib.totp, cryptography").Run() != nil {
			continue
		}
		cmd := exec.Command(python, "testdata/passlib_oracle.py")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			in.Close()
			if err := cmd.Wait(); err != nil {
				t.Errorf("the reference ended with %v", err)
			}
		})
		return &passlib{in, bufio.NewScanner(out)}
	}
	const text = "passlib is not installed (Debian packages python3-passlib and python3-cryptography): nothing was compared with it"
	if os.Getenv("O2FA_TEST_STRICT") == "1" {
		t.Fatal(text)
	}
	t.Skip(text)
	return nil
}

type question map[string]any

// ask puts a question and decodes the answer as T.
func ask[T any](t *testing.T, p *passlib, q question) (answer T) {
	t.Helper()
	line, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	if !p.out.Scan() {
		t.Fatalf("no answer to %s: %v", line, p.out.Err())
	}
	if err := json.Unmarshal(p.out.Bytes(), &answer); err != nil {
		t.Fatalf("%s: %v: %s", line, err, p.out.Text())
	}
	return answer
}

// randomCredential returns a credential and the same as a question.
func randomCredential(rng *rand.Rand) (Credential, question) {
	secret := make([]byte, 10+rng.IntN(60))
	for i := range secret {
		secret[i] = byte(rng.Uint32())
	}
	o := Options{Algorithm: Algorithm(rng.IntN(3)), Digits: 6 + rng.IntN(5), Period: time.Duration(1+rng.IntN(90)) * time.Second}
	if rng.IntN(2) == 0 {
		o = Options{}
	}
	o, _ = o.filled()
	c := NewCredential(secret, o)
	c.Account = randomText(rng, 1)
	c.Issuer = randomText(rng, 0)
	return c, question{"key": EncodeHex(secret), "digits": o.Digits, "alg": strings.ToLower(o.Algorithm.String()),
		"period": int(o.Period / time.Second), "label": c.Account, "issuer": c.Issuer}
}

// randomText returns a name of at least so many characters, without a colon and
// without blanks around it.
func randomText(rng *rand.Rand, least int) string {
	alphabet := []rune("abcXYZ 019@.-_~%/?#&=+\"'\\<>\u007f\u00e9\u4e2d\U0001f511\uffff\t\n\r\f\b\x01")
	text := make([]rune, least+rng.IntN(12))
	for i := range text {
		text[i] = alphabet[rng.IntN(len(alphabet))]
	}
	name := strings.TrimSpace(string(text))
	if len(name) < least {
		return "x"
	}
	return name
}

func (q question) with(more question) question {
	both := question{}
	for _, m := range []question{q, more} {
		for k, v := range m {
			both[k] = v
		}
	}
	return both
}

// TestNewKeysAgreeWithPasslib has each side make keys, and the other read them.
func TestNewKeysAgreeWithPasslib(t *testing.T) {
	p, rng := needPasslib(t), seeded(t)
	for range 1000 {
		f := Factory{Options: Options{Algorithm: Algorithm(rng.IntN(3)), Digits: 6 + rng.IntN(5)}, Issuer: "Example"}
		ours, err := f.New("alice")
		if err != nil {
			t.Fatal(err)
		}
		text, err := f.JSON(ours)
		if err != nil {
			t.Fatal(err)
		}
		if got := ask[described](t, p, question{"do": "from", "source": text}); got != describe(ours, false) {
			t.Fatalf("passlib reads %s as %+v", text, got)
		}
		alg := strings.ToLower(f.Algorithm.String())
		source := ask[string](t, p, question{"do": "new", "alg": alg, "digits": f.Digits})
		theirs, _, err := f.Parse(source)
		if err != nil || len(theirs.Secret()) != len(ours.Secret()) || theirs.Algorithm != f.Algorithm || theirs.Digits != f.Digits {
			t.Fatalf("%s reads as %+v, %v", source, describe(theirs, false), err)
		}
	}
}

func TestTokensAgreeWithPasslib(t *testing.T) {
	p, rng := needPasslib(t), seeded(t)
	for range 3000 {
		c, q := randomCredential(rng)
		unix := rng.Int64N(1 << 40)
		want := ask[struct {
			Code          string
			Counter       uint64
			Start, Expiry int64
		}](t, p, q.with(question{"do": "token", "time": unix}))
		k, err := c.Key()
		if err != nil {
			t.Fatal(err)
		}
		got := k.TokenAt(unix)
		if got.Code != want.Code || got.Counter != want.Counter || got.Start.Unix() != want.Start || got.Expiry.Unix() != want.Expiry {
			t.Fatalf("%v at %d: %+v, passlib has %+v", q, unix, got, want)
		}
	}
}

// TestMatchesAgreeWithPasslib compares every result, for codes in and around the
// window. The one difference: where a used step and a later one have the same
// code passlib refuses it, and Match takes the later.
func TestMatchesAgreeWithPasslib(t *testing.T) {
	p, rng := needPasslib(t), seeded(t)
	seen := map[string]int{}
	for range 5000 {
		c, q := randomCredential(rng)
		k, err := c.Key()
		if err != nil {
			t.Fatal(err)
		}
		period := int64(k.options.Period / time.Second)
		unix, size, skew := rng.Int64N(1<<33), rng.Int64N(3*period+60), rng.Int64N(200)-100
		center := k.Counter(time.Unix(unix+skew, 0))
		code := k.HOTP(center + uint64(rng.Int64N(9)) - 4)
		switch rng.IntN(12) {
		case 0:
			code = code[:3] + " -" + code[3:] + "\n"
		case 1:
			code = code[1:]
		case 2:
			code = code[:2] + "x" + code[3:]
		}
		w := Window{Size: time.Duration(size) * time.Second, Skew: time.Duration(skew) * time.Second}
		if size == 0 {
			w.Size = NoWindow
		}
		ask0 := question{"do": "match", "code": code, "time": unix, "window": size, "skew": skew}
		if rng.IntN(3) > 0 {
			w.Last = new(center + uint64(rng.Int64N(9)) - 4)
			ask0["last"] = *w.Last
		}
		want := ask[struct {
			Error             string
			Counter, Expected uint64
			Skipped           int64
			Expiry, Remember  int64
		}](t, p, q.with(ask0))
		got, err := k.Match(code, time.Unix(unix, 0), w)
		verdict := map[error]string{nil: "", ErrMalformed: "malformed", ErrInvalid: "invalid"}[err]
		if used := (*UsedError)(nil); errors.As(err, &used) {
			verdict = "used"
			if used.Expiry.Unix() != want.Expiry {
				t.Fatalf("%v %v: the next code from %v, passlib has %d", q, ask0, used.Expiry, want.Expiry)
			}
		}
		seen[verdict]++
		if verdict == "" && want.Error == "used" && k.HOTP(*w.Last) == k.HOTP(got.Counter) {
			continue
		}
		if verdict != want.Error {
			t.Fatalf("%v %v: %v, passlib says %q", q, ask0, err, want.Error)
		}
		if err == nil && (got.Counter != want.Counter || got.Expected != want.Expected || got.Skipped != want.Skipped ||
			got.Expiry.Unix() != want.Expiry || got.Remember.Unix() != want.Remember-skew) {
			t.Fatalf("%v %v: %+v, passlib has %+v", q, ask0, got, want)
		}
	}
	for _, verdict := range []string{"", "malformed", "invalid", "used"} {
		if seen[verdict] < 50 {
			t.Errorf("only %d cases with the result %q: %v", seen[verdict], verdict, seen)
		}
	}
}

// described is what the reference read.
type described struct {
	Error, Key, Alg, Label, Issuer string
	Digits, Period                 int
	Changed                        bool
}

func describe(c Credential, changed bool) described {
	o, _ := c.filled()
	return described{Key: EncodeHex(c.Secret()), Alg: strings.ToLower(o.Algorithm.String()), Label: c.Account, Issuer: c.Issuer,
		Digits: o.Digits, Period: int(o.Period / time.Second), Changed: changed}
}

func TestJSONAgreesWithPasslib(t *testing.T) {
	p, rng := needPasslib(t), seeded(t)
	for range 2000 {
		c, q := randomCredential(rng)
		text, err := Factory{}.JSON(c)
		if err != nil {
			t.Fatal(err)
		}
		if want := ask[string](t, p, q.with(question{"do": "to_json"})); text != want {
			t.Fatalf("%s, passlib writes %s", text, want)
		}
		back, changed, err := Factory{}.Parse(text)
		if err != nil || describe(back, changed) != describe(c, false) {
			t.Fatalf("%s reads as %+v, %v", text, describe(back, changed), err)
		}
		if theirs := ask[described](t, p, question{"do": "from", "source": text}); theirs != describe(c, false) {
			t.Fatalf("passlib reads %s as %+v", text, theirs)
		}
	}
}

func TestURIsAgreeWithPasslib(t *testing.T) {
	p, rng := needPasslib(t), seeded(t)
	for range 2000 {
		c, q := randomCredential(rng)
		text, err := c.URI()
		if err != nil {
			t.Fatal(err)
		}
		if theirs := ask[described](t, p, question{"do": "from", "source": text}); theirs != describe(c, false) {
			t.Fatalf("passlib reads %s as %+v, not %+v", text, theirs, describe(c, false))
		}
		uri := ask[string](t, p, q.with(question{"do": "to_uri"}))
		back, changed, err := Factory{}.Parse(uri)
		if err != nil || describe(back, changed) != describe(c, false) {
			t.Fatalf("%s reads as %+v, %v", uri, describe(back, changed), err)
		}
		if uri != text {
			t.Fatalf("%s, passlib writes %s", text, uri)
		}
	}
}

func TestEnckeysAgreeWithPasslib(t *testing.T) {
	p, rng := needPasslib(t), seeded(t)
	secrets := map[string]string{"1": "old secret", "2": "a newer \u00e9 one", "10": GenerateWalletSecret(0)}
	raw := map[string][]byte{}
	for tag, s := range secrets {
		raw[tag] = []byte(s)
	}
	for range 1000 {
		cost := 1 + rng.IntN(6)
		tag := []string{"", "1", "2", "10"}[rng.IntN(4)]
		ours, err := NewWallet(raw, WalletOptions{Tag: tag, Cost: cost, Passlib: true})
		if err != nil {
			t.Fatal(err)
		}
		theirs := question{"secrets": secrets, "cost": cost}
		if tag != "" {
			theirs["tag"] = tag
		}
		c, q := randomCredential(rng)
		f := Factory{Wallet: ours}
		text, err := f.JSON(c)
		if err != nil || !strings.Contains(text, `"enckey":{"c":`) {
			t.Fatalf("%s, %v", text, err)
		}
		if got := ask[described](t, p, theirs.with(question{"do": "from", "source": text})); got != describe(c, false) {
			t.Fatalf("passlib reads %s as %+v", text, got)
		}
		stored := ask[string](t, p, theirs.with(q).with(question{"do": "to_json"}))
		back, changed, err := f.Parse(stored)
		if err != nil || describe(back, changed) != describe(c, false) {
			t.Fatalf("%s reads as %+v, %v", stored, describe(back, changed), err)
		}
		// Under another default tag or cost both say that it should be written again.
		other := WalletOptions{Tag: []string{"1", "2"}[rng.IntN(2)], Cost: 1 + rng.IntN(6), Passlib: true}
		rotated, err := NewWallet(raw, other)
		if err != nil {
			t.Fatal(err)
		}
		back, changed, err = Factory{Wallet: rotated}.Parse(stored)
		want := ask[described](t, p, question{"do": "from", "source": stored, "secrets": secrets, "cost": other.Cost, "tag": other.Tag})
		if err != nil || describe(back, changed) != want {
			t.Fatalf("%s: %+v, %v; passlib has %+v", stored, describe(back, changed), err, want)
		}
	}
}

func TestWalletRulesAgreeWithPasslib(t *testing.T) {
	p, rng := needPasslib(t), seeded(t)
	for range 500 {
		secrets, raw := map[string]string{}, map[string][]byte{}
		numeric := rng.IntN(2) == 0
		for range 1 + rng.IntN(5) {
			tag := fmt.Sprint(rng.IntN(2000))
			if !numeric {
				tag = fmt.Sprintf("20%02d-%c", rng.IntN(40), 'A'+rng.IntN(50)%26)
			}
			secrets[tag], raw[tag] = "s", []byte("s")
		}
		w, err := NewWallet(raw, WalletOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if want := ask[string](t, p, question{"do": "tag", "secrets": secrets}); w.Tag() != want {
			t.Fatalf("%v: seals under %s, passlib under %s", secrets, w.Tag(), want)
		}
	}
	for _, text := range []string{"1: a\n2: b\n", "# c\n\n  x-1 : s:with:colons \n x-2:t\n", `{"1":"a","20":"b","3":"c"}`} {
		w, err := ParseWallet(text, WalletOptions{})
		if want := ask[string](t, p, question{"do": "tag", "secrets": text}); err != nil || w.Tag() != want {
			t.Errorf("%q: %v, %v; passlib seals under %s", text, w, err, want)
		}
	}
	for _, bits := range []int{1, 6, 128, 256, 1000} {
		if want := ask[int](t, p, question{"do": "generate_secret", "bits": bits}); len(GenerateWalletSecret(bits)) != want {
			t.Errorf("%d bits: %d characters, passlib takes %d", bits, len(GenerateWalletSecret(bits)), want)
		}
	}
}

func TestPrettyKeysAgreeWithPasslib(t *testing.T) {
	p, rng := needPasslib(t), seeded(t)
	for range 300 {
		c, q := randomCredential(rng)
		want := ask[[2]string](t, p, q.with(question{"do": "pretty"}))
		if got := [2]string{Group(EncodeSecret(c.Secret()), "-"), Group(EncodeHex(c.Secret()), " ")}; got != want {
			t.Fatalf("%v, passlib has %v", got, want)
		}
	}
}
