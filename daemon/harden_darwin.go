package daemon

import (
	"github.com/o2fa/o2fa/ipc"
	"golang.org/x/sys/unix"
)

// Harden keeps this process's memory out of core dumps and away from debuggers
// of the same user. It is the first act of o2fad, before any key or
// configuration is read. What could not be done is returned, to show in status.
func Harden() []ipc.Warning {
	var list []ipc.Warning
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		list = append(list, ipc.Warning{Code: "core_dumps", Message: "core dumps could not be switched off: " + err.Error()})
	}
	if err := unix.PtraceDenyAttach(); err != nil {
		list = append(list, ipc.Warning{Code: "ptrace", Message: "debuggers of this user may attach to the daemon: " + err.Error()})
	}
	return list
}
