package atomicfile

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// inMountNamespace runs the calling test again in a child that has its own
// mounts, which vanish with it, and returns false there. Who is not root gets a
// user namespace in which they are.
func inMountNamespace(t *testing.T) (parent bool) {
	t.Helper()
	const env = "ATOMICFILE_TEST_NAMESPACE"
	if os.Getenv(env) == t.Name() {
		// A mount made here must not spread to the rest of the machine.
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			t.Fatal(err)
		}
		return false
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(exe, "-test.run=^"+t.Name()+"$", "-test.v")
	child.Env = append(os.Environ(), env+"="+t.Name())
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		child.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		child.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		child.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := child.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		t.Skipf("needs a mount namespace: %v", err)
	}
	if err != nil || bytes.Contains(out, []byte("no tests to run")) {
		t.Fatalf("in the namespace: %v\n%s", err, out)
	}
	return true
}

func TestDiskFull(t *testing.T) {
	if inMountNamespace(t) {
		return
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	path := filepath.Join(dir, "f")
	if err := WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := WriteFile(path, bytes.Repeat([]byte("n"), 1<<20), 0o600)
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
	wantContent(t, path, "old")
	wantNames(t, dir, "f")
	if err := WriteFile(path, []byte("new"), 0o600); err != nil {
		t.Errorf("after the temporary file went there is room again: %v", err)
	}
}

func TestReadOnlyFileSystem(t *testing.T) {
	if inMountNamespace(t) {
		return
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	if err := unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, []byte("new"), 0o600); !errors.Is(err, syscall.EROFS) {
		t.Errorf("got %v", err)
	}
	wantContent(t, path, "old")
}

// asNobody runs f on a thread that is a stranger to the file system: root may
// write anywhere. The thread is never given back, so it ends with f.
func asNobody(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if os.Getuid() == 0 {
			if _, err := unix.SetfsuidRetUid(65534); err != nil {
				done <- err
				return
			}
		}
		done <- f()
	}()
	return <-done
}

func TestReadOnlyDirectory(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o555); err != nil {
			t.Fatal(err)
		}
	}
	defer os.Chmod(dir, 0o755)
	defer os.Chmod(filepath.Dir(dir), 0o755)
	err := asNobody(func() error { return WriteFile(path, []byte("new"), 0o600) })
	if !errors.Is(err, syscall.EACCES) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	wantContent(t, path, "old")
	wantNames(t, dir, "f")
}
