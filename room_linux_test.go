package o2fa_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// nobody is a user id that no user has, so that the programs under test have no
// rights beyond what the room gives them: root would neither meet a read-only
// mode nor the end of a disk's reserve.
const nobody = 12345

// smallDisk is the size of the room's full disk, in bytes.
const smallDisk = 512 << 10

// tightDisk is the size of the disk on which backups have room at first, in bytes.
const tightDisk = 4 << 20

// Environment of the test binary on its way into a room.
const (
	envRoom  = "O2FA_TEST_ROOM"  // the room's directory
	envStage = "O2FA_TEST_STAGE" // enter, as root in a mount namespace of its own; then inside
)

// room is where a fault can be arranged without touching the machine: a mount
// namespace of one process, with a small disk and a read-only view.
type room struct {
	dir   string // for everything else
	small string // a file system of smallDisk bytes
	tight string // one of tightDisk bytes
	open  string // a directory that can be written
	view  string // the same directory, mounted read-only
}

// house prepares rooms for the test, or skips it.
func house(t *testing.T) (inRoom func(*testing.T, func(*testing.T, *room))) {
	t.Helper()
	switch os.Getenv(envStage) {
	case "enter":
		return func(t *testing.T, _ func(*testing.T, *room)) { enterRoom(t, roomAt(os.Getenv(envRoom))) }
	case "inside":
		return func(t *testing.T, run func(*testing.T, *room)) { run(t, roomAt(os.Getenv(envRoom))) }
	}
	if os.Getuid() != 0 {
		leaveOut(t, "only root can mount file systems and run as another user")
	}
	// Not t.TempDir: sockets live below it.
	dir, err := os.MkdirTemp("", "o2fa-room")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	built := buildPrograms(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]string{
		"test": self, "o2fa": filepath.Join(built, "o2fa"), "o2fad": filepath.Join(built, "o2fad"), apiDocument: "docs/" + apiDocument,
	} {
		copyProgram(t, from, filepath.Join(dir, name))
	}
	return func(t *testing.T, _ func(*testing.T, *room)) { sendInside(t, dir) }
}

func roomAt(dir string) *room {
	in := func(name string) string { return filepath.Join(dir, name) }
	return &room{dir: dir, small: in("small"), tight: in("tight"), open: in("open"), view: in("view")}
}

// copyProgram copies what the other user shall run, and gives it to him: a
// program inside /root, or in a directory of go test, is out of his reach.
func copyProgram(t *testing.T, from, to string) {
	t.Helper()
	r, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, r); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(to, nobody, nobody); err != nil {
		t.Fatal(err)
	}
}

// sendInside runs this very test once more, in a room.
func sendInside(t *testing.T, house string) {
	t.Helper()
	dir, err := os.MkdirTemp(house, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "small", "tight", "open", "view", "tmp"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(house, "test"), "-test.v", "-test.timeout=100s", "-test.run=^"+
		strings.ReplaceAll(t.Name(), "/", "$/^")+"$")
	cmd.Dir = house
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + filepath.Join(dir, "tmp"), "O2FA_TEST_STRICT=" + os.Getenv("O2FA_TEST_STRICT"),
		envRoom + "=" + dir, envStage + "=enter", envPrograms + "=" + house}
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	switch {
	case bytes.Contains(out, []byte("--- SKIP")):
		leaveOut(t, string(out))
	case err != nil || !bytes.Contains(out, []byte("--- PASS")):
		t.Errorf("%v\n%s", err, out)
	default:
		t.Logf("%s", out)
	}
}

// enterRoom mounts what the room has, gives up root and starts the test anew.
func enterRoom(t *testing.T, r *room) {
	// D-Bus knows nobody who is not in the list of users.
	users, err := os.ReadFile("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	listed := filepath.Join(r.dir, "passwd")
	if err := os.WriteFile(listed, fmt.Appendf(users, "o2fa-test:x:%d:%d::/nonexistent:/bin/false\n", nobody, nobody), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct {
		from, to, kind string
		flags          uintptr
		data           string
	}{
		{"tmpfs", r.small, "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, fmt.Sprintf("size=%d,mode=0700,uid=%d,gid=%d", smallDisk, nobody, nobody)},
		{"tmpfs", r.tight, "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, fmt.Sprintf("size=%d,mode=0700,uid=%d,gid=%d", tightDisk, nobody, nobody)},
		{listed, "/etc/passwd", "", unix.MS_BIND, ""},
		{r.open, r.view, "", unix.MS_BIND, ""},
		{"", r.view, "", unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY, ""},
	} {
		if err := unix.Mount(m.from, m.to, m.kind, m.flags, m.data); err != nil {
			leaveOut(t, fmt.Sprintf("mounting %s: %v", m.to, err)) // a container without the right to
		}
	}
	if err := syscall.Setgroups(nil); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setgid(nobody); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setuid(nobody); err != nil {
		t.Fatal(err)
	}
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, envStage+"=") {
			env = append(env, v)
		}
	}
	t.Fatal(syscall.Exec(os.Args[0], os.Args, append(env, envStage+"=inside")))
}

// place returns a place whose profile is in dir.
func (r *room) place(t *testing.T, dir string) *place {
	t.Helper()
	if os.Getuid() != nobody {
		t.Fatalf("the room is for user %d, this is %d", nobody, os.Getuid())
	}
	home, err := os.MkdirTemp(r.dir, "h")
	if err != nil {
		t.Fatal(err)
	}
	return newPlaceIn(t, home, filepath.Join(dir, "p"))
}
