package syncapi

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// The example of open2fa's own behaviour, as observed on version 1.4.7.
func TestOpen2FAExample(t *testing.T) {
	const text = "0e4742ef-780b-406d-8651-7766cf67be3f"
	for _, spelling := range []string{
		text, strings.ToUpper(text), strings.ReplaceAll(text, "-", ""),
		"{" + text + "}", "urn:uuid:" + text, " " + text + "\n",
	} {
		u, err := ParseUUID(spelling)
		if err != nil {
			t.Fatalf("%q: %v", spelling, err)
		}
		id, secret := u.Open2FA()
		if id != "XF1628BGJeibVv8C9UacG4" || secret != "QGcst74V9JXnyBnQmWSoCx" || u.Text() != text {
			t.Errorf("%q: %s %s %s", spelling, id, secret, u.Text())
		}
		if s := fmt.Sprintf("%v %s %+v %#v", u, u, u, u); strings.Contains(s, "0e47") || strings.Contains(s, "14") {
			t.Errorf("prints itself: %s", s)
		}
	}
}

func TestParseUUIDRefuses(t *testing.T) {
	for _, text := range []string{
		"", "-", "{}", "urn:uuid:", strings.Repeat("0", 31), strings.Repeat("0", 33), strings.Repeat("g", 32),
		"0e4742ef-780b-406d-8651-7766cf67be3", "0e4742e-f780b-406d-8651-7766cf67be3f", "{0e4742ef780b406d86517766cf67be3f",
	} {
		if _, err := ParseUUID(text); !errors.Is(err, ErrUUID) || (text != "" && len(text) > 4 && strings.Contains(err.Error(), text)) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestBase58KeepsLeadingZeros(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "\x00": "1", "\x00\x00\x01": "112", "\x39": "z", "\x3a": "21", "Hello World!": "2NEpo7TZRRrLZSi2U",
	} {
		if got := base58([]byte(in)); got != want {
			t.Errorf("%x: %s, want %s", in, got, want)
		}
	}
}
