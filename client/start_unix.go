//go:build unix

package client

import (
	"os"
	"syscall"
)

const daemonName = "o2fad"

// detached gives a process a session of its own, without a terminal.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// openLog opens the log for what a daemon says before it has its own log open.
func openLog(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}
