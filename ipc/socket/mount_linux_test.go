package socket

import (
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
