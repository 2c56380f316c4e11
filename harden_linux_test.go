package o2fa_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestDaemonKeepsItsMemoryToItself runs the real o2fad as an ordinary user and
// looks at what the kernel lets other processes of that user do to it.
func TestDaemonKeepsItsMemoryToItself(t *testing.T) {
	const nobody = 65534
	work, err := os.MkdirTemp("", "o2fa-h") // short, and every user may enter it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(work) })
	home, program := filepath.Join(work, "home"), filepath.Join(work, "o2fad")
	data, err := os.ReadFile(filepath.Join(buildPrograms(t), "o2fad"))
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{os.Chmod(work, 0o755), os.Mkdir(home, 0o700), os.WriteFile(program, data, 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program, "run")
	cmd.Dir = "/"
	cmd.Env = []string{"HOME=" + home, "XDG_RUNTIME_DIR=" + home, "O2FA_KEYSTORE=keyfile"}
	if os.Getuid() == 0 {
		if err := os.Chown(home, nobody, nobody); err != nil {
			t.Fatal(err)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	for deadline := time.Now().Add(patience); ; pause() {
		if _, err := os.Stat(filepath.Join(home, "o2fa", "agent.sock")); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("it never listens: %v", err)
		}
	}

	proc := fmt.Sprintf("/proc/%d", cmd.Process.Pid)
	limits, err := os.ReadFile(proc + "/limits")
	if err != nil || !regexp.MustCompile(`(?m)^Max core file size +0 +0 `).Match(limits) {
		t.Errorf("core dumps are on: %v\n%s", err, limits)
	}
	// A process that is not dumpable, and so cannot be traced or read by its own
	// user, belongs to root in /proc.
	var info unix.Stat_t
	if err := unix.Stat(proc+"/mem", &info); err != nil || info.Uid != 0 {
		t.Errorf("its memory belongs to uid %d, %v", info.Uid, err)
	}
}
