//go:build !windows

package secret

import (
	"os"
	"testing"
)

// makePrivate is for Windows: elsewhere the mode says it.
func makePrivate(*testing.T, string) {}

// share lets everybody read a file.
func share(t *testing.T, path string) {
	t.Helper()
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
}
