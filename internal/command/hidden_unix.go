//go:build unix

package command

import (
	"os"

	"golang.org/x/sys/unix"
)

// readHidden reads a line that the terminal does not show. It is not
// term.ReadPassword, which takes no notice of Ctrl-D on an empty line.
func readHidden(terminal *os.File) ([]byte, error) {
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
	line, err := readLine(terminal)
	if restored := unix.IoctlSetTermios(fd, ioctlSetTermios, before); err == nil {
		err = restored
	}
	return line, err
}
