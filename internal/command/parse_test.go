package command

import (
	"strings"
	"testing"
)

// A number alone is a time in seconds.
func TestTimes(t *testing.T) {
	for text, want := range map[string]string{"7": " 7s ", "0.5": " 500ms ", "1m": " 1m0s ", "-3": " -3s "} {
		if code, out, errs := call("", "echo", "a", "--time", text); code != 0 || !strings.Contains(out, want) {
			t.Errorf("%s: exit %d, %s%s", text, code, out, errs)
		}
	}
	for _, text := range []string{"", "soon", "inf", "1e99", "5 s"} {
		if code, _, errs := call("", "echo", "a", "--time", text); code != ExitUsage || !strings.Contains(errs, "flag --time wants a time such as 5s or 1m") {
			t.Errorf("%q: exit %d, %s", text, code, errs)
		}
	}
}
