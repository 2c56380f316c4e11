//go:build unix

package socket

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

const homeVariable = "HOME"

// Bounds of a socket's path, in bytes. The kernel's are 108 on Linux and 104 on
// macOS, the closing zero byte included.
const (
	maxDerived = 100 // a longer one of our own choosing moves to /tmp
	maxSocket  = 103 // a longer O2FA_SOCKET works nowhere
)

// accessWrite is W_OK of access(2).
const accessWrite = 2

// identity returns the spelling of dir that its id is made from.
func identity(dir string) string { return dir }

// absolute is filepath.Abs without its cleaning: to take link/.. out before the
// link is followed changes what a path names.
func absolute(path string) (string, error) {
	if filepath.IsAbs(path) {
		return path, nil
	}
	wd, err := os.Getwd()
	return wd + "/" + path, err
}

// checkAddress makes an O2FA_SOCKET absolute.
func checkAddress(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err == nil && len(path) > maxSocket {
		err = fmt.Errorf("%s has %d bytes, a socket's path at most %d", envSocket, len(path), maxSocket)
	}
	return path, err
}

// address returns where the daemon of p listens.
func address(p Profile, usual bool) (string, error) {
	return addressIn(runtimeDir(p.getenv), p, usual), nil
}

// addressIn is address for a user whose runtime directory is known, or "".
func addressIn(runtimeDir string, p Profile, usual bool) string {
	name := "agent.sock"
	if !usual {
		name = "agent-" + p.ID + ".sock"
	}
	path := ""
	if runtimeDir != "" {
		path = filepath.Join(runtimeDir, "o2fa", name)
	} else if !readOnly(p.Dir) {
		path = filepath.Join(p.Dir, "run", name)
	}
	if path == "" || len(path) > maxDerived {
		// Not os.TempDir: TMPDIR often differs between a terminal and a service.
		path = fmt.Sprintf("/tmp/o2fa-%d/%s.sock", os.Geteuid(), p.ID)
	}
	return path
}

// runtimeDir returns the directory that Linux keeps for a user's sockets, or
// nothing. One of somebody else, as su without a login leaves it in the
// environment, does not count.
func runtimeDir(getenv func(string) string) string {
	if runtime.GOOS != "linux" {
		return ""
	}
	for _, dir := range []string{getenv(envRuntime), "/run/user/" + strconv.Itoa(os.Geteuid())} {
		if !filepath.IsAbs(dir) {
			continue
		}
		info, err := os.Stat(dir)
		if err == nil && info.IsDir() && owner(info) == os.Geteuid() {
			return dir
		}
	}
	return ""
}

// readOnly reports that dir lies on a file system where no socket can be made.
func readOnly(dir string) bool {
	return errors.Is(syscall.Access(dir, accessWrite), syscall.EROFS)
}
