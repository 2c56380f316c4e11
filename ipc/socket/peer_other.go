//go:build unix && !linux && !darwin && !freebsd

package socket

import (
	"errors"
	"fmt"
	"runtime"
)

// peerUID refuses: nobody talks where nobody can be told from another.
func peerUID(int) (int, error) {
	return 0, fmt.Errorf("asking for a peer's user on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
