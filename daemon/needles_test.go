package daemon_test

import (
	"bytes"
	"crypto/aes"
	"crypto/hkdf"
	"crypto/sha1"
	"crypto/sha256"
	"encoding"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math/bits"
	"slices"
	"strings"
	"testing"
)

// needle is something that must not be in memory: what it is, and its bytes.
type needle struct {
	kind  string // raw, base32, round key, …
	what  string // of what
	bytes []byte
}

// needles are searched for all at once.
type needles []needle

func (n *needles) add(kind, what string, b []byte) { *n = append(*n, needle{kind, what, b}) }

// text adds what somebody types or reads, and its halves: a piece is bad enough.
func (n *needles) text(kind, what, text string) {
	for _, half := range []string{text[:len(text)/2], text[len(text)/2:]} {
		n.add(kind, what, []byte(half))
	}
}

// secret adds a secret in all the ways in which it can be written. What is written
// with padding begins with what is written without.
func (n *needles) secret(what string, raw []byte) {
	half := len(raw) / 2
	n.add("raw", what, raw[:half])
	n.add("raw", what, raw[half:])
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw)
	n.text("base32", what, text)
	n.text("base32", what, strings.ToLower(text))
	n.text("hex", what, hex.EncodeToString(raw))
	n.text("hex", what, strings.ToUpper(hex.EncodeToString(raw)))
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for skip := range 3 {
			text := enc.EncodeToString(raw[skip:])
			// The last character depends on what follows.
			n.text("base64", what, text[:len(raw[skip:])*4/3])
		}
	}
}

// key adds a key of XAES-256-GCM: itself, what AES makes of it and what CMAC adds.
func (n *needles) key(what string, raw []byte) {
	n.secret(what, raw)
	for _, round := range roundKeys(raw) {
		n.add("round key", what, round)
		n.add("round key", what, swapWords(round))
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		panic(err)
	}
	l := make([]byte, aes.BlockSize)
	block.Encrypt(l, l)
	n.add("CMAC subkey", what, slices.Clone(l))
	hi, lo := binary.BigEndian.Uint64(l), binary.BigEndian.Uint64(l[8:])
	k1 := binary.BigEndian.AppendUint64(nil, hi<<1|lo>>63)
	k1 = binary.BigEndian.AppendUint64(k1, lo<<1^(hi>>63)*0b10000111)
	n.add("CMAC subkey", what, k1)
}

// mac adds the pads of HMAC, and the state of the hash after each.
func (n *needles) mac(what string, key []byte, newHash func() hash.Hash) {
	for _, x := range []byte{0x36, 0x5c} {
		pad := bytes.Repeat([]byte{x}, newHash().BlockSize())
		for i, b := range key {
			pad[i] ^= b
		}
		n.add("HMAC pad", what, pad[:len(key)])
		h := newHash()
		h.Write(pad)
		state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil {
			panic(err)
		}
		words := state[4:][:h.Size()] // behind the magic
		n.add("HMAC state", what, words)
		n.add("HMAC state", what, swapWords(words))
	}
}

// vaultKey adds a vault key and what is derived from it.
func (n *needles) vaultKey(what string, raw []byte, vault [16]byte) {
	n.key(what, raw)
	for _, info := range []string{"o2fa/vault/index", "o2fa/vault/fingerprint"} {
		derived, err := hkdf.Key(sha256.New, raw, vault[:], info, 32)
		if err != nil {
			panic(err)
		}
		n.secret(what+", "+info, derived)
		n.mac(what+", "+info, derived, sha256.New)
	}
}

// entry adds the secret of an entry, and what making codes of it leaves.
func (n *needles) entry(what string, raw []byte) {
	n.secret(what, raw)
	n.mac(what, raw, func() hash.Hash { return sha1.New() })
}

// swapWords returns words of 32 bits as a machine of the other order has them.
func swapWords(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i+4 <= len(b); i += 4 {
		out = binary.LittleEndian.AppendUint32(out, binary.BigEndian.Uint32(b[i:]))
	}
	return out
}

// finder looks for many needles in one pass.
type finder struct {
	needles needles
	first   [1 << 16][]int // needles by their first two bytes
}

func newFinder(n needles) *finder {
	f := &finder{needles: n}
	for i, one := range n {
		start := binary.LittleEndian.Uint16(one.bytes)
		f.first[start] = append(f.first[start], i)
	}
	return f
}

// find calls found with each needle and where in data it lies.
func (f *finder) find(data []byte, found func(n needle, at int)) {
	for i := 0; i+2 <= len(data); i++ {
		for _, k := range f.first[binary.LittleEndian.Uint16(data[i:])] {
			if n := f.needles[k]; bytes.HasPrefix(data[i:], n.bytes) {
				found(n, i)
			}
		}
	}
}

// roundKeys returns the round keys of AES-256 for encryption, and those that Go
// keeps for decryption: the same, mixed.
func roundKeys(key []byte) (list [][]byte) {
	const rounds = 14
	box := sbox()
	w := make([]uint32, 4*(rounds+1))
	for i := range 8 {
		w[i] = binary.BigEndian.Uint32(key[4*i:])
	}
	sub := func(x uint32) uint32 {
		return uint32(box[x>>24])<<24 | uint32(box[x>>16&255])<<16 | uint32(box[x>>8&255])<<8 | uint32(box[x&255])
	}
	constant := byte(1)
	for i := 8; i < len(w); i++ {
		t := w[i-1]
		switch i % 8 {
		case 0:
			t = sub(bits.RotateLeft32(t, 8)) ^ uint32(constant)<<24
			constant = times(constant, 2)
		case 4:
			t = sub(t)
		}
		w[i] = w[i-8] ^ t
	}
	for r := range rounds + 1 {
		round := make([]byte, 16)
		for i := range 4 {
			binary.BigEndian.PutUint32(round[4*i:], w[4*r+i])
		}
		list = append(list, round)
		if r > 0 && r < rounds {
			list = append(list, unmixed(round))
		}
	}
	return list
}

// unmixed is InvMixColumns.
func unmixed(round []byte) []byte {
	out := make([]byte, len(round))
	for c := 0; c < len(round); c += 4 {
		for i := range 4 {
			for j, factor := range []byte{14, 11, 13, 9} {
				out[c+i] ^= times(round[c+(i+j)%4], factor)
			}
		}
	}
	return out
}

// times multiplies in the field of AES.
func times(a, b byte) (p byte) {
	for ; b > 0; b >>= 1 {
		if b&1 == 1 {
			p ^= a
		}
		carry := a >> 7
		a = a<<1 ^ carry*0x1b
	}
	return p
}

// sbox computes AES's table: the inverse of each byte, then an affine map.
func sbox() (box [256]byte) {
	for a := range 256 {
		var inverse byte
		for b := range 256 {
			if times(byte(a), byte(b)) == 1 {
				inverse = byte(b)
			}
		}
		for i := range 5 {
			box[a] ^= bits.RotateLeft8(inverse, i)
		}
		box[a] ^= 0x63
	}
	return box
}

// TestRoundKeys holds the key schedule of the search against FIPS 197, A.3: one
// that is wrong would find nothing, and nobody would know.
func TestRoundKeys(t *testing.T) {
	key, _ := hex.DecodeString("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
	got := fmt.Sprintf("%x", roundKeys(key))
	for _, want := range []string{
		"603deb1015ca71be2b73aef0857d7781", "1f352c073b6108d72d9810a30914dff4", "9ba354118e6925afa51a8b5f2067fcde",
		"a8b09c1a93d194cdbe49846eb75d5b9a", "fe4890d1e6188d0b046df344706c631e",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no round key %s in %s", want, got)
		}
	}
	// FIPS 197, 5.3.3 by the example of 4.3: InvMixColumns undoes MixColumns.
	column, _ := hex.DecodeString("8e4da1bc8e4da1bc8e4da1bc8e4da1bc")
	if got := hex.EncodeToString(unmixed(column)); got != strings.Repeat("db135345", 4) {
		t.Errorf("unmixed: %s", got)
	}
}

// TestFinder plants each kind of needle, at each alignment.
func TestFinder(t *testing.T) {
	var n needles
	n.vaultKey("vault key", bytes.Repeat([]byte{7, 9}, 16), [16]byte{1})
	n.entry("entry", []byte("12345678901234567890"))
	n.text("text", "uuid", "0e4742ef-780b-406d-8651-7766cf67be3f")
	f := newFinder(n)
	for _, want := range n {
		for skip := range 4 {
			seen := false
			f.find(append(make([]byte, skip), append(slices.Clone(want.bytes), 0)...), func(got needle, at int) {
				seen = seen || bytes.Equal(got.bytes, want.bytes) && at == skip
			})
			if !seen {
				t.Errorf("%s of %s is not found", want.kind, want.what)
			}
		}
	}
}
