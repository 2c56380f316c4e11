package secretsfile

import (
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// show writes f as one line per row: position, name, secret in base32; or
// position and reason.
func show(f File) string {
	var b strings.Builder
	for _, r := range f.Rows {
		name := "null"
		if r.Name != nil {
			name = fmt.Sprintf("%q", *r.Name)
		}
		key := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(r.Secret.Reveal())
		fmt.Fprintf(&b, "%d %s %s\n", r.Position, name, key)
	}
	for _, p := range f.Problems {
		fmt.Fprintf(&b, "%d: %s\n", p.Position, p.Reason)
	}
	return b.String()
}

func TestParse(t *testing.T) {
	tests := map[string]struct{ data, want string }{
		"as open2fa writes it": {
			`{"secrets": [{"secret": "I65VU7K5ZQL7WB4E", "name": "abc123"}, {"secret": "GEZDGNBV", "name": null}]}`,
			"1 \"abc123\" I65VU7K5ZQL7WB4E\n2 null GEZDGNBV\n"},
		"no rows":              {`{"secrets": []}`, ""},
		"lower case":           {`{"secrets": [{"secret": "i65vu7k5zql7wb4e", "name": "a"}]}`, "1 \"a\" I65VU7K5ZQL7WB4E\n"},
		"padding":              {`{"secrets": [{"secret": "GEZDGNBVGY======", "name": "a"}]}`, "1 \"a\" GEZDGNBVGY\n"},
		"escapes":              {`{"secrets": [{"secret": "\u0047EZDGNBV", "name": "caf\u00e9 \ud83d\ude00"}]}`, "1 \"café 😀\" GEZDGNBV\n"},
		"UTF-8 in clear":       {`{"secrets": [{"secret": "GEZDGNBV", "name": "café"}]}`, "1 \"café\" GEZDGNBV\n"},
		"no name at all":       {`{"secrets": [{"secret": "GEZDGNBV"}]}`, "1 null GEZDGNBV\n"},
		"empty name":           {`{"secrets": [{"secret": "GEZDGNBV", "name": ""}]}`, "1 \"\" GEZDGNBV\n"},
		"unknown keys":         {`{"v": {"a": [1]}, "secrets": [{"x": {}, "secret": "GEZDGNBV", "name": "a", "y": []}], "z": 1}`, "1 \"a\" GEZDGNBV\n"},
		"keys have their case": {`{"SECRETS": 1, "secrets": [{"Secret": "AAAAAAAA", "NAME": "no", "secret": "GEZDGNBV"}]}`, "1 null GEZDGNBV\n"},
		"later key wins":       {`{"secrets": 1, "secrets": [{"secret": "AAAAAAAA", "secret": "GEZDGNBV"}]}`, "1 null GEZDGNBV\n"},
		"pairs repeat": {
			`{"secrets": [{"secret": "GEZDGNBV", "name": "a"}, {"secret": "GEZDGNBV", "name": "a"}]}`,
			"1 \"a\" GEZDGNBV\n2 \"a\" GEZDGNBV\n"},
		"mark and blanks of an editor": {"\ufeff\r\n{\"secrets\":\r\n[ ] }\r\n", ""},
		"bad rows do not disturb": {
			`{"secrets": [
				{"secret": "GEZDGNBV", "name": "good"},
				{"secret": "GEZDGNB1", "name": "digit one"},
				{"secret": "", "name": "empty"},
				{"secret": " - ", "name": "blank"},
				{"name": "none"},
				{"secret": null, "name": "null"},
				{"secret": 12, "name": "number"},
				{"secret": "GEZDGNBV", "name": 5},
				["GEZDGNBV"], null, "GEZDGNBV", 7,
				{"secret": "GEZDGNBV", "name": "good too"}]}`,
			"1 \"good\" GEZDGNBV\n13 \"good too\" GEZDGNBV\n" +
				"2: secret is not base32: character 8: not one of A-Z and 2-7\n3: secret is empty\n4: secret is empty\n5: row has no secret\n" +
				"6: secret is not text\n7: secret is not text\n8: name is neither text nor null\n" +
				"9: row is not an object\n10: row is not an object\n11: row is not an object\n12: row is not an object\n"},
		"longest name and secret": {
			`{"secrets": [{"secret": "` + strings.Repeat("GEZDGNBVGY3TQOJQ", 102) + `GEZDGNA", "name": "` + strings.Repeat("n", MaxName) + `"}]}`,
			"1 \"" + strings.Repeat("n", MaxName) + "\" " + strings.Repeat("GEZDGNBVGY3TQOJQ", 102) + "GEZDGNA\n"},
		"too long": {
			`{"secrets": [{"secret": "` + strings.Repeat("GEZDGNBV", 205) + `"}, {"secret": "GEZDGNBV", "name": "` + strings.Repeat("n", MaxName+1) + `"}]}`,
			"1: secret is longer than 1024 bytes\n2: name is longer than 1024 bytes\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f, err := Parse([]byte(test.data))
			if err != nil {
				t.Fatal(err)
			}
			if got := show(f); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestParseRefusesTheWholeFile(t *testing.T) {
	tests := map[string]struct{ data, want string }{
		"empty":               {"", "file is empty"},
		"blank":               {" \n\t", "file is empty"},
		"only the mark":       {"\ufeff", "file is empty"},
		"half written":        {`{"secrets": [{"secret": "GEZDG`, "content ends too early, line 1, column 31"},
		"cut after a row":     {`{"secrets": [{"secret": "GEZDGNBV"}`, "content ends too early, line 1, column 36"},
		"stray character":     {"{\"secrets\": [\n  {\"secret\": 'GEZDGNBV'}]}", "line 2, column 14 is not JSON"},
		"columns are letters": {"{\"é\": 1,\n\"ééé\": x}", "line 2, column 8 is not JSON"},
		"something after it":  {`{"secrets": []} x`, "line 1, column 17 is not JSON"},
		"two documents":       {`{"secrets": []}{"secrets": []}`, "line 1, column 16 is not JSON"},
		"not UTF-8":           {"{\"secrets\": [\n\xff]}", "line 2, column 1 is not UTF-8"},
		"a list":              {`[]`, "content is not a JSON object"},
		"null":                {`null`, "content is not a JSON object"},
		"a text":              {`"GEZDGNBV"`, "content is not a JSON object"},
		"no list":             {`{}`, `no list named "secrets"`},
		"list is null":        {`{"secrets": null}`, `no list named "secrets"`},
		"list is an object":   {`{"secrets": {}}`, `no list named "secrets"`},
		"too deep":            {`{"secrets": ` + strings.Repeat("[", 20_000), "is not JSON"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f, err := Parse([]byte(test.data))
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if len(f.Rows)+len(f.Problems) > 0 {
				t.Error("an error must come without rows")
			}
		})
	}
}

func TestParseBounds(t *testing.T) {
	if _, err := Parse(make([]byte, MaxSize+1)); !errors.Is(err, ErrInvalid) {
		t.Errorf("too large: %v", err)
	}
	rows := `{"secrets": [` + strings.Repeat("1,", MaxRows) + `1]}`
	if _, err := Parse([]byte(rows)); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "rows") {
		t.Errorf("too many rows: %v", err)
	}
}

// TestNothingQuotesTheSecret breaks a file that holds a known secret at every
// byte and searches what comes back for pieces of it.
func TestNothingQuotesTheSecret(t *testing.T) {
	const canary = "QWXZ7QWXZ7QWXZ7Q"
	whole := `{"secrets": [{"name": "a", "secret": "` + canary + `"}]}`
	for at := range len(whole) {
		for _, with := range []string{"", "!", "\"", "\xff", "0"} {
			f, err := Parse([]byte(whole[:at] + with + whole[at+1:]))
			text := fmt.Sprint(err, f.Problems) + fmt.Sprintf("%v %+v %#v", f, f, f)
			for i := range len(canary) - 2 {
				if strings.Contains(text, canary[i:i+3]) {
					t.Fatalf("byte %d by %q: %s", at, with, text)
				}
			}
		}
	}
}

func TestWipe(t *testing.T) {
	f, err := Parse([]byte(`{"secrets": [{"secret": "GEZDGNBV"}, {"secret": "GEZDGNBV"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	f.Wipe()
	if got := show(f); got != "1 null AAAAAAAA\n2 null AAAAAAAA\n" {
		t.Errorf("after Wipe: %s", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"secrets": [{"secret": "I65VU7K5ZQL7WB4E", "name": "abc123"}, {"secret": "", "name": null}]}`,
		`{"secrets": [{"secret": "gezdgnbv", "x": [1, {"y": 2}]}, [], null, 7]}`,
		`{"secrets": [{"secret": "\u0047EZDGNBV", "name": "\ud83d"}]`, "\ufeff{}", "[", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := string(data)
		file, err := Parse(data)
		if string(data) != before {
			t.Fatal("Parse changed its input")
		}
		if err != nil {
			if !errors.Is(err, ErrInvalid) || len(file.Rows)+len(file.Problems) > 0 {
				t.Fatalf("%v with %d rows", err, len(file.Rows))
			}
			return
		}
		checkFile(t, file)
		again, err := Parse(rewrite(t, file))
		if err != nil || len(again.Problems) > 0 || len(again.Rows) != len(file.Rows) {
			t.Fatalf("written again, the good rows do not come back: %v, %v", err, again.Problems)
		}
		for i, r := range again.Rows {
			old := file.Rows[i]
			if !r.Secret.Equal(old.Secret) || (r.Name == nil) != (old.Name == nil) || r.Name != nil && *r.Name != *old.Name {
				t.Fatalf("row %d came back different", i)
			}
		}
	})
}

// checkFile fails unless positions and bounds hold.
func checkFile(t *testing.T, f File) {
	t.Helper()
	seen := map[int]bool{}
	for _, r := range f.Rows {
		if seen[r.Position] || r.Secret.Len() == 0 || r.Secret.Len() > MaxSecret || r.Name != nil && len(*r.Name) > MaxName {
			t.Fatalf("bad row %+v", r)
		}
		seen[r.Position] = true
	}
	for _, p := range f.Problems {
		if seen[p.Position] || p.Reason == "" {
			t.Fatalf("bad problem %+v", p)
		}
		seen[p.Position] = true
	}
	for i := range len(seen) {
		if !seen[i+1] {
			t.Fatalf("position %d is missing", i+1)
		}
	}
}

// rewrite writes the good rows as open2fa would.
func rewrite(t *testing.T, f File) []byte {
	t.Helper()
	type row struct {
		Secret string  `json:"secret"`
		Name   *string `json:"name"`
	}
	rows := []row{}
	for _, r := range f.Rows {
		rows = append(rows, row{base32.StdEncoding.EncodeToString(r.Secret.Reveal()), r.Name})
	}
	data, err := json.Marshal(map[string]any{"secrets": rows})
	if err != nil {
		t.Fatal(err)
	}
	return data
}
