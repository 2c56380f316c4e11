//go:build !linux

package o2fa_test

import "github.com/rogpeppe/go-internal/testscript"

// scriptTTY needs Linux's pseudo-terminals; scripts that use it say [linux].
func scriptTTY(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Fatalf("tty works on Linux only: guard the script with [!linux] skip")
}

// desktop is there on Linux alone.
type desktop struct{}

// scriptDesktop needs Linux's message bus.
func scriptDesktop(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Fatalf("desktop works on Linux only: guard the script with [!linux] skip")
}
