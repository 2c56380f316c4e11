package socket

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// mountReadOnly makes dir read-only for this process, which runs in a mount
// namespace of its own.
func mountReadOnly(dir string) error {
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
		return err
	}
	return syscall.Mount("none", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
}

func TestLockOnReadOnlyMount(t *testing.T) {
	needRoot(t)
	for name, withFile := range map[string]bool{"with lock file": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			p := newProfile(t)
			if withFile {
				makeLockFile(t, p)
			} else if err := p.MakeDir(); err != nil {
				t.Fatal(err)
			}
			waitOK(t, child(t, "read-only", p.Dir+":mount", &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}))
		})
	}
}

// TestAddressOnReadOnlyFileSystem uses /proc, where no file can be made, as a
// stand-in: the answer of access(2) is what counts.
func TestAddressOnReadOnlyFileSystem(t *testing.T) {
	if !readOnly("/sys") {
		t.Skip("/sys is writable here")
	}
	p := Profile{Dir: "/sys", ID: "0123456789ab"}
	if got := addressIn("", p, true); !strings.HasPrefix(got, "/tmp/o2fa-") || filepath.Base(got) != "0123456789ab.sock" {
		t.Errorf("a read-only profile listens at %s", got)
	}
}
