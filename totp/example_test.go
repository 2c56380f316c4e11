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
	uri, err := totp.ParseURI("otpauth://totp/Big%20Corp:alice+work?secret=JBSWY3DPEHPK3PXP&issuer=Big%20Corp&digits=8")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(uri.Label(), uri.Type, uri.Algorithm, uri.Digits, uri.Period)
	fmt.Println(uri) // for logs: the secret is not shown
	// Output:
	// Big Corp:alice+work totp SHA1 8 30s
	// otpauth://totp/Big%20Corp:alice%2Bwork?secret=***&digits=8&issuer=Big%20Corp
}

func ExampleCredential_URI() {
	uri := totp.NewCredential([]byte("Hello!\xde\xad\xbe\xef"), totp.Options{})
	uri.Issuer, uri.Account = "Big Corp", "alice@example.com"
	text, err := uri.URI()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(text)
	// Output: otpauth://totp/Big%20Corp:alice@example.com?secret=JBSWY3DPEHPK3PXP&issuer=Big%20Corp
}
