package client

import (
	"syscall"

	"golang.org/x/sys/windows"
)

const daemonName = "o2fad.exe"

// detached gives a process no console, neither ours nor one of its own, and no
// part in our Ctrl-C.
func detached() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		HideWindow:    true,
		CreationFlags: windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP,
	}
}
