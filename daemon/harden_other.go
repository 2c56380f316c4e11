//go:build !linux && !darwin

package daemon

import "github.com/o2fa/o2fa/ipc"

// Harden has nothing to do here: Windows writes no dumps unless an
// administrator asks for them, and a process of the same user can always read
// another's memory.
func Harden() []ipc.Warning { return nil }
