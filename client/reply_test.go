package client

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
)

const goodHead = "HTTP/1.0 200 OK\r\no2fa-api: 12\r\nO2FA-RELEASE:  1.0.0 \r\nDate: now\r\nO2fa-Profile: 0123456789ab\r\n"

func TestReadReply(t *testing.T) {
	wire := goodHead + "Content-Length: 5\r\n\r\nhello, and more"
	for name, r := range map[string]io.Reader{
		"at once":  strings.NewReader(wire),
		"in bytes": iotest.OneByteReader(strings.NewReader(wire)),
		"with EOF": iotest.DataErrReader(strings.NewReader(wire)),
	} {
		rep, err := readReply(r, 5)
		if err != nil || rep.status != 200 || rep.api != 12 || rep.release != "1.0.0" || rep.profile != "0123456789ab" || string(rep.body) != "hello" {
			t.Errorf("%s: %+v, %v", name, rep, err)
		}
	}
}

func TestReadReplyLargeBody(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789"), 100_000)
	wire := goodHead + "Content-Length: 1000000\r\n\r\n" + string(want)
	rep, err := readReply(iotest.HalfReader(strings.NewReader(wire)), 1<<20)
	if err != nil || !bytes.Equal(rep.body, want) {
		t.Fatal(err)
	}
}

func TestReadReplyRefuses(t *testing.T) {
	length := "Content-Length: 0\r\n"
	for name, wire := range map[string]string{
		"another protocol":      "HTTP/2 200 OK" + strings.TrimPrefix(goodHead, "HTTP/1.0 200 OK") + length + "\r\n",
		"a status of 2 digits":  strings.Replace(goodHead, "200", "20", 1) + length + "\r\n",
		"a status of 4 digits":  strings.Replace(goodHead, "200", "2000", 1) + length + "\r\n",
		"a break in the reason": strings.Replace(goodHead, "OK", "OK\nX: y", 1) + length + "\r\n",
		"an interim status":     strings.Replace(goodHead, "200", "100", 1) + length + "\r\n",
		"a signed status":       strings.Replace(goodHead, "200", "+20", 1) + length + "\r\n",
		"no length":             goodHead + "\r\n",
		"no API number":         strings.Replace(goodHead, "o2fa-api: 12\r\n", "", 1) + length + "\r\n",
		"no release":            strings.Replace(goodHead, "O2FA-RELEASE", "X", 1) + length + "\r\n",
		"no profile":            strings.Replace(goodHead, "O2fa-Profile", "X", 1) + length + "\r\n",
		"an API that is none":   strings.Replace(goodHead, "12", "one", 1) + length + "\r\n",
		"two lengths":           goodHead + length + length + "\r\n",
		"two API numbers":       goodHead + "O2fa-Api: 12\r\n" + length + "\r\n",
		"a negative length":     goodHead + "Content-Length: -1\r\n\r\n",
		"a signed length":       goodHead + "Content-Length: +0\r\n\r\n",
		"a hexadecimal length":  goodHead + "Content-Length: 0x1\r\n\r\n1",
		"an empty length":       goodHead + "Content-Length:\r\n\r\n",
		"a list of lengths":     goodHead + "Content-Length: 1, 1\r\n\r\n1",
		"an overflowing one":    goodHead + "Content-Length: 99999999999999999999\r\n\r\n1",
		"too large a body":      goodHead + "Content-Length: 1001\r\n\r\n" + strings.Repeat("x", 1001),
		"chunks":                goodHead + length + "Transfer-Encoding: chunked\r\n\r\n",
		"a folded line":         goodHead + length + "X: a\r\n b\r\n\r\n",
		"a blank in a name":     goodHead + "Content-Length : 0\r\n\r\n",
		"a line without colon":  goodHead + length + "x\r\n\r\n",
		"a bare line feed":      goodHead + length + "X: a\nY: b\r\n\r\n",
		"a zero byte":           goodHead + length + "X: a\x00\r\n\r\n",
		"only line feeds":       strings.ReplaceAll(goodHead+length+"\r\n", "\r\n", "\n"),
		"too many lines":        goodHead + length + strings.Repeat("X: y\r\n", maxHeaders) + "\r\n",
		"too long a header":     goodHead + length + "X: " + strings.Repeat("y", maxHead) + "\r\n\r\n",
		"nothing":               "",
		"an empty line":         "\r\n\r\n",
	} {
		if rep, err := readReply(strings.NewReader(wire), 1000); err == nil {
			t.Errorf("%s: %+v", name, rep)
		}
	}
	if rep, err := readReply(strings.NewReader(goodHead+length+"\r\n"), 1000); err != nil || len(rep.body) != 0 {
		t.Errorf("the one they were made from: %+v, %v", rep, err)
	}
}

func TestReadReplyPassesErrorsOn(t *testing.T) {
	broken := errors.New("broken")
	for _, begin := range []string{"", goodHead, goodHead + "Content-Length: 9\r\n\r\n123"} {
		r := io.MultiReader(strings.NewReader(begin), iotest.ErrReader(broken))
		if _, err := readReply(r, 1000); !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v", len(begin), err)
		}
	}
}

// FuzzReadReply wants no panic, one answer however the bytes arrive, and
// nothing that Go's own reader would take for something else.
func FuzzReadReply(f *testing.F) {
	f.Add([]byte(goodHead + "Content-Length: 5\r\n\r\nhello"))
	f.Add([]byte(goodHead + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 404 Not Found\r\nO2fa-Api: 1\r\nO2fa-Release: \r\nO2fa-Profile: \r\nContent-Length: 1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		const maxBody = 1000
		rep, err := readReply(bytes.NewReader(wire), maxBody)
		slow, slowErr := readReply(iotest.OneByteReader(bytes.NewReader(wire)), maxBody)
		if (err == nil) != (slowErr == nil) {
			t.Fatalf("at once %v, slowly %v", err, slowErr)
		}
		if err != nil {
			return
		}
		if rep.status != slow.status || rep.api != slow.api || !bytes.Equal(rep.body, slow.body) || len(rep.body) > maxBody {
			t.Fatalf("at once %+v, slowly %+v", rep, slow)
		}
		theirs, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(wire)), &http.Request{Method: "POST"})
		if err != nil {
			t.Fatalf("we read %+v, net/http says %v", rep, err)
		}
		body, err := io.ReadAll(theirs.Body)
		// net/http gives no body to 204 and 304, whatever their length says.
		if bodyless := rep.status == 204 || rep.status == 304; err != nil || theirs.StatusCode != rep.status || !bodyless && !bytes.Equal(body, rep.body) {
			t.Fatalf("we read %+v, net/http %d %q, %v", rep, theirs.StatusCode, body, err)
		}
	})
}

// FuzzEscape wants every name to arrive as it was.
func FuzzEscape(f *testing.F) {
	f.Add("name", "a b&c=d+é%\r\n\x00#?/")
	f.Fuzz(func(t *testing.T, name, value string) {
		escaped := appendEscaped(append(appendEscaped(nil, name), '='), value)
		got, err := url.ParseQuery(string(escaped))
		if err != nil || len(got) != 1 || got.Get(name) != value {
			t.Fatalf("%q=%q became %s, which is %v, %v", name, value, escaped, got, err)
		}
		if strings.ContainsAny(string(escaped), " \r\n#\x00") {
			t.Fatalf("%s would break the request line", escaped)
		}
	})
}
