package o2fa_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/o2fa/o2fa/ipc"
)

// seen is what a reading of the vault showed.
type seen struct {
	live  []ipc.Entry // with secrets
	trash []ipc.Entry // without
}

// compare says how the world differs from what was read. Ids that were not known
// are, after a reading that fits.
func (w *world) compare(s seen, seed uint64) error {
	byID := map[string]ipc.Entry{}
	for _, e := range slices.Concat(s.live, s.trash) {
		if _, twice := byID[e.ID]; twice {
			return fmt.Errorf("entry %s %q is there twice", e.ID, e.Name)
		}
		byID[e.ID] = e
	}
	for _, known := range []bool{true, false} {
		for _, n := range slices.Sorted(maps.Keys(w.items)) {
			it := w.items[n]
			if (it.id != "") != known {
				continue
			}
			id := it.id
			if !known {
				id = it.find(byID, seed)
			}
			e, there := byID[id]
			if !there {
				return fmt.Errorf("%s is not there", it)
			}
			delete(byID, id)
			if wrong := it.differs(e, seed); wrong != "" {
				return fmt.Errorf("%s: %s", it, wrong)
			}
			it.id = id
			w.items[n] = it
		}
	}
	for _, e := range byID {
		return fmt.Errorf("entry %s %q (trashed %q, source %s) should not be there", e.ID, e.Name, e.Trashed, e.Source)
	}
	return nil
}

// find returns the id of an entry that was not seen before.
func (it item) find(list map[string]ipc.Entry, seed uint64) string {
	for id, e := range list {
		if e.Name == it.name && (e.Trashed != "") == it.trashed && e.Mask == mask(derived(seed, it.seed)) {
			return id
		}
	}
	return ""
}

func mask(secret string) string { return secret[:1] + "..." + secret[len(secret)-1:] }

// differs names what an entry has that the item has not.
func (it item) differs(e ipc.Entry, seed uint64) string {
	kind, period, source := "totp", it.period, "added"
	if it.hotp {
		kind, period = "hotp", 0
	}
	if it.fromFile {
		source = "secrets.json"
	}
	secret := derived(seed, it.seed)
	var counter uint64
	if e.Counter != nil {
		counter = *e.Counter
	}
	for _, f := range []struct {
		what      string
		got, want any
	}{
		{"name", e.Name, it.name}, {"issuer", e.Issuer, it.issuer}, {"account", e.Account, it.account},
		{"tags", strings.Join(e.Tags, " "), it.tags}, {"pinned", e.Pinned, it.pinned}, {"type", e.Type, kind},
		{"algorithm", e.Algorithm, it.algo}, {"digits", e.Digits, it.digits}, {"period", e.Period, period},
		{"counter", counter, it.counter}, {"source", e.Source, source}, {"in the trash", e.Trashed != "", it.trashed},
		{"mask", e.Mask, mask(secret)}, {"its own secret", e.Secret == secret || it.trashed, true},
	} {
		if f.got != f.want {
			return fmt.Sprintf("%s is %v, want %v", f.what, f.got, f.want)
		}
	}
	return ""
}

func (it item) String() string {
	where := "entry"
	if it.trashed {
		where = "trashed entry"
	}
	return fmt.Sprintf("%s %q (%s, id %.8s)", where, it.name, it.seed, it.id)
}

// codeAt is the code of an item at a counter, by RFC 4226 and RFC 6238, computed
// here and nowhere else: package totp is what is tested.
func (it item) codeAt(seed, counter uint64) string {
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(derived(seed, it.seed))
	if err != nil {
		return err.Error()
	}
	mac := hmac.New(map[string]func() hash.Hash{"SHA1": sha1.New, "SHA256": sha256.New, "SHA512": sha512.New}[it.algo], raw)
	mac.Write(binary.BigEndian.AppendUint64(nil, counter))
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	number := uint64(binary.BigEndian.Uint32(sum[at:]) & 0x7fffffff)
	return fmt.Sprintf("%0*d", it.digits, number%pow10(it.digits))
}

func pow10(n int) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}
	return p
}

// codesIn returns the codes that a totp item has from one moment to another.
func (it item) codesIn(seed uint64, from, to time.Time) (codes []string) {
	for c := from.Unix() / int64(it.period); c <= to.Unix()/int64(it.period); c++ {
		codes = append(codes, it.codeAt(seed, uint64(c)))
	}
	return codes
}
