//go:build !windows

package daemon

import "syscall"

// unseen is for Windows: elsewhere a program has no window that it did not open.
func unseen() *syscall.SysProcAttr { return nil }
