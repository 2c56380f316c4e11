package seal

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"testing"
)

// vectorFile is for whoever writes another implementation, too.
const vectorFile = "../../../docs/vectors/seal.json"

var freeze = flag.Bool("freeze", false, "write docs/vectors/seal.json, which is done once for a format")

// vector is one envelope, all of it in hex. With Refused set it must not open,
// although its tag may be right.
type vector struct {
	Comment   string `json:"comment"`
	Key       string `json:"key"`
	Purpose   string `json:"purpose"`
	Context   string `json:"context"`
	Nonce     string `json:"nonce"`
	Plaintext string `json:"plaintext"`
	Envelope  string `json:"envelope"`
	Refused   bool   `json:"refused,omitempty"`
}

type vectors struct {
	About   string   `json:"about"`
	Vectors []vector `json:"vectors"`
}

func TestFrozenVectors(t *testing.T) {
	if *freeze {
		freezeVectors(t)
	}
	data, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var file vectors
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) < 20 {
		t.Fatalf("only %d vectors", len(file.Vectors))
	}
	for _, v := range file.Vectors {
		t.Run(v.Comment, func(t *testing.T) { checkVector(t, v) })
	}
}

func checkVector(t *testing.T, v vector) {
	k, err := NewKey(unhex(t, v.Key))
	if err != nil {
		t.Fatal(err)
	}
	var p Purpose
	for q := VaultEntry; q <= SyncManifest; q++ {
		if q.String() == v.Purpose {
			p = q
		}
	}
	context, env := unhex(t, v.Context), unhex(t, v.Envelope)
	if v.Refused {
		refuses(t, k, p, context, env, "frozen", v.Comment)
		return
	}
	got, err := k.Open(p, context, env)
	if err != nil || hex.EncodeToString(got) != v.Plaintext {
		t.Errorf("opened to %x, %v", got, err)
	}
	if again := k.sealWith(unhex(t, v.Nonce), p, context, unhex(t, v.Plaintext)); !bytes.Equal(again, env) {
		t.Errorf("sealed to %x", again)
	}
}

// count returns n bytes from, from+1, …, which is what the vectors hold.
func count(from byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = from + byte(i)
	}
	return b
}

func freezeVectors(t *testing.T) {
	file := vectors{About: "Envelopes of o2fa (docs/vault-format.md), frozen. All values in hex; those with refused must not open."}
	raw, nonce := count(0, KeySize), count(0xa0, nonceSize)
	k, err := NewKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	base := vector{Key: hex.EncodeToString(raw), Nonce: hex.EncodeToString(nonce)}
	add := func(comment string, p Purpose, context, data, env []byte) {
		v := base
		v.Comment, v.Purpose, v.Context = comment, p.String(), hex.EncodeToString(context)
		v.Envelope, v.Refused = hex.EncodeToString(env), data == nil
		v.Plaintext = hex.EncodeToString(data)
		file.Vectors = append(file.Vectors, v)
	}
	contexts := map[Purpose][]byte{
		VaultEntry: count(1, 16), VaultHistory: count(1, 16), VaultSlot: count(1, 64), Backup: count(1, 16),
		VaultMeta: Context([]byte("meta"), []byte("account")), VaultLog: Context([]byte("journal"), count(0, 8)),
		SyncRecord: count(1, 16), SyncManifest: {0, 0, 0, 0, 0, 0, 1, 2},
	}
	for p := VaultEntry; p <= SyncManifest; p++ {
		data := []byte("o2fa " + p.String())
		add(p.String(), p, contexts[p], data, k.sealWith(nonce, p, contexts[p], data))
	}
	id := contexts[VaultEntry]
	for _, c := range []struct {
		comment string
		data    []byte
	}{
		{"no data", []byte{}}, {"1 byte", count(9, 1)}, {"255 bytes, one of padding", count(9, 255)},
		{"256 bytes, a block of padding", count(9, 256)}, {"600 bytes", count(9, 600)},
		{"data that ends like padding", []byte{1, 0x80, 0, 0}}, {"data of zeros", make([]byte, 300)},
	} {
		add(c.comment, VaultEntry, id, c.data, k.sealWith(nonce, VaultEntry, id, c.data))
	}
	good := k.sealWith(nonce, VaultEntry, id, []byte("data"))
	add("moved to another context", VaultEntry, count(2, 16), nil, good)
	add("moved to another purpose", VaultHistory, id, nil, good)
	add("cut by one byte", VaultEntry, id, nil, good[:len(good)-1])
	for _, i := range []int{0, 1, 13, 25, 280, len(good) - 1} {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		add(fmt.Sprintf("flipped bit in byte %d", i), VaultEntry, id, nil, bad)
	}
	for _, c := range []struct {
		comment string
		padded  []byte
	}{
		{"padding of zeros only", make([]byte, 256)},
		{"padding without its mark", append([]byte("data"), make([]byte, 252)...)},
		{"padding longer than a block", append([]byte{0x80}, make([]byte, 511)...)},
		{"padding that ends in a one", append(append([]byte("data\x80"), make([]byte, 250)...), 1)},
		{"length not a multiple", append([]byte("data\x80"), make([]byte, 200)...)},
	} {
		out := append(append([]byte{version}, nonce...), c.padded...)
		add(c.comment, VaultEntry, id, nil, k.sealPadded(out, VaultEntry, id))
	}
	data, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorFile, append(data, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
