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
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		list = append(list, ipc.Warning{Code: "ptrace", Message: "other processes of this user may read the daemon's memory: " + err.Error()})
	}
	return list
}
