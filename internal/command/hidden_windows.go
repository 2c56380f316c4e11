package command

import (
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// hide keeps the console from showing what is typed, until restore.
func hide(console *os.File) (restore func(), err error) {
	handle := windows.Handle(console.Fd())
	var before uint32
	if err := windows.GetConsoleMode(handle, &before); err != nil {
		return nil, err
	}
	quiet := before&^windows.ENABLE_ECHO_INPUT | windows.ENABLE_LINE_INPUT | windows.ENABLE_PROCESSED_INPUT
	if err := windows.SetConsoleMode(handle, quiet); err != nil {
		return nil, err
	}
	return func() { _ = windows.SetConsoleMode(handle, before) }, nil // best we can do
}

// dropTyped forgets what was typed at the console and not read yet.
func dropTyped(console *os.File) {
	_ = windows.FlushConsoleInputBuffer(windows.Handle(console.Fd())) // best we can do
}

// caught lists the signals that a question has to see: those that would leave
// the console without echo.
func caught() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} }

// stops is for other systems: nothing stops a program here.
func stops(os.Signal) bool { return false }

func suspend() {}
