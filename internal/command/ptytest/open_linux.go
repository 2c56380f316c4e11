package ptytest

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// open returns both sides of a new pseudo-terminal.
func open() (master, device *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	raw, err := master.SyscallConn()
	if err != nil {
		return nil, nil, err
	}
	var n int
	var ctl error
	err = raw.Control(func(fd uintptr) {
		if ctl = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); ctl == nil {
			n, ctl = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	if ctl != nil {
		return nil, nil, ctl
	}
	device, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	return master, device, err
}

// resize tells a terminal its size.
func resize(device *os.File, columns, lines int) error {
	return control(device, func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(columns), Row: uint16(lines)})
	})
}

// unread returns how many bytes, of whole lines, were typed and not read.
func unread(device *os.File) (n int, err error) {
	err = control(device, func(fd int) (err error) {
		n, err = unix.IoctlGetInt(fd, unix.TIOCINQ)
		return err
	})
	return n, err
}

// control calls f with the descriptor of a terminal that stays open.
func control(device *os.File, f func(fd int) error) error {
	raw, err := device.SyscallConn()
	if err != nil {
		return err
	}
	var ctl error
	if err := raw.Control(func(fd uintptr) { ctl = f(int(fd)) }); err != nil {
		return err
	}
	return ctl
}
