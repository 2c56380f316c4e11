package daemon

import (
	"context"
	"strings"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// timeHint is how the clock gets set by the network.
const timeHint = "Settings, Time and language: set the time automatically; or w32tm /resync"

// timeIsSet reads how the time service of Windows is set up.
func timeIsSet(context.Context, func(string) string) (set, known bool, how string) {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, `SYSTEM\CurrentControlSet\Services\W32Time\Parameters`, registry.QUERY_VALUE)
	if err != nil {
		return false, false, ""
	}
	defer key.Close()
	kind, _, err := key.GetStringValue("Type")
	if err != nil {
		return false, false, ""
	}
	return !strings.EqualFold(kind, "NoSync"), true, "w32time"
}

// freeSpace returns how many bytes this user may still write below dir.
func freeSpace(dir string) (free uint64, err error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	err = windows.GetDiskFreeSpaceEx(name, &free, nil, nil)
	return free, err
}
