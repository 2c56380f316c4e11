package daemon

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// unseen keeps a child from opening a console window: the daemon has none that
// it could inherit.
func unseen() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{HideWindow: true, CreationFlags: windows.CREATE_NO_WINDOW}
}
