package socket

import (
	"net"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// whoIs asks for the client of the pipe. Its number may belong to another process
// by then: one that started after the connection was made is not the peer.
func whoIs(conn net.Conn, accepted time.Time) (p Peer) {
	pipe, err := handleOf(conn)
	if err != nil {
		return p
	}
	var pid uint32
	if windows.GetNamedPipeClientProcessId(pipe, &pid) != nil || pid == 0 {
		return p
	}
	p.PID = int(pid)
	seen := Peer{PID: p.PID}
	var parent uint32
	seen.Executable, seen.Started, parent = process(pid)
	if seen.Started.After(accepted.Add(slack)) {
		return p
	}
	// The number of a parent that has ended may be another's: of a younger one.
	if name, started, _ := process(parent); !started.After(seen.Started) {
		seen.Parent = name
	}
	return seen
}

// maxImageName is the longest path that Windows has, in UTF-16 units.
const maxImageName = 1 << 15

// process returns what Windows says of one.
func process(pid uint32) (executable string, started time.Time, parent uint32) {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return "", time.Time{}, 0
	}
	defer func() { _ = windows.CloseHandle(h) }()
	name, size := make([]uint16, maxImageName), uint32(maxImageName)
	if windows.QueryFullProcessImageName(h, 0, &name[0], &size) == nil {
		executable = windows.UTF16ToString(name[:size])
	}
	var created, other windows.Filetime
	if windows.GetProcessTimes(h, &created, &other, &other, &other) == nil {
		started = time.Unix(0, created.Nanoseconds())
	}
	var basic windows.PROCESS_BASIC_INFORMATION
	if windows.NtQueryInformationProcess(h, windows.ProcessBasicInformation, unsafe.Pointer(&basic), uint32(unsafe.Sizeof(basic)), nil) == nil {
		parent = uint32(basic.InheritedFromUniqueProcessId)
	}
	return executable, started, parent
}
