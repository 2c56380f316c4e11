package cli

import (
	"github.com/o2fa/o2fa/daemon"
	"github.com/o2fa/o2fa/internal/command"
)

// relauncher returns nothing: no process of Windows executes another program in its
// place, so a lock wipes what can be wiped.
func relauncher(*command.Process, daemon.Config, *signals) func(handover string) error { return nil }
