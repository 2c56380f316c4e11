package secretsfile

import (
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/internal/secret"
)

func text(s string) *string { return &s }

func TestRewrite(t *testing.T) {
	key := secret.New([]byte("12345"))       // GEZDGNBV
	odd := secret.New([]byte("12345678901")) // GEZDGNBVGY3TQOJQGE======
	const two = `{"secrets": [{"secret": "i65vu7k5zql7wb4e", "name": "a"}, {"secret": "JBSWY3DPEHPK3PXP", "name": null}]}`
	tests := map[string]struct {
		data  string
		edits map[int]Edit
		add   []Row
		want  string
	}{
		"nothing":    {two, nil, nil, two},
		"no file":    {"", nil, []Row{{Name: text("a"), Secret: key}}, `{"secrets": [{"secret": "GEZDGNBV", "name": "a"}]}`},
		"no rows":    {"", nil, nil, `{"secrets": []}`},
		"drop":       {two, map[int]Edit{1: {Drop: true}}, nil, `{"secrets": [{"secret": "JBSWY3DPEHPK3PXP", "name": null}]}`},
		"drop all":   {two, map[int]Edit{1: {Drop: true}, 2: {Drop: true}}, nil, `{"secrets": []}`},
		"add":        {two, nil, []Row{{Secret: odd}}, strings.TrimSuffix(two, "]}") + `, {"secret": "GEZDGNBVGY3TQOJQGE======", "name": null}]}`},
		"rename":     {two, map[int]Edit{1: {Rename: true, Name: text("b")}, 2: {Rename: true, Name: text("c")}}, nil, `{"secrets": [{"secret": "i65vu7k5zql7wb4e", "name": "b"}, {"secret": "JBSWY3DPEHPK3PXP", "name": "c"}]}`},
		"no name":    {two, map[int]Edit{1: {Rename: true}}, nil, strings.Replace(two, `"a"`, "null", 1)},
		"new secret": {two, map[int]Edit{1: {Secret: key}}, nil, strings.Replace(two, "i65vu7k5zql7wb4e", "GEZDGNBV", 1)},
		"names": {"", nil, []Row{{Name: text("a\"\\/\b\t\n\f\r\x01\x7fé漢😀"), Secret: key}},
			`{"secrets": [{"secret": "GEZDGNBV", "name": "a\"\\/\b\t\n\f\r\u0001\u007f\u00e9\u6f22\ud83d\ude00"}]}`},
		"other keys stay, in their order": {
			"\ufeff{\r\n\t\"v\":{\"a\":[1,2.50,true]},\"secrets\":[{\"x\":\"é\",\"name\":\"old\",\"secret\":\"GEZDGNBV\",\"name\":\"a\"},7,{\"secret\":\"GEZDGNBV\"},{\"secret\":\"GEZDGNBV\"}],\"z\":\"\\\"[ ,\"}",
			map[int]Edit{1: {Rename: true, Name: text("b")}, 3: {Rename: true, Name: text("c")}, 4: {Rename: true}}, nil,
			`{"v": {"a": [1, 2.50, true]}, "secrets": [{"x": "\u00e9", "name": "old", "secret": "GEZDGNBV", "name": "b"}, 7, {"secret": "GEZDGNBV", "name": "c"}, {"secret": "GEZDGNBV"}], "z": "\"[ ,"}`},
		"the last list counts": {`{"secrets":1,"secrets":[]}`, nil, []Row{{Secret: key}}, `{"secrets": 1, "secrets": [{"secret": "GEZDGNBV", "name": null}]}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var data []byte
			if test.data != "" {
				data = []byte(test.data)
			}
			got, err := Rewrite(data, test.edits, test.add)
			if err != nil || string(got) != test.want {
				t.Errorf("got %v\n%s\nwant\n%s", err, got, test.want)
			}
			if most := sizeAfter([]byte(strings.TrimPrefix(test.data, "\ufeff")), test.edits, test.add) + len(`{"secrets": []}`); len(got) > most {
				t.Errorf("%d bytes, %d expected at most: a copy of the secrets was left behind", len(got), most)
			}
		})
	}
	if _, err := Rewrite([]byte(`{"secrets`), nil, nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("half a file: %v", err)
	}
	if _, err := Rewrite(nil, nil, make([]Row, MaxRows+1)); !errors.Is(err, ErrInvalid) {
		t.Errorf("too many rows: %v", err)
	}
}

// TestRewriteIsPythons compares with what json.dumps makes of the same content.
func TestRewriteIsPythons(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed (package python3)")
	}
	for _, content := range []string{
		`{"secrets":[{"secret":"GEZDGNBV","name":"é\u00e9\ud83d\ude00漢\b\f\n\r\t\u0001\u007f\\\""},{"name":null,"secret":"x"}],"a":[],"b":{},"c":[[],[{}]]}`,
		"{ \"secrets\" :\n[ ] , \"t\" : [true,false,null,-1.5] }",
		`{"secrets": [{"secret": "GEZDGNBV", "name": "\udce9"}]}`,
	} {
		cmd := exec.Command(python, "-c", "import json,sys; sys.stdout.write(json.dumps(json.load(sys.stdin)))")
		cmd.Stdin = strings.NewReader(content)
		want, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Rewrite([]byte(content), nil, nil); err != nil || string(got) != string(want) {
			t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
	}
}

func FuzzRewrite(f *testing.F) {
	for _, seed := range []string{
		`{"secrets": [{"secret": "I65VU7K5ZQL7WB4E", "name": "abc123"}, {"secret": "GEZDGNBV", "name": null}], "v": [1]}`,
		`{"secrets": [{"name": "a", "secret": "gezdgnbv", "name": "b"}, [], null, 7, {"secret": "GEZDGNBV"}]}`,
	} {
		f.Add([]byte(seed), "name", byte(0b0110))
	}
	f.Fuzz(func(t *testing.T, data []byte, name string, which byte) {
		before, err := Parse(data)
		if err != nil || len(name) > MaxName/2 {
			return
		}
		name = strings.ToValidUTF8(name, "?")
		edits := map[int]Edit{}
		want := File{Rows: []Row{}}
		for i, row := range before.Rows {
			switch (which >> (2 * (i % 4))) & 3 {
			case 1:
				edits[row.Position] = Edit{Drop: true}
				continue
			case 2:
				edits[row.Position] = Edit{Rename: true, Name: &name}
				row.Name = &name
			case 3:
				row.Secret = secret.New([]byte("another"))
				edits[row.Position] = Edit{Secret: row.Secret}
			}
			want.Rows = append(want.Rows, row)
		}
		added := Row{Name: &name, Secret: secret.New([]byte("a new one"))}
		want.Rows = append(want.Rows, added)
		out, err := Rewrite(data, edits, []Row{added})
		if err != nil {
			return // too large
		}
		if !json.Valid(out) {
			t.Fatalf("not JSON: %s", out)
		}
		after, err := Parse(out)
		if err != nil || len(after.Rows) != len(want.Rows) || len(after.Problems) != len(before.Problems) {
			t.Fatalf("%v: %d rows and %d problems, want %d and %d:\n%s", err, len(after.Rows), len(after.Problems), len(want.Rows), len(before.Problems), out)
		}
		for i, row := range after.Rows {
			w := want.Rows[i]
			if !row.Secret.Equal(w.Secret) || row.Extra != w.Extra || (row.Name == nil) != (w.Name == nil) || row.Name != nil && *row.Name != *w.Name {
				t.Fatalf("row %d is not what was asked for:\n%s", i, out)
			}
		}
		if again, err := Rewrite(out, nil, nil); err != nil || string(again) != string(out) {
			t.Fatalf("written again it differs: %v\n%s\n%s", err, out, again)
		}
	})
}
