package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"

	"github.com/o2fa/o2fa/internal/acl"
)

// pipeBuffer is the size of the pipe's buffers, in bytes.
const pipeBuffer = 64 << 10

// Listen makes the pipe of p and listens there. ErrInUse means that somebody,
// of whatever user, has a pipe of that name: go-winio creates the first
// instance so that no other may exist, and refuses remote clients.
func (p Profile) Listen() (net.Listener, error) {
	sid, err := acl.Self()
	if err != nil {
		return nil, fmt.Errorf("listening at %s: %w", p.Socket, err)
	}
	l, err := winio.ListenPipe(p.Socket, &winio.PipeConfig{
		SecurityDescriptor: pipeSDDL(sid),
		InputBufferSize:    pipeBuffer,
		OutputBufferSize:   pipeBuffer,
	})
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, windows.ERROR_ALREADY_EXISTS) {
		err = ErrInUse
	}
	if err != nil {
		return nil, fmt.Errorf("listening at %s: %w", p.Socket, err)
	}
	return l, nil
}

// pipeSDDL gives everything to sid and, being protected, nothing to anyone
// else. A pipe without a list of its own could be read by Everyone. The owner is
// named since a client looks at it, and an elevated daemon's would be a group.
func pipeSDDL(sid *windows.SID) string {
	return "O:" + sid.String() + "D:P(A;;GA;;;" + sid.String() + ")"
}

// Dial connects to the daemon at the pipe addr. Before a byte is written it has
// made sure that the pipe is this user's and that the process that made it runs
// as this user, since a name can be taken by anyone who comes first. It returns
// ErrNotRunning where there is no pipe and ErrForeign where a check fails.
func Dial(ctx context.Context, addr string) (net.Conn, error) {
	conn, err := winio.DialPipeContext(ctx, addr)
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNotRunning
	} else if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		err = fmt.Errorf("%w: %w", ErrForeign, err)
	}
	if err != nil {
		return nil, fmt.Errorf("connecting to the daemon: %w", err)
	}
	err = checkPipeOwner(conn)
	if err == nil {
		err = checkProcess(conn, windows.GetNamedPipeServerProcessId)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// checkPipeOwner compares the owner of the pipe with us. Nobody can give what he
// makes to another user, and unlike the number of a process, which is free for
// the next when its process ends, an owner stays.
func checkPipeOwner(conn net.Conn) error {
	pipe, err := handleOf(conn)
	if err != nil {
		return err
	}
	why, err := acl.CheckPipe(pipe)
	if err != nil {
		return fmt.Errorf("checking the pipe: %w", err)
	}
	if why != "" {
		return fmt.Errorf("checking the pipe: %s: %w", why, ErrForeign)
	}
	return nil
}

func handleOf(conn net.Conn) (windows.Handle, error) {
	pipe, ok := conn.(interface{ Fd() uintptr })
	if !ok {
		return 0, fmt.Errorf("checking the peer: %T is no pipe: %w", conn, ErrForeign)
	}
	return windows.Handle(pipe.Fd()), nil
}

// CheckPeer reports whether the client at the other end of conn, a connection
// that was accepted, runs as this user.
func CheckPeer(conn net.Conn) error {
	return checkProcess(conn, windows.GetNamedPipeClientProcessId)
}

// checkProcess compares the user of the process at the other end with our own.
func checkProcess(conn net.Conn, process func(windows.Handle, *uint32) error) error {
	pipe, err := handleOf(conn)
	if err != nil {
		return err
	}
	var pid uint32
	if err := process(pipe, &pid); err != nil {
		return fmt.Errorf("checking the peer: %w", err)
	}
	peer, err := processSID(pid)
	if err != nil {
		return fmt.Errorf("checking the peer, process %d: %w: %w", pid, ErrForeign, err)
	}
	own, err := acl.Self()
	if err != nil {
		return fmt.Errorf("checking the peer: %w", err)
	}
	if !peer.Equals(own) {
		return fmt.Errorf("checking the peer: it runs as %s, not %s: %w", peer, own, ErrForeign)
	}
	return nil
}

// processSID returns the user of the process pid. Not being allowed to ask is
// an error, and the peer then somebody else.
func processSID(pid uint32) (*windows.SID, error) {
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return nil, err
	}
	defer func() { _ = windows.CloseHandle(process) }()
	var token windows.Token
	if err := windows.OpenProcessToken(process, windows.TOKEN_QUERY, &token); err != nil {
		return nil, err
	}
	defer token.Close()
	user, err := token.GetTokenUser()
	if err != nil {
		return nil, err
	}
	return user.User.Sid, nil
}
