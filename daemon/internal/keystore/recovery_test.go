package keystore

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/internal/secret"
)

// TestCheckSymbol has Crockford's own way of finding it: the number modulo 37.
func TestCheckSymbol(t *testing.T) {
	for range 200 {
		code := strings.ReplaceAll(string(NewRecoveryCode().Reveal()), "-", "")
		n := new(big.Int)
		for _, c := range code[:recoveryDigits] {
			n.Mul(n, big.NewInt(32)).Add(n, big.NewInt(int64(strings.IndexRune(crockford, c))))
		}
		if want := crockfordCheck[n.Mod(n, big.NewInt(37)).Int64()]; code[recoveryDigits] != want {
			t.Fatalf("%s: check symbol %c, want %c", code, code[recoveryDigits], want)
		}
	}
}

func TestRecoveryCodesAsPeopleTypeThem(t *testing.T) {
	code := string(NewRecoveryCode().Reveal())
	for _, typed := range []string{code, strings.ToLower(code), strings.ReplaceAll(code, "-", ""), strings.ReplaceAll(code, "-", " "), " " + code + " ",
		code[:20] + strings.NewReplacer("1", "l", "0", "o").Replace(code[20:30]) + code[30:]} {
		if !IsRecoveryCode(secret.Copy([]byte(typed))) {
			t.Errorf("%q is not read", typed)
		}
	}
	plain := strings.ReplaceAll(code, "-", "")
	wrong := []string{"", "x", plain[1:], plain + "0", strings.Repeat("0", 1000), plain[:25] + "U" + plain[26:], plain[:26] + "!"}
	for i := range recoveryDigits { // one character mistyped, and two neighbours exchanged
		other := crockford[(strings.IndexByte(crockford, plain[i])+1)%32]
		wrong = append(wrong, plain[:i]+string(other)+plain[i+1:])
		if i > 0 && plain[i] != plain[i-1] {
			wrong = append(wrong, plain[:i-1]+string(plain[i])+string(plain[i-1])+plain[i+1:])
		}
	}
	for _, typed := range wrong {
		digits, err := parseRecoveryCode([]byte(typed))
		if !errors.Is(err, ErrRecoveryCode) || digits != nil {
			t.Errorf("%q: %v", typed, err)
		}
		if len(typed) > 5 && strings.Contains(err.Error(), typed[:5]) {
			t.Errorf("the error repeats the code: %v", err)
		}
	}
}

func FuzzRecoveryCode(f *testing.F) {
	f.Add(NewRecoveryCode().Reveal())
	f.Add([]byte("OOOOO-IIIII-LLLLL-00000-11111-1*"))
	f.Add([]byte("\xff\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		digits, err := parseRecoveryCode(text)
		if err != nil {
			return
		}
		again := append(append([]byte(nil), digits...), checkSymbol(digits))
		if back, err := parseRecoveryCode(again); err != nil || string(back) != string(digits) {
			t.Fatalf("%q reads as %q, which reads as %q, %v", text, again, back, err)
		}
	})
}
