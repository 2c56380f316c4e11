//go:build unix

package client

import "syscall"

const daemonName = "o2fad"

// detached gives a process a session of its own, without a terminal.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
