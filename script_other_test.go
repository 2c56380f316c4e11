//go:build !linux

package o2fa_test

import "github.com/rogpeppe/go-internal/testscript"

// scriptTTY needs Linux's pseudo-terminals; scripts that use it say [linux].
func scriptTTY(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Fatalf("tty works on Linux only: guard the script with [!linux] skip")
}
