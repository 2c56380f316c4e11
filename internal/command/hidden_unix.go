//go:build unix

package command

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// hide keeps the terminal from showing what is typed, until restore. It is not
// term.ReadPassword, which hides only after the question could be answered and
// takes no notice of Ctrl-D on an empty line.
func hide(terminal *os.File) (restore func(), err error) {
	fd := int(terminal.Fd())
	before, err := unix.IoctlGetTermios(fd, ioctlGetTermios)
	if err != nil {
		return nil, err
	}
	quiet := *before
	quiet.Lflag &^= unix.ECHO
	quiet.Lflag |= unix.ICANON | unix.ISIG
	quiet.Iflag |= unix.ICRNL
	if err := unix.IoctlSetTermios(fd, ioctlSetTermios, &quiet); err != nil {
		return nil, err
	}
	return func() { _ = unix.IoctlSetTermios(fd, ioctlSetTermios, before) }, nil // best we can do
}

// dropTyped forgets what was typed at the terminal and not read yet.
func dropTyped(terminal *os.File) { _ = flushInput(int(terminal.Fd())) } // best we can do

// caught lists the signals that a question has to see: those that would leave
// the terminal without echo.
func caught() []os.Signal {
	return []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGTSTP}
}

// stops says whether sig stops a program until it is brought back, as Ctrl-Z
// does. The others end it.
func stops(sig os.Signal) bool { return sig == syscall.SIGTSTP }

// suspend stops this process and returns when it runs again. In the background
// the system stops it once more, at its next touch of the terminal.
//
// It is SIGSTOP, which cannot be caught: Go never gives a signal that it caught
// once its default effect back. Unlike Ctrl-Z that stops a process, too, which
// no shell would bring back, so one that leads its session runs on.
func suspend() {
	if session, err := unix.Getsid(0); err != nil || session == syscall.Getpgrp() {
		return
	}
	resumed := make(chan os.Signal, 1)
	signal.Notify(resumed, syscall.SIGCONT)
	defer signal.Stop(resumed)
	if syscall.Kill(os.Getpid(), syscall.SIGSTOP) == nil {
		<-resumed
	}
}
