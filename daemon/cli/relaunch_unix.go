//go:build unix

package cli

import (
	"fmt"
	"syscall"

	"github.com/o2fa/o2fa/daemon"
	"github.com/o2fa/o2fa/internal/command"
)

// relauncher returns what replaces the image of this process by o2fad anew.
func relauncher(io command.Stdio, cfg daemon.Config, s *signals) func(handover string) error {
	return func(handover string) error {
		path, err := program()
		if err == nil {
			err = s.release()
		}
		if err == nil {
			err = syscall.Exec(path, io.Process.Args, environ(io.Process.Environ(), cfg, handover))
			s.retake()
		}
		return fmt.Errorf("executing %s: %w", path, err)
	}
}
