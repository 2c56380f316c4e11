//go:build unix

package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Passed is what one image of a process leaves to the next, which the process
// executes: the numbers of inherited descriptors, and which file the socket is.
type Passed struct {
	Lock     int    `json:"lock"`
	Listener int    `json:"listener"`
	Socket   string `json:"socket"` // the address that it listens at
	// Device and Inode of the socket's file, so that only that one is removed at
	// the end.
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
}

// Pass lets the next image of this process inherit lock and listener. It changes
// nothing else: neither is ever free. Keep takes it back.
func Pass(lock *Lock, l net.Listener) (Passed, error) {
	own, ok := l.(*listener)
	if !ok {
		return Passed{}, fmt.Errorf("passing the socket on: %T is not one of ours", l)
	}
	if !current(lock.f) {
		return Passed{}, fmt.Errorf("passing the lock on: %s was replaced or removed: %w", lock.f.Name(), ErrForeign)
	}
	p := Passed{Lock: int(lock.f.Fd()), Socket: own.path}
	if own.made != nil {
		p.Device, p.Inode = fileID(own.made)
	}
	var err error
	if p.Listener, err = PassConn(own.UnixListener); err != nil {
		return Passed{}, err
	}
	return p, inherit(p.Lock, true)
}

// Keep takes Pass back.
func (p Passed) Keep() error { return errors.Join(inherit(p.Lock, false), inherit(p.Listener, false)) }

// PassConn lets the next image of this process inherit a connection or a
// listener, and returns its descriptor. KeepConn takes it back.
func PassConn(conn any) (fd int, err error) { return setInherited(conn, true) }

// KeepConn takes PassConn back.
func KeepConn(conn any) error {
	_, err := setInherited(conn, false)
	return err
}

func setInherited(conn any, yes bool) (fd int, err error) {
	source, ok := conn.(syscall.Conn)
	if !ok {
		return -1, fmt.Errorf("passing a connection on: %T has no descriptor", conn)
	}
	raw, err := source.SyscallConn()
	if err != nil {
		return -1, fmt.Errorf("passing a connection on: %w", err)
	}
	var setErr error
	err = raw.Control(func(f uintptr) { fd, setErr = int(f), inherit(int(f), yes) })
	if err = errors.Join(err, setErr); err != nil {
		return -1, fmt.Errorf("passing a connection on: %w", err)
	}
	return fd, nil
}

// inherit sets whether a program that this process executes gets fd.
func inherit(fd int, yes bool) error {
	flags := unix.FD_CLOEXEC
	if yes {
		flags = 0
	}
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, flags)
	return os.NewSyscallError("fcntl", err)
}

// Adopt takes over what the image of this process before has passed on. It
// believes nothing: what is not the lock file of p, or no socket that listens
// at the address, is ErrForeign. The address of p becomes the one passed.
func (p *Profile) Adopt(passed Passed) (*Lock, net.Listener, error) {
	lock, err := p.adoptLock(passed.Lock)
	if err != nil {
		return nil, nil, fmt.Errorf("taking over the lock of the profile: %w", err)
	}
	l, err := adoptListener(passed)
	if err != nil {
		_ = lock.Close()
		return nil, nil, fmt.Errorf("taking over the socket: %w", err)
	}
	p.Socket = passed.Socket
	return lock, l, nil
}

func (p *Profile) adoptLock(fd int) (*Lock, error) {
	var stat unix.Stat_t
	if err := adoptable(fd, &stat); err != nil {
		return nil, err
	}
	name, dir := p.LockFile(), stat.Mode&unix.S_IFMT == unix.S_IFDIR
	if dir {
		name = p.Dir // of a read-only file system
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if err = checkOwner(f, dir); err == nil && !current(f) {
		err = fmt.Errorf("descriptor %d is not %s: %w", fd, name, ErrForeign)
	}
	if err != nil {
		return nil, err
	}
	// Ours already, if it was passed on: then this changes nothing.
	got, err := tryLock(f, true)
	if err == nil && !got {
		err = &HeldError{readInfo(f)}
	}
	if err != nil {
		return nil, err
	}
	return &Lock{f, flags&unix.O_ACCMODE == unix.O_RDWR}, nil
}

func adoptListener(passed Passed) (net.Listener, error) {
	f, err := adoptSocket(passed.Listener)
	if err != nil {
		return nil, err
	}
	defer f.Close() // net has made a copy of its own
	listening, err := unix.GetsockoptInt(passed.Listener, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	address, nameErr := unix.Getsockname(passed.Listener)
	if err = errors.Join(err, nameErr); err != nil {
		return nil, err
	}
	name, ok := address.(*unix.SockaddrUnix)
	if listening == 0 || !ok || name.Name != passed.Socket {
		return nil, fmt.Errorf("descriptor %d does not listen at %s: %w", passed.Listener, passed.Socket, ErrForeign)
	}
	any, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	l := &listener{UnixListener: any.(*net.UnixListener), path: passed.Socket} // Getsockname said so
	if info, err := os.Lstat(l.path); err == nil && info.Mode().Type() == fs.ModeSocket {
		if device, inode := fileID(info); device == passed.Device && inode == passed.Inode {
			l.made = info
		}
	}
	return l, nil
}

// fileID tells one file from all others that exist at the time.
func fileID(info fs.FileInfo) (device, inode uint64) {
	stat := info.Sys().(*syscall.Stat_t)
	return uint64(stat.Dev), stat.Ino //nolint:unconvert // Dev has another type on macOS
}

// AdoptConn takes over a connection that was passed on by PassConn.
func AdoptConn(fd int) (net.Conn, error) {
	f, err := adoptSocket(fd)
	if err != nil {
		return nil, fmt.Errorf("taking over a connection: %w", err)
	}
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("taking over a connection: %w", err)
	}
	if _, ok := conn.(*net.UnixConn); !ok {
		conn.Close()
		return nil, fmt.Errorf("taking over a connection: descriptor %d is no Unix socket: %w", fd, ErrForeign)
	}
	return conn, nil
}

// adoptSocket returns an inherited descriptor that is a socket.
func adoptSocket(fd int) (*os.File, error) {
	var stat unix.Stat_t
	if err := adoptable(fd, &stat); err != nil {
		return nil, err
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return nil, fmt.Errorf("descriptor %d is no socket: %w", fd, ErrForeign)
	}
	return os.NewFile(uintptr(fd), "socket"), nil
}

// adoptable reports whether fd is open and none of the standard three. No child
// gets it from now on.
func adoptable(fd int, stat *unix.Stat_t) error {
	if fd <= 2 {
		return fmt.Errorf("descriptor %d: %w", fd, ErrForeign)
	}
	if err := unix.Fstat(fd, stat); err != nil {
		return fmt.Errorf("descriptor %d: %w", fd, err)
	}
	return inherit(fd, false)
}
