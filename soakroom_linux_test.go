package o2fa_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// soakDisk is the size of the soak's disk, in bytes.
const soakDisk = 128 << 20

// soakClock is the file that says by how many nanoseconds the daemon's clock is
// ahead, beside the directory of the profile's.
const soakClock = "clock"

// soakRest is after which time without a request the daemon rests.
const soakRest = time.Second

// soakRoom returns a directory for the soak, with a directory disk. Root runs it
// as a process of its own, where that is a small disk; then "" is returned.
func soakRoom(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv(envRoom); dir != "" {
		return dir
	}
	dir, err := os.MkdirTemp("", "o2fa-soak") // short: sockets live below it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Mkdir(filepath.Join(dir, "disk"), 0o700); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() != 0 {
		t.Log("left out: a full disk, and the count of open files, since only root can mount and look")
		return dir
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	limit := "0"
	if deadline, ok := t.Deadline(); ok {
		limit = (time.Until(deadline) - 5*time.Second).String()
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.v", "-test.timeout="+limit, "-test.run=^TestSoak$")
	cmd.Env = append(os.Environ(), envRoom+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	var said bytes.Buffer
	cmd.Stdout = io.MultiWriter(t.Output(), &said)
	cmd.Stderr = cmd.Stdout
	// What a killed run leaves.
	t.Cleanup((&soak{T: t, place: &place{programs: filepath.Join(dir, "bin")}}).endDaemons)
	if err := cmd.Run(); err != nil || !bytes.Contains(said.Bytes(), []byte("--- PASS: TestSoak")) {
		t.Errorf("the soak in a process of its own: %v", err)
	}
	return ""
}

// mountSoakDisk makes the directory disk a small disk, where that is possible.
func mountSoakDisk(t *testing.T, dir string) bool {
	t.Helper()
	if os.Getuid() != 0 {
		return false
	}
	disk := filepath.Join(dir, "disk")
	for _, m := range []struct {
		from, to, kind string
		flags          uintptr
		data           string
	}{{"", "/", "", unix.MS_REC | unix.MS_PRIVATE, ""}, {"tmpfs", disk, "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, fmt.Sprintf("size=%d,mode=0700", soakDisk)}} {
		if err := unix.Mount(m.from, m.to, m.kind, m.flags, m.data); err != nil {
			leaveOut(t, fmt.Sprintf("mounting %s: %v", m.to, err)) // a container without the right to
		}
	}
	return true
}

// soakPrograms builds o2fa and o2fad as people get them, but for a clock that
// can be set and a rest that comes soon.
func soakPrograms(t *testing.T, dir string) string {
	t.Helper()
	bin := filepath.Join(dir, "bin")
	overlay := soakOverlay(t, dir, map[string][2]string{
		"daemon/daemon.go": {"cfg.Now = time.Now\n", `cfg.Now = func() time.Time {
			text, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(cfg.Profile.Dir)), "` + soakClock + `"))
			if err != nil {
				panic(err)
			}
			ahead, err := time.ParseDuration(string(text) + "ns")
			if err != nil {
				panic(err)
			}
			return time.Now().Add(ahead)
		}
`},
		"daemon/rest.go": {"const restAfter = 10 * time.Second\n", fmt.Sprintf("const restAfter = %d\n", soakRest)},
	})
	cmd := exec.Command("go", "build", "-trimpath", "-overlay", overlay, "-ldflags", "-s -w -buildid=", "-o", bin+string(filepath.Separator), "./client/o2fa", "./daemon/o2fad")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the programs: %v\n%s", err, out)
	}
	return bin
}

// soakOverlay replaces one text in each of some source files.
func soakOverlay(t *testing.T, dir string, edits map[string][2]string) string {
	t.Helper()
	replace := map[string]string{}
	for name, edit := range edits {
		source, err := filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(text), edit[0]) != 1 {
			t.Fatalf("%s does not say once: %s", name, edit[0])
		}
		copied := filepath.Join(dir, strings.ReplaceAll(name, "/", "-"))
		if err := os.WriteFile(copied, []byte(strings.Replace(string(text), edit[0], edit[1], 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[source] = copied
	}
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
