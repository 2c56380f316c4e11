package vault

import (
	"bytes"
	"cmp"
	"encoding/base32"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/o2fa/o2fa/internal/secret"
)

// full is an entry with every field set.
func full() Entry {
	return Entry{
		ID: ID{1, 2, 3}, Type: "yandex", Name: "Ünicode \"quoted\" \\ \x00\x1f\u2028", Issuer: "I", Account: "A",
		Algorithm: "SHA256", Digits: 8, Period: 30, Counter: 1<<64 - 1, Secret: secret.New([]byte("12345678901234567890")),
		PIN: secret.New([]byte("1234")), Tags: []string{"a", "b c"}, Note: "line\nline", Pinned: true, Source: "added",
		Created: 1_700_000_000_000, Updated: 1_700_000_000_001, Device: "0123456789abcdef",
		Stamps:  map[Field]Stamp{FieldName: {5, "d"}, FieldNote: {6, ""}, "newer": {7, "e"}},
		Trashed: 1_700_000_000_002,
		unknown: map[string]json.RawMessage{"z": json.RawMessage(`{"x":[1,"]}",null]}`), "a\"b": json.RawMessage(`1e3`)},
	}
}

func TestEntryRoundTrip(t *testing.T) {
	for _, e := range []Entry{full(), entry(""), {ID: ID{1}, Type: "hotp", Algorithm: "SHA1", Digits: 6, Secret: secret.New([]byte{0})}} {
		data := e.AppendJSON(nil)
		got, err := ParseEntry(data)
		if err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if len(e.Stamps) == 0 {
			got.Stamps, e.Stamps = nil, nil
		}
		if e.PIN.Len() == 0 {
			got.PIN, e.PIN = secret.Bytes{}, secret.Bytes{}
		}
		if !reflect.DeepEqual(got, e) {
			t.Errorf("%s came back as %s", data, got.AppendJSON(nil))
		}
		if again := got.AppendJSON(nil); !bytes.Equal(again, data) {
			t.Errorf("written again it is %s, not %s", again, data)
		}
	}
}

// The JSON is what any other reader takes it for.
func TestEntryIsJSON(t *testing.T) {
	e := full()
	var m map[string]any
	if err := json.Unmarshal(e.AppendJSON(nil), &m); err != nil {
		t.Fatal(err)
	}
	if m["name"] != e.Name || m["secret"] != "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" || m["pin"] != "GEZDGNA" ||
		m["id"] != "01020300000000000000000000000000" || m["note"] != e.Note {
		t.Errorf("read as %v", m)
	}
	if m["z"] == nil || m["a\"b"] != 1000.0 {
		t.Errorf("unknown members read as %v", m)
	}
}

// The buffer that is wiped must be the only one that was written: no growth.
func TestSizeHint(t *testing.T) {
	long := full()
	long.Secret = secret.New(bytes.Repeat([]byte{0xff}, MaxSecret))
	long.Note = strings.Repeat("\x01", MaxNote)
	long.Name = strings.Repeat("\"", MaxName)
	for range MaxTags {
		long.Tags = append(long.Tags, strings.Repeat("ü", 100))
	}
	e := full()
	for _, e := range []*Entry{&e, &long, {}} {
		if n, hint := len(e.AppendJSON(nil)), e.sizeHint(); n > hint {
			t.Errorf("%d bytes, hint %d", n, hint)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good := string((&Entry{ID: ID{1}, Type: "totp", Name: "n", Algorithm: "SHA1", Digits: 6, Period: 30,
		Secret: secret.New([]byte("12345")), Source: "s", Created: 1, Device: "d"}).AppendJSON(nil))
	if _, err := ParseEntry([]byte(good)); err != nil {
		t.Fatal(err)
	}
	replace := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%s does not hold %s", good, old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for what, data := range map[string]string{
		"nothing": "", "null": "null", "a list": "[]", "cut": good[:len(good)-1], "more": good + "x",
		"short id":         replace(`"id":"01`, `"id":"`),
		"id no hex":        replace(`"id":"01`, `"id":"zz`),
		"id a number":      replace(`"id":"01000000000000000000000000000000"`, `"id":1`),
		"no secret":        replace(`,"secret":"GEZDGNBV"`, ``),
		"empty secret":     replace(`GEZDGNBV`, ``),
		"lower secret":     replace(`GEZDGNBV`, `gezdgnbv`),
		"padded secret":    replace(`GEZDGNBV`, `GEZDGNA=`),
		"loose bits":       replace(`GEZDGNBV`, `GEZDGNH`),
		"newline":          replace(`GEZDGNBV`, `GEZD\nGNBV`),
		"escaped secret":   replace(`GEZDGNBV`, `\u0047EZDGNBV`),
		"secret a number":  replace(`"GEZDGNBV"`, `12345678`),
		"secret too long":  replace(`GEZDGNBV`, strings.Repeat("GEZDGNBV", MaxSecret/5+1)),
		"two secrets":      replace(`"secret":`, `"secret":"AAAAAAAA","secret":`),
		"two unknown":      replace(`"secret":`, `"x":1,"x":2,"secret":`),
		"name a number":    replace(`"n"`, `1`),
		"name too long":    replace(`"n"`, `"`+strings.Repeat("n", MaxName+1)+`"`),
		"name not UTF-8":   replace(`"n"`, "\"\xff\""),
		"name not NFC":     replace(`"n"`, `"u\u0308"`),
		"half a surrogate": replace(`"n"`, `"\ud800"`),
		"negative digits":  replace(`"digits":6`, `"digits":-6`),
		"broken digits":    replace(`"digits":6`, `"digits":6.0`),
		"no digits":        replace(`"digits":6`, `"digits":0`),
		"many digits":      replace(`"digits":6`, `"digits":11`),
		"huge period":      replace(`"period":30`, `"period":99999999999`),
		"overflow":         replace(`"period":30`, `"counter":18446744073709551616`),
		"time":             replace(`"created":1`, `"created":9007199254740993`),
		"no type":          replace(`"totp"`, `""`),
		"tags":             replace(`"period":30`, `"tags":"a"`),
		"empty tag":        replace(`"period":30`, `"tags":[""]`),
		"tag a list":       replace(`"period":30`, `"tags":[[]]`),
		"many tags":        replace(`"period":30`, `"tags":["x"`+strings.Repeat(`,"x"`, MaxTags)+`]`),
		"stamps":           replace(`"period":30`, `"stamps":[]`),
		"stamp":            replace(`"period":30`, `"stamps":{"name":1}`),
		"short stamp":      replace(`"period":30`, `"stamps":{"name":[1]}`),
		"long stamp":       replace(`"period":30`, `"stamps":{"name":[1,"a",2]}`),
		"two stamps":       replace(`"period":30`, `"stamps":{"name":[1,"a"],"name":[1,"a"]}`),
		"pinned":           replace(`"period":30`, `"pinned":1`),
		"too large":        replace(`"period":30`, `"x":"`+strings.Repeat("x", MaxRecord)+`"`),
	} {
		if _, err := ParseEntry([]byte(data)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		} else if strings.Contains(err.Error(), "GEZD") {
			t.Errorf("%s: the error %q repeats the secret", what, err)
		}
	}
}

// Blanks, order and escapes are free.
func TestParseAccepts(t *testing.T) {
	got, err := ParseEntry([]byte(` { "secret" : "GEZDGNBV" ,` + "\n\t" + `"digits":6,"x":[ {"]":"\"}"} ] , "n\u0061me":"\u00fc\n", "type":"new kind",
		"stamps" : { } , "tags":[ ] , "id":"0100000000000000000000000000000A" } `))
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != "ü\n" || string(got.Secret.Reveal()) != "12345" || got.ID != (ID{0: 1, 15: 10}) || string(got.unknown["x"]) != `[ {"]":"\"}"} ]` {
		t.Errorf("read as %s", got.AppendJSON(nil))
	}
}

func TestAddRefuses(t *testing.T) {
	v := newVault(t)
	for what, change := range map[string]func(e *Entry){
		"no secret":    func(e *Entry) { e.Secret = secret.Bytes{} },
		"long secret":  func(e *Entry) { e.Secret = secret.New(make([]byte, MaxSecret+1)) },
		"type":         func(e *Entry) { e.Type = "new kind" },
		"algorithm":    func(e *Entry) { e.Algorithm = "sha1" },
		"digits":       func(e *Entry) { e.Digits = 5 },
		"digits 11":    func(e *Entry) { e.Digits = 11 },
		"period":       func(e *Entry) { e.Period = 0 },
		"negative":     func(e *Entry) { e.Period = -1 },
		"long name":    func(e *Entry) { e.Name = strings.Repeat("x", MaxName+1) },
		"long issuer":  func(e *Entry) { e.Issuer = strings.Repeat("x", MaxName+1) },
		"long account": func(e *Entry) { e.Account = strings.Repeat("x", MaxName+1) },
		"long note":    func(e *Entry) { e.Note = strings.Repeat("x", MaxNote+1) },
		"bad UTF-8":    func(e *Entry) { e.Name = "\xff" },
		"long tag":     func(e *Entry) { e.Tags = []string{strings.Repeat("x", MaxName+1)} },
		"empty tag":    func(e *Entry) { e.Tags = []string{""} },
		"many tags":    func(e *Entry) { e.Tags = strings.Split(strings.Repeat("x ", MaxTags), " ") },
		"too much": func(e *Entry) {
			for range MaxTags {
				e.Tags = append(e.Tags, strings.Repeat("\x01", MaxName))
			}
		},
		"time": func(e *Entry) { e.Created = -1 },
	} {
		e := entry("x")
		change(&e)
		if err := e.Valid(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: Valid = %v", what, err)
		}
		err := v.Update("add", func(tx *Tx) error { _, _, err := tx.Add(e); return err })
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if live, _ := v.Count(); live != 0 {
		t.Errorf("%d entries", live)
	}
	e := entry("x")
	e.Secret, e.Name, e.Note = secret.New(make([]byte, MaxSecret)), strings.Repeat("x", MaxName), strings.Repeat("x", MaxNote)
	id := add(t, v, e)
	err := v.Update("edit", func(tx *Tx) error { return tx.Edit(id, func(e *Entry) error { e.Note += "x"; return nil }) })
	if !errors.Is(err, ErrInvalid) {
		t.Errorf("Edit beyond a bound: %v", err)
	}
}

// Valid says of every entry what Add says, to the last byte, and leaves it alone.
func TestValid(t *testing.T) {
	v := newVault(t)
	e := entry("Cafe\u0301")
	e.Tags = []string{"u\u0308"}
	was := e.clone()
	if err := e.Valid(); err != nil {
		t.Error(err)
	}
	if e.Name != was.Name || e.Tags[0] != was.Tags[0] || e.Created != 0 || e.Device != "" || !e.Secret.Equal(was.Secret) {
		t.Errorf("Valid made %+v of it", e)
	}
	// The largest record takes escaped characters: six bytes each.
	for range 10 {
		e.Tags = append(e.Tags, strings.Repeat("\x01", MaxName))
	}
	valid, refused := 0, 0
	for n := range 200 {
		e.Note = strings.Repeat("x", 3700+n)
		boom := errors.New("boom")
		err := v.Update("add", func(tx *Tx) error {
			_, _, err := tx.Add(e)
			if (err == nil) != (e.Valid() == nil) {
				t.Errorf("with a note of %d bytes: Add = %v, Valid = %v", len(e.Note), err, e.Valid())
			}
			return cmp.Or(err, boom)
		})
		if errors.Is(err, boom) {
			valid++
		} else {
			refused++
		}
	}
	if valid == 0 || refused == 0 {
		t.Errorf("%d valid, %d refused: not at the bound", valid, refused)
	}
}

func TestNormalization(t *testing.T) {
	v := newVault(t)
	decomposed := "Cafe\u0301"
	e := entry(decomposed)
	e.Tags = []string{"a", decomposed, decomposed}
	tags := e.Tags
	id := add(t, v, e)
	got, err := v.Get(id)
	if err != nil || got.Name != "Café" || got.Tags[1] != "Café" || got.Tags[2] != "Café" {
		t.Errorf("stored as %q %q, %v", got.Name, got.Tags, err)
	}
	if tags[1] != decomposed {
		t.Error("the caller's tags were changed")
	}
	for _, name := range []string{decomposed, "CAFÉ", "cafE\u0301"} {
		if found, err := v.Lookup(name); len(found) != 1 || err != nil {
			t.Errorf("Lookup(%q) = %v, %v", name, found, err)
		}
	}
}

func TestFold(t *testing.T) {
	for _, pair := range [][2]string{{"ABC", "abc"}, {"Straße", "STRASSE"}, {"Σίσυφος", "ΣΊΣΥΦΟΣ"}, {"É", "e\u0301"}, {"", ""}, {"a1-", "A1-"}} {
		if Fold(pair[0]) != Fold(pair[1]) {
			t.Errorf("%q folds to %q, %q to %q", pair[0], Fold(pair[0]), pair[1], Fold(pair[1]))
		}
	}
	if Fold("a") == Fold("b") {
		t.Error("a and b fold alike")
	}
}

func TestMask(t *testing.T) {
	for n := 1; n < 50; n++ {
		raw := make([]byte, n)
		for i := range raw {
			raw[i] = byte(37*i + 11*n)
		}
		text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw)
		if want := text[:1] + "..." + text[len(text)-1:]; mask(raw) != want {
			t.Errorf("mask of %s = %s", text, mask(raw))
		}
	}
	if mask(nil) != "" {
		t.Error("mask of nothing")
	}
}

func TestParseID(t *testing.T) {
	id := ID{0: 0xab, 15: 1}
	if got, err := ParseID(id.String()); got != id || err != nil {
		t.Errorf("ParseID = %v, %v", got, err)
	}
	for _, bad := range []string{"", "ab", strings.Repeat("g", 32), strings.Repeat("a", 33)} {
		if _, err := ParseID(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("ParseID(%q): %v", bad, err)
		}
	}
}

// FuzzParseEntry: no input makes the parser panic; what it takes is valid, and
// comes back the same when it is written.
func FuzzParseEntry(f *testing.F) {
	e := full()
	f.Add(e.AppendJSON(nil))
	f.Add([]byte(`{"id":"00000000000000000000000000000000","type":"totp","digits":6,"secret":"GE"}`))
	f.Add([]byte(`{"a":{"b":[1,2,{"c":"\\\""}]},"secret":"GE",}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := ParseEntry(data)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("error is %v", err)
			}
			return
		}
		if err := e.checkBounds(); err != nil || !utf8.ValidString(e.Name) {
			t.Errorf("took an entry that is out of bounds: %v", err)
		}
		again := e.AppendJSON(nil)
		if len(again) > MaxRecord {
			return // escapes that were shorter
		}
		back, err := ParseEntry(again)
		if err != nil || !bytes.Equal(back.AppendJSON(nil), again) {
			t.Errorf("%s was written as %s: %v", data, again, err)
		}
		var other struct {
			Secret string `json:"secret"`
		}
		if err := json.Unmarshal(again, &other); err != nil || other.Secret != base32Secret.EncodeToString(e.Secret.Reveal()) {
			t.Errorf("encoding/json reads another secret from %s: %v", again, err)
		}
	})
}
