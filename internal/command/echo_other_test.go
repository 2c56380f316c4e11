//go:build !linux

package command

import (
	"os"
	"testing"
)

// waitForEcho is not reached: ptytest has no terminal here.
func waitForEcho(*testing.T, *os.File, bool) {}
