//go:build unix

package atomicfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// childEnv carries the path on which a copy of this test binary works.
const childEnv = "ATOMICFILE_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		writeForever(path)
	}
	os.Exit(m.Run())
}

// versions are the two contents between which writeForever alternates.
func versions() [2][]byte {
	return [2][]byte{bytes.Repeat([]byte("a"), 200_000), bytes.Repeat([]byte("b"), 150_000)}
}

// writeForever replaces path until it is killed, and prints a byte after each
// success.
func writeForever(path string) {
	v := versions()
	for i := 0; ; i++ {
		if err := WriteFile(path, v[i%2], 0o600); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if _, err := os.Stdout.Write([]byte{byte(i % 2)}); err != nil {
			os.Exit(1)
		}
	}
}

func TestRefusesWhatIsNotRegular(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	at := func(name string) string { return filepath.Join(dir, name) }
	sock, err := net.Listen("unix", at("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	err = errors.Join(
		os.WriteFile(target, []byte("old"), 0o600),
		os.Symlink(target, at("link")),
		os.Symlink(at("nowhere"), at("dangling")),
		syscall.Mkfifo(at("pipe"), 0o600),
		os.Mkdir(at("directory"), 0o700))
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{at("link"), at("dangling"), at("pipe"), at("directory"), at("socket"), "/dev/null"} {
		if err := WriteFile(path, []byte("new"), 0o600); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%s: WriteFile: %v", path, err)
		}
		if err := Replace(target, path); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%s: Replace over it: %v", path, err)
		}
		if err := Replace(path, at("new")); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%s: Replace by it: %v", path, err)
		}
	}
	after, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("directory changed from %v to %v", before, after)
	}
	wantContent(t, target, "old")
}

// TestLinkedDirectory: only the last element of the path must be real; a
// profile below a linked directory is a common thing.
func TestLinkedDirectory(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := errors.Join(os.Mkdir(real, 0o700), os.Symlink(real, link)); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(filepath.Join(link, "f"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantContent(t, filepath.Join(real, "f"), "x")
}

// TestKillLeavesOldOrNew kills a writer with SIGKILL at random instants. The
// file must always be one of the two contents, and never older than the last
// write that the child reported.
func TestKillLeavesOldOrNew(t *testing.T) {
	seed := uint64(os.Getpid())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	path := filepath.Join(t.TempDir(), "f")
	v := versions()
	for round := range 25 {
		reported := killWriter(t, path, rng.IntN(20), rng.IntN(1<<16))
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		switch {
		case bytes.Equal(got, v[reported]): // the last acknowledged write
		case bytes.Equal(got, v[1-reported]): // or the one under way
		default:
			t.Fatalf("round %d: torn file of %d bytes", round, len(got))
		}
	}
}

// killWriter starts a child that writes path forever and kills it after writes
// reports and a while of spinning, so that the kill meets any step of a write.
// It returns the version of the last report.
func killWriter(t *testing.T, path string, writes, spin int) byte {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(exe)
	child.Env = append(os.Environ(), childEnv+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	for range writes + 1 {
		if _, err := r.ReadByte(); err != nil {
			t.Fatalf("reading the child's report: %v", err)
		}
	}
	for range spin {
		_ = os.Getppid()
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // killed: that is the point
	return byte((writes + len(rest)) % 2)
}

// TestOrderOfSystemCalls watches a real write from outside: mode before
// content, content synced before the name changes, directory synced after.
func TestOrderOfSystemCalls(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("needs strace")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	log, path := filepath.Join(dir, "log"), filepath.Join(dir, "f")
	ready, cmdOut := io.Pipe()
	cmd := exec.Command(strace, "-f", "-o", log, "-e", "signal=none",
		"-e", "trace=openat,fchmod,write,fsync,rename,renameat,renameat2", exe)
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	cmd.Stdout, cmd.Stderr = cmdOut, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, err = ready.Read(make([]byte, 1)) // one write is done
	ready.Close()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	_ = cmd.Wait()
	if err != nil {
		t.Fatal(err)
	}
	trace, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	wantInOrder(t, string(trace), ".o2fa-", "fchmod(", `"aaaa`, "fsync(", "rename", `"`+dir+`"`, "fsync(")
}

// wantInOrder fails unless the marks occur in text one after the other.
func wantInOrder(t *testing.T, text string, marks ...string) {
	t.Helper()
	rest := text
	for _, mark := range marks {
		_, after, found := strings.Cut(rest, mark)
		if !found {
			t.Fatalf("%q is missing or too early in\n%s", mark, text)
		}
		rest = after
	}
}
