//go:build unix && !linux

package cli

import "os"

// program returns what to execute: what stands at the path that this process
// was started from.
func program() (string, error) { return os.Executable() }
