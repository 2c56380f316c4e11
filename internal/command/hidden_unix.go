//go:build unix

package command

import (
	"os"

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
