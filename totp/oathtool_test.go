package totp

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// oathtool runs the OATH toolkit's reference program, with the key on its
// standard input, and returns the codes that it prints.
func oathtool(t *testing.T, key string, args ...string) []string {
	t.Helper()
	cmd := exec.Command("oathtool", append(args, "-")...)
	cmd.Stdin = strings.NewReader(key + "\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("running oathtool %s: %v", strings.Join(args, " "), err)
	}
	return strings.Fields(string(out))
}

func needOathtool(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("oathtool"); err == nil {
		return
	}
	const text = "oathtool is not installed (Debian package oathtool): codes were not compared with it"
	if os.Getenv("O2FA_TEST_STRICT") == "1" {
		t.Fatal(text)
	}
	t.Skip(text)
}

// seeded returns a source of test cases and prints how to repeat them.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func randomSecret(rng *rand.Rand) []byte {
	secret := make([]byte, 1+rng.IntN(150))
	for i := range secret {
		secret[i] = byte(rng.Uint32())
	}
	return secret
}

// window is how many further codes one run of oathtool prints.
const window = 99

func TestHOTPAgreesWithOathtool(t *testing.T) {
	needOathtool(t)
	rng := seeded(t)
	starts := []uint64{0, math.MaxUint32 - 50, math.MaxInt64 - 50, math.MaxUint64 - 50} // the last wraps to 0
	for range 20 {
		starts = append(starts, rng.Uint64())
	}
	for i, start := range starts {
		secret, digits := randomSecret(rng), 6+i%3 // all that oathtool has
		want := oathtool(t, hex.EncodeToString(secret), "--hotp",
			fmt.Sprintf("--digits=%d", digits), fmt.Sprintf("--counter=%d", start), fmt.Sprintf("--window=%d", window))
		compare(t, secret, Options{Digits: digits}, start, want)
	}
}

// TestTOTPAgreesWithOathtool hands the secret over in base32, which compares
// that too.
func TestTOTPAgreesWithOathtool(t *testing.T) {
	needOathtool(t)
	rng := seeded(t)
	for i := range 45 {
		secret := randomSecret(rng)
		options := Options{Algorithm(i % 3), 6 + i/3%3, time.Duration(1+rng.IntN(100)) * time.Second}
		if i%5 == 0 {
			options.Period = DefaultPeriod
		}
		at := time.Unix(rng.Int64N(1<<35), 0)
		want := oathtool(t, EncodeSecret(secret), "--base32", "--totp="+options.Algorithm.String(),
			fmt.Sprintf("--digits=%d", options.Digits), fmt.Sprintf("--time-step-size=%ds", options.Period/time.Second),
			fmt.Sprintf("--now=@%d", at.Unix()), fmt.Sprintf("--window=%d", window))
		k, err := NewKey(secret, options)
		if err != nil {
			t.Fatal(err)
		}
		if got := k.Code(at); got != want[0] {
			t.Errorf("%+v at %d: %s, oathtool says %s", options, at.Unix(), got, want[0])
		}
		compare(t, secret, options, k.Counter(at), want)
	}
}

// compare checks want, the codes from the counter start on.
func compare(t *testing.T, secret []byte, options Options, start uint64, want []string) {
	t.Helper()
	if len(want) != window+1 {
		t.Fatalf("oathtool printed %d codes, not %d", len(want), window+1)
	}
	k, err := NewKey(secret, options)
	if err != nil {
		t.Fatal(err)
	}
	for i, code := range want {
		if got := k.HOTP(start + uint64(i)); got != code {
			t.Errorf("secret %x, %+v, counter %d: %s, oathtool says %s", secret, options, start+uint64(i), got, code)
		}
	}
}
