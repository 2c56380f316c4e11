package pinentry

import (
	"runtime"
	"syscall"
)

// tied makes the program end when the thread that started it does: else its
// dialog would outlive a command that was killed.
func tied() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }

// tie keeps that thread until the function that it returns is called.
func tie() (untie func()) {
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}
