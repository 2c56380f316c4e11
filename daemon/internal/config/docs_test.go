package config

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDocument holds the table of the document to the one here, and its example
// to the parser.
func TestDocument(t *testing.T) {
	data, err := os.ReadFile("../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	var want strings.Builder
	for _, k := range keys {
		standard := `"` + k.Default + `"`
		if k.number {
			standard = k.Default
		}
		fmt.Fprintf(&want, "| `%s` | `%s` | %s | %s |\n", k.Name, standard, k.Values, k.Usage)
	}
	if _, got, _ := strings.Cut(text, "|---|---|---|---|\n"); !strings.HasPrefix(got, want.String()+"\n") {
		t.Errorf("the table should be\n%s", want.String())
	}
	examples := regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllStringSubmatch(text, -1)
	for _, example := range examples {
		if _, err := Parse([]byte(example[1])); err != nil {
			t.Errorf("%v in\n%s", err, example[1])
		}
	}
	if len(examples) == 0 {
		t.Error("there is no example")
	}
}
