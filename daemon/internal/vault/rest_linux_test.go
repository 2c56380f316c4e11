package vault

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// resident returns how many kB of the file are mapped in the memory of this
// process.
func resident(t *testing.T, path string) (kB int) {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	ours := false
	for line := range strings.Lines(string(maps)) {
		words := strings.Fields(line)
		switch {
		case strings.Contains(words[0], "-"): // the addresses of the next mapping
			ours = words[len(words)-1] == path
		case ours && words[0] == "Rss:":
			n, err := strconv.Atoi(words[1])
			if err != nil {
				t.Fatal(err)
			}
			kB += n
		}
	}
	return kB
}

func TestRestLetsGoOfTheFile(t *testing.T) {
	v := newVault(t)
	fill(t, v, 2000)
	v = reopen(t, v)
	list, err := v.List()
	if err != nil {
		t.Fatal(err)
	}
	before := resident(t, v.path)
	v.Rest()
	after := resident(t, v.path)
	if before < 500 || after > before/10 {
		t.Errorf("%d kB before, %d kB at rest", before, after)
	}
	if _, err := v.Get(list[1999].ID); err != nil {
		t.Error(err)
	}
	add(t, v, entry("one more"))
	v.Close()
	v.Rest() // of a closed vault nothing is left
}
