package seal

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
)

func testKey(t testing.TB, fill byte) *Key {
	t.Helper()
	k, err := NewKey(bytes.Repeat([]byte{fill}, KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestRoundTrip(t *testing.T) {
	k := testKey(t, 1)
	for _, n := range []int{0, 1, 254, 255, 256, 257, 511, 512, 70_000} {
		data := make([]byte, n)
		rand.Read(data)
		env := k.Seal(VaultEntry, []byte("context"), data)
		if want := (n/256+1)*256 + Overhead; len(env) != want {
			t.Errorf("envelope of %d bytes has %d, want %d", n, len(env), want)
		}
		got, err := k.Open(VaultEntry, []byte("context"), env)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("opening %d bytes: %v, equal %t", n, err, bytes.Equal(got, data))
		}
	}
}

// Data that looks like padding must come back whole.
func TestDataThatLooksLikePadding(t *testing.T) {
	k := testKey(t, 1)
	for _, data := range [][]byte{{0x80}, {0x80, 0}, {0, 0, 0}, bytes.Repeat([]byte{0x80}, 256), make([]byte, 600)} {
		got, err := k.Open(Backup, nil, k.Seal(Backup, nil, data))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%x came back as %x, %v", data, got, err)
		}
	}
}

func TestNoncesDiffer(t *testing.T) {
	k := testKey(t, 1)
	seen := map[string]bool{}
	for range 1000 {
		n := string(k.Seal(VaultEntry, nil, nil)[1 : 1+nonceSize])
		if seen[n] {
			t.Fatal("a nonce was drawn twice")
		}
		seen[n] = true
	}
}

func TestKeySize(t *testing.T) {
	for _, n := range []int{0, 16, 24, 31, 33, 64} {
		if _, err := NewKey(make([]byte, n)); !errors.Is(err, ErrKeySize) {
			t.Errorf("NewKey of %d bytes: %v", n, err)
		}
	}
}

// refuses checks that an envelope gives an error, and no plaintext with it.
func refuses(t *testing.T, k *Key, p Purpose, context, env []byte, what string, arg any) {
	t.Helper()
	got, err := k.Open(p, context, env)
	if !errors.Is(err, ErrOpen) || got != nil {
		t.Errorf("%s %v: opened to %d bytes, %v", what, arg, len(got), err)
	}
}

func TestEveryBitCounts(t *testing.T) {
	k := testKey(t, 1)
	env := k.Seal(VaultEntry, []byte("id"), bytes.Repeat([]byte("data"), 70))
	for i := range len(env) * 8 {
		bad := bytes.Clone(env)
		bad[i/8] ^= 1 << (i % 8)
		refuses(t, k, VaultEntry, []byte("id"), bad, "flipped bit", i)
	}
}

func TestEveryLengthCounts(t *testing.T) {
	k := testKey(t, 1)
	env := k.Seal(VaultEntry, []byte("id"), bytes.Repeat([]byte("data"), 70))
	for n := range len(env) {
		refuses(t, k, VaultEntry, []byte("id"), env[:n], "cut to", n)
		refuses(t, k, VaultEntry, []byte("id"), env[n+1:], "without the first", n+1)
	}
	for n := 1; n <= 300; n++ {
		refuses(t, k, VaultEntry, []byte("id"), append(bytes.Clone(env), make([]byte, n)...), "longer by", n)
	}
}

func TestMovedEnvelope(t *testing.T) {
	k := testKey(t, 1)
	env := k.Seal(VaultEntry, []byte("here"), []byte("data"))
	for p := VaultEntry; p <= SyncManifest; p++ {
		if p != VaultEntry {
			refuses(t, k, p, []byte("here"), env, "as", p)
		}
	}
	for _, c := range []string{"", "her", "here ", "there", "here\x00"} {
		refuses(t, k, VaultEntry, []byte(c), env, "in context", c)
	}
	refuses(t, testKey(t, 2), VaultEntry, []byte("here"), env, "with another key", "")
}

// A purpose and a context must not run into each other.
func TestAdditionalDataIsInjective(t *testing.T) {
	seen := map[string]string{}
	for p := VaultEntry; p <= SyncManifest; p++ {
		for _, c := range []string{"", "\x00", "a", "/entry", "entry\x00", "\x00vault/entry"} {
			a, me := string(additional(p, []byte(c))), p.String()+"|"+c
			if was, twice := seen[a]; twice {
				t.Errorf("%q and %q have the same additional data", was, me)
			}
			seen[a] = me
		}
	}
}

func TestContextIsInjective(t *testing.T) {
	a := Context([]byte("ab"), []byte("c"))
	if b := Context([]byte("a"), []byte("bc")); bytes.Equal(a, b) {
		t.Error("two pairs, one context")
	}
	if want := "\x00\x02ab\x00\x01c"; string(a) != want {
		t.Errorf("Context = %q, want %q", a, want)
	}
}

func TestPurposeNames(t *testing.T) {
	seen := map[string]bool{}
	for p := VaultEntry; p <= SyncManifest; p++ {
		s := p.String()
		if s == "" || seen[s] || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("purpose %d has the name %q", p, s)
		}
		seen[s] = true
	}
	for _, p := range []Purpose{0, SyncManifest + 1, 255} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("sealing for purpose %d did not panic", p)
				}
			}()
			testKey(t, 1).Seal(p, nil, nil)
		}()
	}
}

// On the path of a code the caller brings the buffer.
func TestAppendOpen(t *testing.T) {
	k := testKey(t, 1)
	env := k.Seal(VaultEntry, nil, []byte("data"))
	buf := append(make([]byte, 0, 1024), "kept "...)
	got, err := k.AppendOpen(buf, VaultEntry, nil, env)
	if err != nil || string(got) != "kept data" || &got[0] != &buf[0] {
		t.Errorf("AppendOpen = %q, %v", got, err)
	}
	env[len(env)-1] ^= 1
	if got, err = k.AppendOpen(buf, VaultEntry, nil, env); err == nil || got != nil {
		t.Errorf("AppendOpen of a damaged envelope = %q, %v", got, err)
	}
	if string(buf) != "kept " || bytes.Contains(buf[:cap(buf)], []byte("kept data")) {
		t.Error("plaintext was left in the buffer")
	}
}

func BenchmarkOpen(b *testing.B) {
	k := testKey(b, 1)
	id := make([]byte, 16)
	env := k.Seal(VaultEntry, id, make([]byte, 300))
	buf := make([]byte, 0, len(env))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.AppendOpen(buf, VaultEntry, id, env); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzOpen throws any bytes at Open: it answers with ErrOpen, as nobody can
// make an envelope without the key.
func FuzzOpen(f *testing.F) {
	k := testKey(f, 1)
	f.Add([]byte{}, []byte{})
	f.Add([]byte{version}, []byte("id"))
	f.Add(make([]byte, Overhead+Block), []byte("id"))
	f.Add(testKey(f, 2).Seal(VaultEntry, []byte("id"), []byte("data")), []byte("id"))
	f.Fuzz(func(t *testing.T, env, context []byte) {
		refuses(t, k, VaultEntry, context, env, "forged", "")
	})
}

// FuzzMalleability changes an envelope in any way: unless nothing changed, it
// does not open.
func FuzzMalleability(f *testing.F) {
	k := testKey(f, 1)
	env := k.Seal(SyncRecord, []byte("id"), []byte("data"))
	f.Add(0, []byte{1}, 0)
	f.Add(25, []byte{0xff, 0xff}, 0)
	f.Add(0, []byte{}, 16)
	f.Fuzz(func(t *testing.T, at int, xor []byte, cut int) {
		bad := bytes.Clone(env)
		for i, x := range xor {
			if j := at + i; j >= 0 && j < len(bad) {
				bad[j] ^= x
			}
		}
		if cut > 0 && cut <= len(bad) {
			bad = bad[:len(bad)-cut]
		}
		if !bytes.Equal(bad, env) {
			refuses(t, k, SyncRecord, []byte("id"), bad, "changed at", at)
		}
	})
}

// FuzzRoundTrip: whatever is sealed comes back.
func FuzzRoundTrip(f *testing.F) {
	k := testKey(f, 3)
	f.Add([]byte("data"), []byte("context"))
	f.Add([]byte{0x80, 0, 0}, []byte{})
	f.Fuzz(func(t *testing.T, data, context []byte) {
		got, err := k.Open(VaultMeta, context, k.Seal(VaultMeta, context, data))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("came back as %q, %v", got, err)
		}
	})
}

// A wiped key must not seal under another one, whoever wiped it.
func TestWipe(t *testing.T) {
	for name, wipe := range map[string]func(*Key, []byte){
		"the key":   func(k *Key, _ []byte) { k.Wipe() },
		"its bytes": func(_ *Key, raw []byte) { clear(raw) },
	} {
		raw := bytes.Repeat([]byte{1}, KeySize)
		k, err := NewKey(raw)
		if err != nil {
			t.Fatal(err)
		}
		sealed := k.Seal(VaultEntry, nil, nil)
		wipe(k, raw)
		for what, use := range map[string]func(){
			"Seal": func() { k.Seal(VaultEntry, nil, nil) },
			"Open": func() { _, _ = k.Open(VaultEntry, nil, sealed) },
		} {
			func() {
				defer func() { _ = recover() }()
				use()
				t.Errorf("%s went on after a wipe of %s", what, name)
			}()
		}
	}
}
