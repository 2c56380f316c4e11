package keystore

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

var (
	someID    = [16]byte{0: 1, 15: 0xff}
	someVault = [16]byte{0: 2, 15: 0xee}
)

// headers are one of each type, with their encodings: frozen, since vaults bind
// to the bytes.
var headers = map[string]Header{
	`{"id":"010000000000000000000000000000ff","type":"keyring","vault":"020000000000000000000000000000ee"}`: {ID: someID, Type: TypeKeyring, Vault: someVault},
	`{"id":"010000000000000000000000000000ff","type":"memory","vault":"020000000000000000000000000000ee"}`:  {ID: someID, Type: TypeMemory, Vault: someVault},
	`{"id":"010000000000000000000000000000ff","type":"passphrase","vault":"020000000000000000000000000000ee","argon2":{"time":3,"memory_kib":131072,"threads":4},"salt":"AAECAwQFBgcICQoLDA0ODw"}`: {
		ID: someID, Type: TypePassphrase, Vault: someVault,
		Argon2: &Argon2{3, 131072, 4}, Salt: []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
	},
	`{"id":"010000000000000000000000000000ff","type":"recovery","vault":"020000000000000000000000000000ee","salt":"AAECAwQFBgcICQoLDA0ODw"}`: {
		ID: someID, Type: TypeRecovery, Vault: someVault, Salt: []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
	},
	`{"id":"010000000000000000000000000000ff","type":"credential","vault":"020000000000000000000000000000ee","name":"o2fa.key <2>"}`:         {ID: someID, Type: TypeCredential, Vault: someVault, Name: "o2fa.key <2>"},
	`{"id":"010000000000000000000000000000ff","type":"keyfile","vault":"020000000000000000000000000000ee","path":"/home/a&b/<é>/vault.key"}`: {ID: someID, Type: TypeKeyfile, Vault: someVault, Path: "/home/a&b/<é>/vault.key"},
}

func TestHeaderEncoding(t *testing.T) {
	for want, h := range headers {
		if got := string(h.Encode()); got != want {
			t.Errorf("Encode\n got %s\nwant %s", got, want)
		}
		got, err := ParseHeader([]byte(want))
		if err != nil {
			t.Errorf("%v: %s", err, want)
		} else if !reflect.DeepEqual(got, h) {
			t.Errorf("parsed %+v, want %+v", got, h)
		}
	}
}

// TestHeaderRefused: each case is a good header with one thing replaced.
func TestHeaderRefused(t *testing.T) {
	var passphrase, keyfile, keyring, credential string
	for text, h := range headers {
		switch h.Type {
		case TypePassphrase:
			passphrase = text
		case TypeKeyfile:
			keyfile = text
		case TypeKeyring:
			keyring = text
		case TypeCredential:
			credential = text
		}
	}
	for _, c := range []struct{ name, in, old, replacement string }{
		{"empty", keyring, keyring, ""},
		{"null", keyring, keyring, "null"},
		{"array", keyring, keyring, "[]"},
		{"twice", keyring, keyring, keyring + keyring},
		{"newline", keyring, keyring, keyring + "\n"},
		{"space", keyring, `":"`, `": "`},
		{"upper case hex", keyring, "ff", "FF"},
		{"short id", keyring, "ff", ""},
		{"long id", keyring, "ff", "ffff"},
		{"no id", keyring, `"id":"010000000000000000000000000000ff",`, ""},
		{"other case of a name", keyring, `"id"`, `"ID"`},
		{"unknown field", keyring, `"id"`, `"x":1,"id"`},
		{"field twice", keyring, `"id"`, `"type":"memory","id"`},
		{"unknown type", keyring, `"keyring"`, `"recovery2"`},
		{"escape", keyring, `keyring`, `keyr\u0069ng`},
		{"field of another type", keyring, `"vault"`, `"path":"/x","vault"`},
		{"salt of another type", keyring, `ee"`, `ee","salt":"AAECAwQFBgcICQoLDA0ODw"`},
		{"no argon2", passphrase, `"argon2":{"time":3,"memory_kib":131072,"threads":4},`, ""},
		{"argon2 null", passphrase, `{"time":3,"memory_kib":131072,"threads":4}`, "null"},
		{"no salt", passphrase, `,"salt":"AAECAwQFBgcICQoLDA0ODw"`, ""},
		{"empty salt", passphrase, `AAECAwQFBgcICQoLDA0ODw`, ""},
		{"salt of 15", passphrase, `AAECAwQFBgcICQoLDA0ODw`, "AAECAwQFBgcICQoLDA0O"},
		{"salt of 65", passphrase, `AAECAwQFBgcICQoLDA0ODw`, strings.Repeat("A", 87)},
		{"padded salt", passphrase, `0ODw`, `0ODw==`},
		{"stray bits", passphrase, `0ODw`, `0ODx`},
		{"newline in salt", passphrase, `0ODw`, `0O\nDw`},
		{"time 0", passphrase, `"time":3`, `"time":0`},
		{"time 17", passphrase, `"time":3`, `"time":17`},
		{"time -1", passphrase, `"time":3`, `"time":-1`},
		{"time 1e0", passphrase, `"time":3`, `"time":3e0`},
		{"2 GiB", passphrase, `131072`, `2097152`},
		{"1 GiB and 1 KiB", passphrase, `131072`, `1048577`},
		{"beyond uint32", passphrase, `131072`, `4295098368`},
		{"7 KiB a thread", passphrase, `131072`, `28`},
		{"no thread", passphrase, `"threads":4`, `"threads":0`},
		{"17 threads", passphrase, `"threads":4`, `"threads":17`},
		{"257 threads", passphrase, `"threads":4`, `"threads":257`},
		{"no path", keyfile, `,"path":"/home/a&b/<é>/vault.key"`, ""},
		{"long path", keyfile, `/home`, "/" + strings.Repeat("x", maxPath)},
		{"path not UTF-8", keyfile, `é`, "\xff"},
		{"no name", credential, `,"name":"o2fa.key <2>"`, ""},
		{"name with a slash", credential, `o2fa.key <2>`, "../o2fa.key"},
		{"name with a colon", credential, `o2fa.key <2>`, "o2fa:key"},
		{"directory for a name", credential, `o2fa.key <2>`, ".."},
		{"name not ASCII", credential, `o2fa.key <2>`, "é"},
		{"long name", credential, `o2fa.key <2>`, strings.Repeat("x", 256)},
		{"name of another type", keyring, `ee"`, `ee","name":"o2fa.key"`},
		{"too large", keyfile, `/home`, "/" + strings.Repeat("x", MaxHeader)},
	} {
		text := strings.Replace(c.in, c.old, c.replacement, 1)
		if text == c.in {
			t.Errorf("%s: the case changes nothing", c.name)
		}
		if h, err := ParseHeader([]byte(text)); !errors.Is(err, ErrHeader) || !reflect.DeepEqual(h, Header{}) {
			t.Errorf("%s: %+v, %v, want ErrHeader", c.name, h, err)
		}
	}
}

// TestHeaderBounds: the largest header that Create makes can be parsed.
func TestHeaderBounds(t *testing.T) {
	h := Header{Type: TypeKeyfile, Path: "/" + strings.Repeat("\x01", maxPath-1)}
	text := h.Encode()
	if len(text) > MaxHeader {
		t.Errorf("%d bytes, more than %d", len(text), MaxHeader)
	}
	if got, err := ParseHeader(text); err != nil || got.Path != h.Path {
		t.Error(err)
	}
	h.Path = "/" + strings.Repeat("\x01", maxPath)
	if _, err := ParseHeader(h.Encode()); !errors.Is(err, ErrHeader) {
		t.Errorf("%v, want ErrHeader", err)
	}
}

func FuzzParseHeader(f *testing.F) {
	for text := range headers {
		f.Add([]byte(text))
	}
	f.Add([]byte(`{"id":"","type":"passphrase","vault":"","argon2":{"time":4294967295,"memory_kib":4294967295,"threads":255},"salt":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := ParseHeader(data)
		if err != nil {
			if !errors.Is(err, ErrHeader) {
				t.Errorf("%v is not ErrHeader", err)
			}
			return
		}
		if !bytes.Equal(h.Encode(), data) {
			t.Errorf("two encodings of one header: %s and %s", data, h.Encode())
		}
		if !json.Valid(data) || len(data) > MaxHeader {
			t.Error("it is no bounded JSON")
		}
		if a := h.Argon2; a != nil && (a.Time < 1 || a.Time > 16 || a.MemoryKiB > 1<<20 || a.Threads < 1 || a.Threads > 16) {
			t.Errorf("out of bounds: %+v", *a)
		}
		if salted := h.Type == TypePassphrase || h.Type == TypeRecovery; salted != (len(h.Salt) >= 16 && len(h.Salt) <= 64) {
			t.Errorf("salt of %d bytes", len(h.Salt))
		}
		if (h.Type == TypeCredential) != (h.Name != "") || h.Name == ".." || strings.ContainsAny(h.Name, "/\\:\x00\n") {
			t.Errorf("name %q", h.Name)
		}
	})
}

func TestParseValue(t *testing.T) {
	key := newKey()
	good := string(formatValue(key.Reveal()))
	if len(good) != maxValue || maxValue != 49 {
		t.Fatalf("a value of %d characters, maxValue is %d", len(good), maxValue)
	}
	got, err := parseValue([]byte(good))
	if err != nil || !got.Equal(key) {
		t.Fatalf("%v", err)
	}
	zeros := "o2fa1:" + strings.Repeat("A", 43)
	if _, err := parseValue([]byte(zeros)); err != nil {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{
		"", "o2fa1:", good[1:], good[:48], good + "A", good + "\n", " " + good, "O2FA1:" + good[6:], "o2fa2:" + good[6:],
		zeros[:48] + "=", zeros[:48] + "B" /* stray bits */, zeros[:48] + "+", zeros[:48] + "\n", zeros[:20] + "\r\n" + zeros[22:],
	} {
		_, err := parseValue([]byte(bad))
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("%q: %v, want ErrDamaged", bad, err)
		} else if len(bad) > 20 && strings.Contains(err.Error(), bad[10:20]) {
			t.Errorf("the error repeats the value: %v", err)
		}
	}
}

func FuzzParseValue(f *testing.F) {
	f.Add([]byte("o2fa1:" + strings.Repeat("A", 43)))
	f.Add([]byte("o2fa1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"))
	f.Add([]byte("o2fa1:\n"))
	f.Fuzz(func(t *testing.T, value []byte) {
		key, err := parseValue(value)
		if err != nil {
			if !errors.Is(err, ErrDamaged) || key.Len() != 0 {
				t.Errorf("%v, and a key of %d bytes", err, key.Len())
			}
			return
		}
		if key.Len() != KeySize || !bytes.Equal(formatValue(key.Reveal()), value) {
			t.Error("two values of one key")
		}
	})
}
