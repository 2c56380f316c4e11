package socket

import (
	"bytes"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// whoIs asks the kernel's tables. A number may belong to another process by
// then: one that started after the connection was made is not the peer.
func whoIs(conn net.Conn, accepted time.Time) (p Peer) {
	uc, ok := conn.(*net.UnixConn)
	if !ok {
		return p
	}
	raw, err := uc.SyscallConn()
	if err != nil {
		return p
	}
	err = raw.Control(func(fd uintptr) {
		p.PID, _ = unix.GetsockoptInt(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERPID)
	})
	if err != nil || p.PID <= 0 {
		return Peer{}
	}
	seen := Peer{PID: p.PID}
	parent := 0
	seen.Executable, seen.Started, parent = process(p.PID)
	if parent > 1 { // 1 has taken orphans in
		seen.Parent, _, _ = process(parent)
	}
	if seen.Started.After(accepted.Add(slack)) {
		return p
	}
	return seen
}

// process returns what the kernel says of one: its name, unless it tells the path.
func process(pid int) (executable string, started time.Time, parent int) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(info.Proc.P_pid) != pid {
		return "", time.Time{}, 0
	}
	name, _, _ := bytes.Cut(info.Proc.P_comm[:], []byte{0})
	executable = string(name)
	if path := executablePath(pid); path != "" {
		executable = path
	}
	return executable, time.Unix(info.Proc.P_starttime.Unix()), int(info.Eproc.Ppid)
}

// executablePath takes the path from the process's arguments, before which it
// stands. They and its environment come along, and are wiped.
func executablePath(pid int) string {
	args, err := unix.SysctlRaw("kern.procargs2", pid)
	defer clear(args)
	const count = 4 // the number of arguments
	if err != nil || len(args) < count {
		return ""
	}
	path, _, _ := bytes.Cut(args[count:], []byte{0})
	return string(path)
}
