package seal

import (
	"bytes"
	"crypto/sha3"
	"encoding/hex"
	"testing"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The two vectors of c2sp.org/XAES-256-GCM: the top bit of AES(0) is 0, and 1.
func TestPublishedVectors(t *testing.T) {
	for _, v := range []struct{ key, k1, kx, aad, ciphertext string }{
		{
			"0101010101010101010101010101010101010101010101010101010101010101",
			"e531954aca063d5b8d9c47a47d4cc6f0",
			"c8612c9ed53fe43e8e005b828a1631a0bbcb6ab2f46514ec4f439fcfd0fa969b",
			"",
			"ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271",
		},
		{
			"0303030303030303030303030303030303030303030303030303030303030303",
			"23810ec50edb99f374409466ed1f4b7b",
			"e9c621d4cdd9b11b00a6427ad7e559aeedd66b3857646677748f8ca796cb3fd8",
			"c2sp.org/XAES-256-GCM",
			"986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d",
		},
	} {
		x := expand(unhex(t, v.key))
		if got := hex.EncodeToString(x.k1[:]); got != v.k1 {
			t.Errorf("K1 = %s, want %s", got, v.k1)
		}
		nonce := []byte("ABCDEFGHIJKLMNOPQRSTUVWX")
		var kx [KeySize]byte
		x.derive(&kx, nonce)
		if got := hex.EncodeToString(kx[:]); got != v.kx {
			t.Errorf("Kx = %s, want %s", got, v.kx)
		}
		got := x.gcm(nonce).Seal(nil, nonce[12:], []byte("XAES-256-GCM"), []byte(v.aad))
		if hex.EncodeToString(got) != v.ciphertext {
			t.Errorf("ciphertext = %x, want %s", got, v.ciphertext)
		}
	}
}

// The accumulated test of the same page: many inputs from SHAKE-128 of nothing,
// all ciphertexts hashed.
func TestPublishedAccumulated(t *testing.T) {
	rounds, want := 1_000_000, "2163ae1445985a30b60585ee67daa55674df06901b890593e824b8a7c885ab15"
	if testing.Short() || raceEnabled {
		rounds, want = 10_000, "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"
	}
	source, sum := sha3.NewSHAKE128(), sha3.NewSHAKE128()
	read := func(n int) []byte {
		b := make([]byte, n)
		source.Read(b)
		return b
	}
	for range rounds {
		key, nonce := read(KeySize), read(nonceSize)
		plaintext := read(int(read(1)[0]))
		aad := read(int(read(1)[0]))
		x := expand(key)
		aead := x.gcm(nonce)
		ciphertext := aead.Seal(nil, nonce[12:], plaintext, aad)
		back, err := aead.Open(nil, nonce[12:], ciphertext, aad)
		if err != nil || !bytes.Equal(back, plaintext) {
			t.Fatal("ciphertext does not open to its plaintext")
		}
		sum.Write(ciphertext)
	}
	got := make([]byte, 32)
	sum.Read(got)
	if hex.EncodeToString(got) != want {
		t.Errorf("hash over %d ciphertexts = %x, want %s", rounds, got, want)
	}
}
