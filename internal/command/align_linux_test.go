package command

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestAlignInATerminal asks tmux, a terminal that can be asked, where the cursor
// stands behind two columns, for names of which its own idea of width differs
// from ours.
func TestAlignInATerminal(t *testing.T) {
	tmux, err := exec.LookPath("tmux")
	if err != nil {
		t.Skip("tmux is not installed (package tmux)")
	}
	dir := t.TempDir()
	call := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(tmux, append([]string{"-S", filepath.Join(dir, "s"), "-f", os.DevNull}, args...)...)
		cmd.Env = append(os.Environ(), "TMUX=", "LC_ALL=C.UTF-8", "TERM=xterm")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("tmux %q: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	t.Cleanup(func() { _ = exec.Command(tmux, "-S", filepath.Join(dir, "s"), "kill-server").Run() })
	row := filepath.Join(dir, "row")
	show := func(text string) int {
		t.Helper()
		if err := os.WriteFile(row, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		call("respawn-pane", "-k", "-t", "t", "cat "+row+"; exec cat")
		for deadline := time.Now().Add(20 * time.Second); !strings.Contains(call("capture-pane", "-p", "-t", "t"), "I...E  9"); {
			if time.Now().After(deadline) {
				t.Fatalf("%q was never shown", text)
			}
		}
		x, err := strconv.Atoi(call("display-message", "-p", "-t", "t", "#{cursor_x}"))
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	call("new-session", "-d", "-s", "t", "-x", "100", "-y", "5", "exec cat")
	const cells = 12
	differ := 0
	for _, tc := range widths {
		want := cells + len("  I...E  9")
		text := Pad(tc.text, cells) + "  I...E  9"
		if show(text) != want {
			differ++
		}
		if got := show(Align(text, 100)); got != want {
			t.Errorf("%q: the cursor stands at %d, want %d", tc.text, got, want)
		}
	}
	if differ == 0 {
		t.Error("blanks alone would align every name: the test shows nothing")
	}
}
