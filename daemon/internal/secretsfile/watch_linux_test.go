package secretsfile

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

const childEnv = "SECRETSFILE_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		err := New(path, Config{}).Run(context.Background(), func() { fmt.Print("l") })
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// TestWatchSleeps lets a process that does nothing but watch be idle and counts
// how often it woke up.
func TestWatchSleeps(t *testing.T) {
	exe, err := os.Executable()
	must(t, err)
	path := filepath.Join(t.TempDir(), "secrets.json")
	child := exec.Command(exe)
	child.Env = append(os.Environ(), childEnv+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	defer func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	}()
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	// The runtime's own threads take a moment to lie down: wait for the first
	// second without a switch, but not for ever.
	before := switches(t, child.Process.Pid)
	for range 10 {
		<-time.After(time.Second)
		now := switches(t, child.Process.Pid)
		if now-before <= 1 {
			return
		}
		before = now
	}
	t.Error("the watcher woke up in each of ten idle seconds")
}

// switches returns how often the threads of pid have given up the processor.
func switches(t *testing.T, pid int) (total int) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	must(t, err)
	for _, file := range files {
		status, err := os.ReadFile(file)
		must(t, err)
		_, after, _ := bytes.Cut(status, []byte("\nvoluntary_ctxt_switches:"))
		line, _, _ := bytes.Cut(after, []byte("\n"))
		n, err := strconv.Atoi(string(bytes.TrimSpace(line)))
		must(t, err)
		total += n
	}
	return total
}
