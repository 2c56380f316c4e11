// Package keystoretest owns what tests need of the keystore and what nothing
// else may have: a passphrase cost that protects nothing. Only tests import it.
package keystoretest

import (
	"testing"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/daemon/internal/keystore/internal/kdf"
)

// CheapCost returns a cost of microseconds. The parameter is its guard: only a
// test has a testing.TB.
func CheapCost(tb testing.TB) keystore.Cost {
	tb.Helper()
	return kdf.Cheap()
}
