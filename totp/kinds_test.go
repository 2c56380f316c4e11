package totp

import (
	"encoding/hex"
	"errors"
	"testing"
	"time"
)

// TestSteam has the vectors that KeePassXC tests its own codes with.
func TestSteam(t *testing.T) {
	secret, err := DecodeSecret("63BEDWCQZKTQWPESARIERL5DTTQFCJTK")
	if err != nil {
		t.Fatal(err)
	}
	k, err := NewSteam(secret)
	if err != nil {
		t.Fatal(err)
	}
	for unix, want := range map[int64]string{1511200518: "FR8RV", 1511200714: "9P3VP"} {
		if got := k.TokenAt(unix); got.Code != want || got.Expiry.Sub(got.Start) != 30*time.Second {
			t.Errorf("at %d: %+v, want %s", unix, got, want)
		}
	}
	if _, err := NewSteam(nil); !errors.Is(err, ErrEmpty) {
		t.Errorf("no secret: %v", err)
	}
}

// TestMOTP and TestYandex have the vectors that Aegis tests its own codes with.
func TestMOTP(t *testing.T) {
	for _, v := range []struct {
		unix         int64
		code, secret string
	}{
		{165892298, "e7d8b6", "e3152afee62599c8"}, {123456789, "4ebfb2", "e3152afee62599c8"},
	} {
		secret, err := hex.DecodeString(v.secret)
		if err != nil {
			t.Fatal(err)
		}
		k, err := NewMOTP(secret, "1234")
		if err != nil {
			t.Fatal(err)
		}
		if got := k.TokenAt(v.unix); got.Code != v.code || got.Expiry.Sub(got.Start) != 10*time.Second {
			t.Errorf("%s at %d: %+v, want %s", v.secret, v.unix, got, v.code)
		}
	}
	if _, err := NewMOTP(nil, "1234"); !errors.Is(err, ErrEmpty) {
		t.Errorf("no secret: %v", err)
	}
}

func TestYandex(t *testing.T) {
	for _, v := range []struct {
		secret, pin string
		unix        int64
		code        string
	}{
		{"6SB2IKNM6OBZPAVBVTOHDKS4FAAAAAAADFUTQMBTRY", "5239", 1641559648, "umozdicq"},
		{"LA2V6KMCGYMWWVEW64RNP3JA3IAAAAAAHTSG4HRZPI", "7586", 1581064020, "oactmacq"},
		{"LA2V6KMCGYMWWVEW64RNP3JA3IAAAAAAHTSG4HRZPI", "7586", 1581090810, "wemdwrix"},
		{"JBGSAU4G7IEZG6OY4UAXX62JU4AAAAAAHTSG4HXU3M", "5210481216086702", 1581091469, "dfrpywob"},
		{"JBGSAU4G7IEZG6OY4UAXX62JU4AAAAAAHTSG4HXU3M", "5210481216086702", 1581093059, "vunyprpd"},
	} {
		secret, err := DecodeSecret(v.secret)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range [][]byte{secret, secret[:16]} { // with and without the checksum
			k, err := NewYandex(secret, v.pin)
			if err != nil {
				t.Fatal(err)
			}
			if got := k.TokenAt(v.unix).Code; got != v.code {
				t.Errorf("%s at %d: %s, want %s", v.secret, v.unix, got, v.code)
			}
		}
	}
	for _, c := range []struct{ size, pin string }{{"", "1234"}, {"fifteen bytes..", "1234"}, {"sixteen bytes...", "123"}, {"sixteen bytes...", "12345678901234567"}, {"sixteen bytes...", "12a4"}} {
		if _, err := NewYandex([]byte(c.size), c.pin); !errors.Is(err, ErrYandex) && (c.size != "" || !errors.Is(err, ErrEmpty)) {
			t.Errorf("%d bytes, PIN of %d: %v", len(c.size), len(c.pin), err)
		}
	}
}
