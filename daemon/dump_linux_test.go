package daemon_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const nobody = 65534

// dumpVariable makes this test binary a process that tries to read another one's
// memory, as gcore and debuggers do.
const dumpVariable = "O2FA_TEST_DUMP"

// TestDumper is no test: it is the process that TestNoDumpByTheSameUser starts.
func TestDumper(*testing.T) {
	pid, err := strconv.Atoi(os.Getenv(dumpVariable))
	if err != nil {
		return
	}
	var victim *exec.Cmd
	if pid == 0 { // one of its own, to show that it can
		victim = exec.Command("sleep", "60")
		if err := victim.Start(); err != nil {
			fmt.Println("sleep:", err)
			return
		}
		pid = victim.Process.Pid
	}
	fmt.Println("mem:", readSome(pid))
	fmt.Println("attach:", attach(pid))
	fmt.Println("maps:", errorOf(os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))))
	fmt.Println("environ:", errorOf(os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))))
	fmt.Println("fd:", errorOf(os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))))
	fmt.Println("vm:", remoteRead(pid))
	if victim != nil {
		_ = victim.Process.Kill()
		_ = victim.Wait()
	}
}

func errorOf[T any](_ T, err error) error { return err }

func readSome(pid int) error {
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return err
	}
	defer mem.Close()
	maps, err := mappings(pid)
	if err == nil {
		_, err = mem.ReadAt(make([]byte, 16), maps[0].from)
	}
	return err
}

func attach(pid int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.PtraceAttach(pid); err != nil {
		return err
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, 0, nil); err != nil {
		return err
	}
	return unix.PtraceDetach(pid)
}

// remoteRead tries process_vm_readv at the place where programs without a
// position of their own begin.
func remoteRead(pid int) error {
	buf := make([]byte, 16)
	_, err := unix.ProcessVMReadv(pid, []unix.Iovec{{Base: &buf[0], Len: 16}}, []unix.RemoteIovec{{Base: 0x400000, Len: 16}}, 0)
	if errors.Is(err, unix.EFAULT) {
		return nil // it may, and nothing is there
	}
	return err
}

// TestNoDumpByTheSameUser lets a process of the daemon's own user read its memory,
// in every way that the kernel offers: before a lock and after it, since the next
// image has to protect itself anew.
func TestNoDumpByTheSameUser(t *testing.T) {
	needRoot(t)
	p := newPrograms(t)
	p.as(nobody)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.bin, "dumper"), data, 0o755); err != nil {
		t.Fatal(err)
	}
	dump := func(pid int) string {
		t.Helper()
		cmd := p.command("dumper", "-test.run=^TestDumper$", "-test.v")
		cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", dumpVariable, pid))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	ways := []string{"mem", "attach", "maps", "environ", "fd", "vm"}
	own := dump(0)
	for _, way := range ways {
		if !strings.Contains(own, way+": <nil>\n") {
			t.Fatalf("%s does not work on a process of its own, so this test shows nothing:\n%s", way, own)
		}
	}
	p.run("init")
	p.pipe("JBSWY3DPEHPK3PXP\n", "add", "-", "name")
	for _, when := range []string{"open", "locked"} {
		got := dump(p.pid())
		for _, way := range ways {
			if !strings.Contains(got, way+": ") || strings.Contains(got, way+": <nil>") {
				t.Errorf("%s: %s works:\n%s", when, way, got)
			}
		}
		limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", p.pid()))
		if err != nil || !strings.Contains(strings.Join(strings.Fields(string(limits)), " "), "Max core file size 0 0") {
			t.Errorf("%s: core dumps are on: %v\n%s", when, err, limits)
		}
		p.run("lock")
	}
}

// TestNoLockedMemory runs the daemon where it may lock no memory: it serves all the
// same, and says what that means.
func TestNoLockedMemory(t *testing.T) {
	needRoot(t)
	p := newPrograms(t)
	p.as(nobody)
	cmd := p.command("o2fad", "run")
	cmd.Args = append([]string{"sh", "-c", `ulimit -l 0; exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.stop(); _ = cmd.Wait() })
	p.await()
	p.run("init")
	if status := p.run("status"); !strings.Contains(status, "may be written to swap") {
		t.Errorf("no warning in\n%s", status)
	}
	p.run("lock")
	if status := p.run("status"); strings.Contains(status, "may be written to swap") {
		t.Errorf("a warning about a key that is not there:\n%s", status)
	}
}
