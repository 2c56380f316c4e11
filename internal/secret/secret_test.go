package secret

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const canary = "correct horse"

func TestNothingPrintsASecret(t *testing.T) {
	s := New([]byte(canary))
	holder := struct {
		S Bytes
		P *Bytes
	}{s, &s}
	type unexported struct {
		s Bytes
		p *Bytes
	}
	hidden := unexported{s, &s}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%b", "%o", "%U"} {
		fmt.Fprintf(&out, verb+" ", s)
		fmt.Fprintf(&out, verb+" ", &s)
		fmt.Fprintf(&out, verb+" ", holder)
		fmt.Fprintf(&out, verb+" ", hidden)
		fmt.Fprintf(&out, verb+" ", &hidden)
		fmt.Fprintf(&out, verb+" ", []unexported{hidden})
		fmt.Fprintf(&out, verb+" ", map[string]*unexported{"x": &hidden})
	}
	fmt.Fprintln(&out, s, s.String(), s.GoString())
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "s", s, "h", holder, "u", hidden)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "s", s, "h", holder, "u", hidden)
	got := out.String()
	for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprint([]byte(canary)), "correct"} {
		if strings.Contains(strings.ToLower(got), form) {
			t.Errorf("output holds %q:\n%s", form, got)
		}
	}
	if !strings.Contains(got, redacted) {
		t.Error("no placeholder in the output")
	}
}

func TestEncodersRefuse(t *testing.T) {
	s := New([]byte(canary))
	if _, err := json.Marshal(map[string]any{"s": s}); !errors.Is(err, ErrMarshal) {
		t.Errorf("json: %v", err)
	}
	if _, err := json.Marshal(map[string]any{"s": &s}); !errors.Is(err, ErrMarshal) {
		t.Errorf("json of a pointer: %v", err)
	}
	if _, err := s.MarshalText(); !errors.Is(err, ErrMarshal) {
		t.Errorf("text: %v", err)
	}
	if err := gob.NewEncoder(&bytes.Buffer{}).Encode(s); !errors.Is(err, ErrMarshal) {
		t.Errorf("gob: %v", err)
	}
}

func TestWipeReachesEveryCopy(t *testing.T) {
	b := []byte(canary)
	s := New(b)
	u, own := s, Copy(b)
	s.Wipe()
	if !bytes.Equal(b, make([]byte, len(canary))) || !bytes.Equal(u.Reveal(), b) {
		t.Error("buffer not wiped")
	}
	if string(own.Reveal()) != canary || own.Equal(u) || !own.Equal(Copy([]byte(canary))) {
		t.Error("Copy shares the buffer, or Equal is wrong")
	}
	var zero Bytes
	zero.Wipe()
	if zero.Len() != 0 || own.Len() != len(canary) {
		t.Error("Len")
	}
}
