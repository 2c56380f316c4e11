//go:build unix

package cli

import (
	"os"
	"strconv"
	"syscall"

	"github.com/o2fa/o2fa/internal/command"
)

// accessOf looks at owner and mode of a file, or of what a link leads to.
func accessOf(path string) (a access, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return a, err
	}
	mode := info.Mode().Perm()
	private := "600 "
	if info.IsDir() {
		private = "700 "
	}
	a = access{read: mode&0o044 != 0, change: mode&0o022 != 0, enter: mode&0o011 != 0, mend: "chmod " + private + command.Quote(path)}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		a.foreign = "user " + strconv.Itoa(int(stat.Uid))
		a.mend = "sudo chown " + strconv.Itoa(os.Geteuid()) + " " + command.Quote(path)
	}
	return a, nil
}
