package socket

import (
	"bytes"
	"errors"
	"net"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// whoIs reads /proc. A number is free for another process as soon as its own
// has ended, so the kernel is asked for a handle of the peer, too (Linux 6.5):
// while that one lives, what stands under its number is of no other. An older
// kernel leaves the start to go by, which must not be after the connection.
func whoIs(conn net.Conn, accepted time.Time) (p Peer) {
	uc, ok := conn.(*net.UnixConn)
	if !ok {
		return p
	}
	raw, err := uc.SyscallConn()
	if err != nil {
		return p
	}
	handle := -1
	err = raw.Control(func(fd uintptr) {
		if cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			p.PID = int(cred.Pid)
		}
		if h, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PEERPIDFD); err == nil {
			handle = h
		}
	})
	if handle >= 0 {
		defer unix.Close(handle)
	}
	if err != nil || p.PID <= 0 { // 0 is a process of another namespace
		return Peer{}
	}
	seen := Peer{PID: p.PID}
	parent := 0
	seen.Executable, seen.Started, parent = process(p.PID)
	if parent > 1 { // 1 has taken orphans in
		if seen.Parent = image(parent); seen.Parent == "" {
			seen.Parent, _ = stat(parent)
		}
	}
	if handle >= 0 && ended(handle) || seen.Started.After(accepted.Add(slack)) {
		return p // what was read may be of the next one with that number
	}
	return seen
}

// ended says whether the process of a handle has ended.
func ended(handle int) bool {
	fds := []unix.PollFd{{Fd: int32(handle), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, 0)
		if !errors.Is(err, unix.EINTR) {
			return err != nil || n > 0
		}
	}
}

// Fields of /proc/PID/stat behind the name, which ends with the last bracket.
const (
	statParent  = 1
	statStarted = 19 // in ticks since the machine was started
	ticks       = 100
)

// process returns what /proc says of one.
func process(pid int) (executable string, started time.Time, parent int) {
	name, fields := stat(pid)
	if len(fields) <= statStarted {
		return "", time.Time{}, 0
	}
	parent, _ = strconv.Atoi(string(fields[statParent]))
	if n, err := strconv.ParseInt(string(fields[statStarted]), 10, 64); err == nil {
		started = sinceBoot(time.Duration(n) * time.Second / ticks)
	}
	if executable = image(pid); executable == "" {
		executable = name
	}
	return executable, started, parent
}

// image returns the executable of a process; none where it may not be read, as
// that of one that is not dumpable.
func image(pid int) string {
	var path [unix.PathMax]byte
	n, err := unix.Readlink("/proc/"+strconv.Itoa(pid)+"/exe", path[:])
	if err != nil {
		return ""
	}
	return string(path[:n])
}

// stat returns the name of a process, and what follows it in /proc/PID/stat.
func stat(pid int) (name string, fields [][]byte) {
	// Not os.ReadFile, which asks four times as much of the kernel.
	fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/stat", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", nil
	}
	defer unix.Close(fd)
	var buf [1 << 10]byte // three times as much as it can be
	n, err := unix.Read(fd, buf[:])
	if err != nil {
		return "", nil
	}
	line := bytes.Clone(buf[:n])
	from, to := bytes.IndexByte(line, '('), bytes.LastIndexByte(line, ')')
	if from < 0 || to < from {
		return "", nil
	}
	return string(line[from+1 : to]), bytes.Fields(line[to+1:])
}

// sinceBoot is the time so long after the machine was started. The clock may have
// been set since; then it is the time that it would be now.
func sinceBoot(d time.Duration) time.Time {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return time.Time{}
	}
	return time.Now().Add(d - time.Duration(now.Nano())).Round(0)
}
