package totp_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/o2fa/o2fa/totp"
)

func Example() {
	secret, err := totp.DecodeSecret("gezd gnbv gy3t qojq gezd gnbv gy3t qojq")
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := totp.NewKey(secret, totp.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(key.Code(time.Date(2009, 2, 13, 23, 31, 30, 0, time.UTC)))
	// Output: 005924
}

func ExampleNewKey() {
	secret := []byte("12345678901234567890123456789012")
	key, err := totp.NewKey(secret, totp.Options{Algorithm: totp.SHA256, Digits: 8})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(key)
	fmt.Println(key.Code(time.Unix(59, 0)))
	// Output:
	// totp.Key(SHA256, 8 digits, 30s)
	// 46119246
}

func ExampleKey_HOTP() {
	key, err := totp.NewKey([]byte("12345678901234567890"), totp.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for counter := range uint64(3) {
		fmt.Println(counter, key.HOTP(counter))
	}
	// Output:
	// 0 755224
	// 1 287082
	// 2 359152
}

func ExampleKey_Token() {
	key, err := totp.NewKey([]byte("12345678901234567890"), totp.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2005, 3, 18, 1, 58, 29, 0, time.UTC)
	token := key.Token(now)
	next := key.Token(token.Expiry)
	fmt.Println(token.Code, "for", token.Expiry.Sub(now), "then", next.Code)
	// Output: 081804 for 1s then 050471
}

func ExampleKey_AppendCode() {
	key, err := totp.NewKey([]byte("12345678901234567890"), totp.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	var buf []byte
	for counter := range uint64(3) {
		buf = key.AppendCode(buf[:0], counter)
		fmt.Printf("%s\n", buf)
	}
	// Output:
	// 755224
	// 287082
	// 359152
}

func ExampleDecodeSecret() {
	_, err := totp.DecodeSecret("JBSW Y3DP 0HPK 3PXP")
	fmt.Println(err)

	var wrong *totp.SecretError
	if errors.As(err, &wrong) && errors.Is(err, totp.ErrCharacter) {
		fmt.Println("look at character", wrong.Position)
	}
	// Output:
	// reading secret: character 11: not one of A-Z and 2-7
	// look at character 11
}

func ExampleEncodeSecret() {
	fmt.Println(totp.EncodeSecret([]byte("Hello!\xde\xad\xbe\xef")))
	// Output: JBSWY3DPEHPK3PXP
}

func ExampleParseURI() {
	user, err := totp.ParseURI("otpauth://totp/Big%20Corp:alice+work?secret=JBSWY3DPEHPK3PXP&issuer=Big%20Corp&digits=8")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(user.Label(), user.Type, user.Algorithm, user.Digits, user.Period)
	fmt.Println(user) // for logs: the secret is not shown
	// Output:
	// Big Corp:alice+work totp SHA1 8 30s
	// otpauth://totp/Big%20Corp:alice%2Bwork?secret=***&digits=8&issuer=Big%20Corp
}

func ExampleCredential_URI() {
	user := totp.NewCredential([]byte("Hello!\xde\xad\xbe\xef"), totp.Options{})
	user.Issuer, user.Account = "Big Corp", "alice@example.com"
	uri, err := user.URI()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(uri)
	// Output: otpauth://totp/Big%20Corp:alice@example.com?secret=JBSWY3DPEHPK3PXP&issuer=Big%20Corp
}

func ExampleKey_Step() {
	key, err := totp.NewKey([]byte("12345678901234567890"), totp.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	token := key.TokenAt(1111111109)
	for _, counter := range []uint64{token.Counter - 1, token.Counter, token.Counter + 1} {
		fmt.Println(key.Step(counter).Code)
	}
	// Output:
	// 731029
	// 081804
	// 050471
}

func ExampleKey_Match() {
	key, err := totp.NewKey([]byte("12345678901234567890"), totp.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Unix(1111111139, 0)
	match, err := key.Match("081 804", now, totp.Window{}) // of the step before
	fmt.Println(match, err)

	_, err = key.Match("081804", now, totp.Window{Last: &match.Counter})
	fmt.Println(err)
	fmt.Println("forget the counter in", match.Remember.Sub(now))
	// Output:
	// counter 37037036, -1 steps <nil>
	// code was used before
	// forget the counter in 1s
}

func ExampleKey_Resync() {
	key, err := totp.NewKey([]byte("12345678901234567890"), totp.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	// The token was pressed in somebody's pocket, far beyond the usual look-ahead.
	_, err = key.MatchCounter(key.HOTP(500), 3, 0)
	fmt.Println(err)
	used, err := key.Resync([]string{key.HOTP(500), key.HOTP(501)}, 3, 1000)
	fmt.Println("next counter", used+1, err)
	// Output:
	// code is not valid at this time
	// next counter 502 <nil>
}

func ExampleNewSteam() {
	secret, err := totp.DecodeSecret("63BEDWCQZKTQWPESARIERL5DTTQFCJTK")
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := totp.NewSteam(secret)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(key.Code(time.Unix(1511200518, 0)))
	// Output: FR8RV
}

func ExampleNewMOTP() {
	secret, err := totp.DecodeHex("e315 2afe e625 99c8")
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := totp.NewMOTP(secret, "1234")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(key.Code(time.Unix(165892298, 0)))
	// Output: e7d8b6
}

func ExampleNewYandex() {
	secret, err := totp.DecodeSecret("6SB2IKNM6OBZPAVBVTOHDKS4FAAAAAAADFUTQMBTRY")
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := totp.NewYandex(secret, "5239")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(key.Code(time.Unix(1641559648, 0)))
	// Output: umozdicq
}

func ExampleGroup() {
	fmt.Println(totp.Group("S3JDVB7QD2R7JPXX", "-"))
	// Output: S3JD-VB7Q-D2R7-JPXX
}

// A user enrols, and logs in.
func ExampleFactory() {
	wallet, err := totp.ParseWallet("2026-01: "+totp.GenerateWalletSecret(0)+"\n", totp.WalletOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	factory := totp.Factory{Issuer: "Example", Wallet: wallet}
	user, err := factory.New("alice")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(user) // the URI for the QR code is user.URI()

	stored, err := factory.JSON(user)
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := user.Key() // what the phone has
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Now()
	match, err := factory.Verify(key.Code(now), stored, now, totp.Window{})
	fmt.Println(match.Skipped, err)
	_, err = factory.Verify(key.Code(now), stored, now, totp.Window{Last: &match.Counter})
	fmt.Println(err)
	// Output:
	// otpauth://totp/Example:alice?secret=***&issuer=Example
	// 0 <nil>
	// code was used before
}

// A text that passlib's TOTP.to_json wrote.
func ExampleFactory_Parse() {
	stored := `{"enckey":{"c":14,"k":"FEJQ","s":"G5DOQPIHIBUM2OOHHADQ","t":"1","v":1},"type":"totp","v":1}`
	wallet, err := totp.ParseWallet(`{"1": "the old one", "2": "the new one"}`, totp.WalletOptions{Passlib: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	factory := totp.Factory{Wallet: wallet}
	_, changed, err := factory.Parse(stored)
	fmt.Println("write again:", changed, err)
	// Output: write again: true <nil>
}

// An application secret is rotated: a new one is added under a larger tag, what
// was sealed under the old one is written again, and then the old one can go.
func ExampleFactory_JSON() {
	before, err := totp.ParseWallet("2026-01: first\n", totp.WalletOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	stored, err := totp.NewCredential([]byte("Hello!\xde\xad\xbe\xef"), totp.Options{}).JSON(before)
	if err != nil {
		fmt.Println(err)
		return
	}
	after, err := totp.ParseWallet("2026-01: first\n2026-06: second\n", totp.WalletOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	factory := totp.Factory{Wallet: after}
	for range 2 {
		user, changed, err := factory.Parse(stored)
		fmt.Println("write again:", changed, err)
		if !changed {
			break
		}
		if stored, err = factory.JSON(user); err != nil {
			fmt.Println(err)
			return
		}
	}
	// Output:
	// write again: true <nil>
	// write again: false <nil>
}

func ExampleCredential_JSON() {
	user := totp.NewCredential([]byte("Hello!\xde\xad\xbe\xef"), totp.Options{Digits: 8})
	user.Issuer, user.Account = "Big Corp", "alice"
	text, err := user.JSON(nil)
	fmt.Println(text, err)
	// Output: {"digits":8,"issuer":"Big Corp","key":"JBSWY3DPEHPK3PXP","label":"alice","type":"totp","v":1} <nil>
}

func ExampleThrottle() {
	var throttle totp.Throttle // as stored with the user
	now := time.Unix(1111111109, 0)
	for range 5 {
		throttle = throttle.Failed(now)
	}
	fmt.Println(throttle.Wait(now, totp.DefaultDelay), throttle.Wait(now.Add(9*time.Second), nil))
	throttle = throttle.Succeeded()
	fmt.Println(throttle.Wait(now, totp.DefaultDelay))
	// Output:
	// 10s 1s
	// 0s
}

func ExampleWallet() {
	wallet, err := totp.ParseWallet("# newest last\n2026-01-31: first\n2026-06-30: second\n", totp.WalletOptions{Cost: 4})
	if err != nil {
		fmt.Println(err)
		return
	}
	sealed, err := wallet.Encrypt([]byte("Hello!\xde\xad\xbe\xef"))
	if err != nil {
		fmt.Println(err)
		return
	}
	secret, again, err := wallet.Decrypt(sealed)
	fmt.Println(sealed.Tag, totp.EncodeSecret(secret), again, err)
	fmt.Println(wallet)
	// Output:
	// 2026-06-30 JBSWY3DPEHPK3PXP false <nil>
	// totp.Wallet(2026-01-31, 2026-06-30; seals under 2026-06-30, cost 4)
}
