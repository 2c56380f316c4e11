package keystore_test

import (
	"errors"
	"fmt"
	"os/exec"
	"testing"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
)

// TestSecurityToolsExits gives each exit code of the security tool its meaning.
func TestSecurityToolsExits(t *testing.T) {
	for code, want := range map[int]error{
		36: keystore.ErrKeyringLocked, 51: keystore.ErrKeyringLocked, 128: keystore.ErrKeyringLocked,
		37: keystore.ErrUnavailable, 50: keystore.ErrUnavailable, 53: keystore.ErrUnavailable,
		1: keystore.ErrFailed,
	} {
		err := exec.Command("/bin/sh", "-c", fmt.Sprint("exit ", code)).Run()
		if got := keystore.Sentinel(err); !errors.Is(got, want) {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
	if got := keystore.Sentinel(exec.Command("/nonexistent/security").Run()); !errors.Is(got, keystore.ErrUnavailable) {
		t.Errorf("without the tool: %v", got)
	}
}
