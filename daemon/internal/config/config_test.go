package config

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// path is absolute on the system that runs the test.
func path(t testing.TB, name string) string {
	p, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestKeys(t *testing.T) {
	if !slices.IsSortedFunc(keys[:], func(a, b Key) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the table is not sorted")
	}
	for _, k := range keys {
		c := Default()
		if c.Value(k) != k.Default || c.Given(k) || !k.put(&c, k.Default) {
			t.Errorf("%s: the default is %q, and of an empty text %q", k.Name, k.Default, c.Value(k))
		}
		if k.Usage == "" || strings.HasSuffix(k.Usage, ".") || k.Values == "" {
			t.Errorf("%s: %q, %q", k.Name, k.Usage, k.Values)
		}
	}
}

func TestParse(t *testing.T) {
	file := path(t, "file")
	c, err := Parse([]byte("\ufeff# mine\r\nkeystore = 'keyfile' # in clear\r\n\r\n\"trash_days\"=1_0\r\n min_valid = \"1m\"\r\n" +
		"passphrase_file = '" + file + "'"))
	want := Default()
	want.Keystore, want.MinValid, want.PassphraseFile, want.TrashDays = "keyfile", time.Minute, file, 10
	want.given = []string{"keystore", "trash_days", "min_valid", "passphrase_file"}
	if err != nil || !c.same(want) {
		t.Errorf("%+v, %v", c, err)
	}
	for _, text := range []string{"", "\n", "# only words", "\ufeff", "\ufeff\n"} {
		if c, err := Parse([]byte(text)); err != nil || !c.same(Default()) {
			t.Errorf("%q: %+v, %v", text, c, err)
		}
	}
}

// Every mistake is found, with its line, and nothing of a value is repeated.
func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"\n\nkeystores = 'auto'":                  `line 3: there is no setting "keystores": is it keystore?`,
		"trash-days = 3":                          `line 1: there is no setting "trash-days": is it trash_days?`,
		"Keystore = 'auto'":                       `line 1: there is no setting "Keystore": is it keystore?`,
		"clipboard_seconds = 5":                   `line 1: there is no setting "clipboard_seconds"`,
		"GEZDGNBVGY3TQOJQ = 1":                    `line 1: there is no such setting`,
		"a.b = 1":                                 `line 1: there is no setting "a.b"`,
		"keystore.x = 'auto'":                     `line 1: there is no setting "keystore.x": is it keystore?`,
		"# x\n[vault]\nkeystore = 'auto'":         "line 2: there are no tables in this file",
		"[[vault]]":                               "line 1: there are no tables in this file",
		"keystore = 'auto'\nkeystore = 'keyring'": "line 2: keystore stands here a second time",
		"keystore = 'GEZDGNBV'":                   "line 1: keystore must be auto, keyring, passphrase, keyfile or credential",
		"keystore = ''":                           "line 1: keystore must be auto, keyring, passphrase, keyfile or credential",
		"keystore = 'Auto'":                       "line 1: keystore must be auto, keyring, passphrase, keyfile or credential",
		"keystore = 1":                            "line 1: keystore must be auto, keyring, passphrase, keyfile or credential, in quotes",
		"keystore = ['auto']":                     "line 1: keystore must be auto, keyring, passphrase, keyfile or credential, in quotes",
		"keystore = {x = 1}":                      "line 1: keystore must be auto, keyring, passphrase, keyfile or credential, in quotes",
		"trash_days = '30'":                       "line 1: trash_days must be a number from 1 to 3650, without quotes",
		"trash_days = 0":                          "line 1: trash_days must be a number from 1 to 3650",
		"trash_days = 3651":                       "line 1: trash_days must be a number from 1 to 3650",
		"trash_days = -1":                         "line 1: trash_days must be a number from 1 to 3650",
		"trash_days = 3.5":                        "line 1: trash_days must be a number from 1 to 3650",
		"trash_days = true":                       "line 1: trash_days must be a number from 1 to 3650",
		"trash_days = 99999999999999999999":       "line 1: trash_days must be a number from 1 to 3650",
		"min_valid = 5":                           "line 1: min_valid must be a time from 0s to 1m, such as 5s, in quotes",
		"min_valid = '5'":                         "line 1: min_valid must be a time from 0s to 1m, such as 5s",
		"min_valid = '-1s'":                       "line 1: min_valid must be a time from 0s to 1m, such as 5s",
		"min_valid = '61s'":                       "line 1: min_valid must be a time from 0s to 1m, such as 5s",
		"passphrase_file = 'here'":                "line 1: passphrase_file must be an absolute path, or nothing",
		"passphrase_file = \"/a\\u0000\"":         "line 1: passphrase_file must be an absolute path, or nothing",
		"passphrase_file = '/" + strings.Repeat("x", 4096):       "line 1: not valid TOML: unterminated literal string",
		"keystore = 'auto'\ntrash_days":                          "line 2: not valid TOML: ",
		"trash_days = 010":                                       "line 1: not valid TOML: ",
		"trash_days = 1 trash_days = 2":                          "line 1: not valid TOML: ",
		"\n\n\nkeystore = \"\xff\"":                              "line 4: not valid TOML: ",
		"# " + strings.Repeat("x", MaxSize):                      "line 1: the file is larger than 65536 bytes",
		"passphrase_file = '/" + strings.Repeat("x", 5000) + "'": "line 1: passphrase_file must be an absolute path, or nothing",
	} {
		c, err := Parse([]byte(text))
		place := (*Error)(nil)
		if !errors.As(err, &place) || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "GEZD") || c.Keystore != "" {
			t.Errorf("%.80q: %v, want %s", text, err, want)
		}
	}
}

func TestEdit(t *testing.T) {
	const text = "# what I want\n\n  keystore = 'auto'   # for now\nmin_valid=\"1s\"\n\n# the last\ntrash_days = 1_0\n"
	for _, tc := range []struct {
		name, text, key, value, want string
	}{
		{"a value", text, "keystore", "keyring", strings.Replace(text, "'auto'", `"keyring"`, 1)},
		{"a number", text, "trash_days", "90", strings.Replace(text, "1_0", "90", 1)},
		{"the same number", text, "trash_days", "10", text},
		{"the same time", text, "min_valid", "1000ms", text},
		{"a new key", "# x", "trash_days", "7", "# x\ntrash_days = 7\n"},
		{"a new key, last line whole", "# x\n\n", "min_valid", "5s", "# x\n\nmin_valid = \"5s\"\n"},
		{"a new key in a file of Windows", "# x\r\n", "min_valid", "5s", "# x\r\nmin_valid = \"5s\"\r\n"},
		{"an empty file", "", "keystore", "auto", "keystore = \"auto\"\n"},
		{"a mark alone", "\ufeff", "keystore", "auto", "\ufeffkeystore = \"auto\"\n"},
		{"a value over lines", "min_valid = \"\"\"\n1s\"\"\" # x\ntrash_days = 1", "min_valid", "2s", "min_valid = \"2s\" # x\ntrash_days = 1"},
		{"a key in quotes", "'trash_days' =\t1 # x", "trash_days", "2", "'trash_days' =\t2 # x"},
	} {
		got, err := Edit([]byte(tc.text), map[string]string{tc.key: tc.value}, nil)
		if err != nil || string(got) != tc.want {
			t.Errorf("%s: %q, %v; want %q", tc.name, got, err, tc.want)
		}
	}
	for _, tc := range []struct{ name, text, key, want string }{
		{"with its comment", text, "keystore", strings.Replace(text, "keystore = 'auto'   ", "", 1)},
		{"a line", text, "min_valid", strings.Replace(text, "min_valid=\"1s\"\n", "", 1)},
		{"the last line", text, "trash_days", strings.Replace(text, "trash_days = 1_0\n", "", 1)},
		{"no newline at the end", "# x\ntrash_days = 1", "trash_days", "# x\n"},
		{"one that is not there", "# x", "trash_days", "# x"},
		{"after a mark", "\ufefftrash_days = 1\r\n# x", "trash_days", "\ufeff# x"},
		{"with blanks", "# x\n \ttrash_days = 1 \t\n# y", "trash_days", "# x\n# y"},
	} {
		got, err := Edit([]byte(tc.text), nil, []string{tc.key})
		if err != nil || string(got) != tc.want {
			t.Errorf("taking out %s: %q, %v; want %q", tc.name, got, err, tc.want)
		}
	}
	got, err := Edit([]byte(text), map[string]string{"passphrase_file": path(t, `a'b"c\d`), "keystore": "keyfile"}, []string{"trash_days", "min_valid"})
	if c, parseErr := Parse(got); err != nil || parseErr != nil || c.PassphraseFile != path(t, `a'b"c\d`) || c.Keystore != "keyfile" || len(c.given) != 2 {
		t.Errorf("%q, %v, %v", got, err, parseErr)
	}
}

func TestEditRefuses(t *testing.T) {
	for _, tc := range []struct {
		text, key, value, want string
	}{
		{"", "keystor", "auto", `there is no setting "keystor": is it keystore?`},
		{"", "GEZDGNBVGY3TQOJQ", "auto", `there is no such setting`},
		{"", "keystore", "GEZDGNBV", "keystore must be auto, keyring, passphrase, keyfile or credential"},
		{"", "trash_days", "0x10", "trash_days must be a number from 1 to 3650"},
		{"", "trash_days", "many", "trash_days must be a number from 1 to 3650"},
		{"", "passphrase_file", "/a\nb", "passphrase_file must be an absolute path, or nothing"},
		{"", "min_valid", "5", "min_valid must be a time from 0s to 1m, such as 5s"},
		{"x = 1", "keystore", "auto", `line 1: there is no setting "x"`},
	} {
		got, err := Edit([]byte(tc.text), map[string]string{tc.key: tc.value}, nil)
		if got != nil || err == nil || err.Error() != tc.want {
			t.Errorf("%s=%s: %q, %v; want %s", tc.key, tc.value, got, err, tc.want)
		}
	}
	for _, err := range []error{
		second(Edit(nil, nil, []string{"trash_day"})),
		second(Edit(nil, map[string]string{"keystore": "auto"}, []string{"keystore"})),
	} {
		if wrong := (*ValueError)(nil); !errors.As(err, &wrong) {
			t.Errorf("%v", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// FuzzParse holds the reading by pieces against the module's own reading of the
// whole, and every edit against what the text said before.
func FuzzParse(f *testing.F) {
	if got := comments([]byte("# a\nkeystore = '#' # b\n")); got != "# a\n# b\n" {
		f.Fatalf("%q", got) // or nothing below would notice a comment that goes
	}
	for _, seed := range []string{"", "keystore = 'auto' # x\r\ntrash_days = 0x1e", "\ufeffmin_valid = \"\"\"\n5\\u0073\"\"\"", "[a]\nb=1", "trash_days=+1\n\"keystore\"='keyfile'"} {
		f.Add([]byte(seed), uint8(3), "40")
	}
	f.Fuzz(func(t *testing.T, text []byte, at uint8, value string) {
		before := bytes.Clone(text)
		c, err := Parse(text)
		place := (*Error)(nil)
		if err != nil && (!errors.As(err, &place) || place.Line < 1 || place.Line > bytes.Count(text, []byte("\n"))+1) {
			t.Fatalf("%v", err)
		}
		key := keys[int(at)%len(keys)]
		edited, editErr := Edit(text, map[string]string{key.Name: value}, nil)
		without, dropErr := Edit(text, nil, []string{key.Name})
		if !bytes.Equal(text, before) {
			t.Fatal("the text was changed in place")
		}
		if err != nil {
			if editErr == nil || dropErr == nil {
				t.Fatal("a text that is no configuration was edited")
			}
			return
		}
		whole := map[string]any{}
		if err := toml.Unmarshal(bytes.TrimPrefix(text, mark), &whole); err != nil || len(whole) != len(c.given) {
			t.Fatalf("the module reads %v, %v", whole, err)
		}
		if wrong := (*ValueError)(nil); editErr != nil && !errors.As(editErr, &wrong) {
			t.Fatal(editErr)
		}
		if dropErr != nil || comments(without) != comments(text) || editErr == nil && comments(edited) != comments(text) {
			t.Fatalf("%v: %q\n%q", dropErr, edited, without)
		}
	})
}

// comments returns the comments of a text, in order.
func comments(text []byte) string {
	p := unstable.Parser{KeepComments: true}
	p.Reset(bytes.TrimPrefix(text, mark))
	var all strings.Builder
	for p.NextExpression() {
		walk(p.Expression(), func(n *unstable.Node) {
			if n.Kind == unstable.Comment {
				all.Write(append(n.Data, '\n'))
			}
		})
	}
	return all.String()
}

func walk(n *unstable.Node, f func(*unstable.Node)) {
	for ; n.Valid(); n = n.Next() {
		f(n)
		walk(n.Child(), f)
	}
}
