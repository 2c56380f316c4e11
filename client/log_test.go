package client

import (
	"os"
	"path/filepath"
	"testing"
)

// TestLogIsTurnedOverUnderItsDaemon renames the log as the daemon does, while
// the daemon's own stderr is open on it.
func TestLogIsTurnedOverUnderItsDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "o2fad.log")
	if err := os.WriteFile(path, []byte("an older line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"one\n", "two\n"} {
		stderr, err := openLog(path)
		if err != nil {
			t.Fatal(err)
		}
		defer stderr.Close()
		if _, err := stderr.WriteString(line); err != nil {
			t.Fatal(err)
		}
		own, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatalf("the daemon cannot open its log: %v", err)
		}
		own.Close()
		if err := os.Rename(path+".1", path+".2"); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{".2": "an older line\none\n", ".1": "two\n"} {
		if got, err := os.ReadFile(path + name); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
