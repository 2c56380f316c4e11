//go:build !linux

package pinentry

import "syscall"

// tied: here a program that outlives the command goes by its own time limit.
func tied() *syscall.SysProcAttr { return nil }

func tie() (untie func()) { return func() {} }
