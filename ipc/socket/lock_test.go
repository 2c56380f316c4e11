//go:build unix

package socket

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// startAndWaitFor starts cmd, which ends with the test, and waits for a line.
func startAndWaitFor(t *testing.T, cmd *exec.Cmd, line string) *bufio.Scanner {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); cmd.Process.Kill(); cmd.Wait() })
	lines := bufio.NewScanner(out)
	if lines.Scan(); lines.Text() != line {
		t.Fatalf("child said %q, want %q", lines.Text(), line)
	}
	return lines
}

func makeLockFile(t *testing.T, p Profile) {
	t.Helper()
	l, err := AcquireLock(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestLock(t *testing.T) {
	p := newProfile(t)
	if _, held, err := ReadLock(p); held || err != nil {
		t.Fatalf("before the directory exists: %v, %v", held, err)
	}
	if err := p.MakeDir(); err != nil {
		t.Fatal(err)
	}
	if _, held, err := ReadLock(p); held || err != nil {
		t.Fatalf("before the file exists: %v, %v", held, err)
	}
	l, err := AcquireLock(p)
	if err != nil {
		t.Fatal(err)
	}
	if info, held, err := ReadLock(p); info != (LockInfo{}) || !held || err != nil {
		t.Fatalf("before the first Write: %v, %v, %v", info, held, err)
	}
	long := LockInfo{PID: 1 << 30, Release: strings.Repeat("9", 100), API: 7, Socket: "/somewhere", Started: time.Unix(1e9, 0).UTC()}
	short := LockInfo{PID: 7, Release: "1.0.0", API: 1, Socket: "/s", Started: time.Unix(2e9, 0).UTC()}
	for _, want := range []LockInfo{long, short} {
		if err := l.Write(want); err != nil {
			t.Fatal(err)
		}
		if info, held, err := ReadLock(p); info != want || !held || err != nil {
			t.Errorf("ReadLock = %v, %v, %v", info, held, err)
		}
	}
	var held *HeldError
	if _, err := AcquireLock(p); !errors.As(err, &held) || !errors.Is(err, ErrHeld) || held.Info != short {
		t.Errorf("a second AcquireLock: %v", err)
	}
	if info, err := os.Stat(p.LockFile()); err != nil || info.Mode() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, held, err := ReadLock(p); held || err != nil {
		t.Errorf("after Close: %v, %v", held, err)
	}
	makeLockFile(t, p) // can be had again
}

func TestLockEndsWithItsProcess(t *testing.T) {
	p := newProfile(t)
	cmd := child(t, "hold", p.Dir, nil)
	startAndWaitFor(t, cmd, "held")
	info, held, err := ReadLock(p)
	if err != nil || !held || info.PID != cmd.Process.Pid {
		t.Fatalf("ReadLock = %v, %v, %v", info, held, err)
	}
	if _, err := AcquireLock(p); !errors.Is(err, ErrHeld) {
		t.Errorf("while it lives: %v", err)
	}
	cmd.Process.Signal(syscall.SIGKILL)
	cmd.Process.Wait()
	makeLockFile(t, p)
}

func TestLockFileIsOnlyAHint(t *testing.T) {
	p := newProfile(t)
	l, err := AcquireLock(p)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, content := range []string{
		"", "\n", "{", `{"pid":12,"socket":"/so`, `{"pid":12}`, "null\n", "[1]\n", `{"pid":"x"}` + "\n", `{"pid":-1}` + "\n",
		"\x00\xff\n", strings.Repeat(" ", maxLockInfo) + `{"pid":1}` + "\n",
	} {
		if err := os.WriteFile(p.LockFile(), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if info, held, err := ReadLock(p); info != (LockInfo{}) || !held || err != nil {
			t.Errorf("%.20q: %v, %v, %v", content, info, held, err)
		}
	}
	// A shorter line was written, the rest of the longer one is not cut yet.
	os.WriteFile(p.LockFile(), []byte(`{"pid":5}`+"\n"+`","started":"x"}`+"\n"), 0o600)
	if info, _, err := ReadLock(p); info.PID != 5 || err != nil {
		t.Errorf("the first line counts: %v, %v", info, err)
	}
}

// TestReadersNeverLookLikeADaemon takes the lock again and again while others
// look whether it is held, and wants neither a false ErrHeld nor a torn line.
func TestReadersNeverLookLikeADaemon(t *testing.T) {
	p := newProfile(t)
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	var looks atomic.Int64
	for range 4 {
		group.Go(func() {
			for ctx.Err() == nil {
				if _, _, err := ReadLock(p); err != nil {
					t.Errorf("ReadLock: %v", err)
					return
				}
				looks.Add(1)
			}
		})
	}
	await(t, "readers", func() bool { return looks.Load() > 100 })
	for i := range 300 {
		l, err := AcquireLock(p)
		if err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		if err := l.Write(LockInfo{PID: i + 1}); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOneHolder lets many ask at once, and some of them remove the file.
func TestOneHolder(t *testing.T) {
	p := newProfile(t)
	var holders, turns atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for turns.Load() < 200 {
				l, err := AcquireLock(p)
				if errors.Is(err, ErrHeld) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d hold the lock", n)
				}
				turns.Add(1)
				holders.Add(-1)
				os.Remove(p.LockFile()) // as a person might, just before the daemon ends
				l.Close()
			}
		})
	}
	group.Wait()
}

func TestLockFileMustBeOurs(t *testing.T) {
	spoil := func(name string, make func(path string)) {
		p := newProfile(t)
		if err := p.MakeDir(); err != nil {
			t.Fatal(err)
		}
		make(p.LockFile())
		if l, err := AcquireLock(p); err == nil || errors.Is(err, ErrHeld) {
			t.Errorf("%s: AcquireLock = %v, %v", name, l, err)
		}
		if _, held, err := ReadLock(p); held || err == nil {
			t.Errorf("%s: ReadLock = %v, %v", name, held, err)
		}
	}
	spoil("a link", func(path string) { os.Symlink("/dev/null", path) })
	spoil("a fifo", func(path string) { syscall.Mkfifo(path, 0o600) })
	spoil("a directory", func(path string) { os.Mkdir(path, 0o700) })
	t.Run("foreign", func(t *testing.T) {
		needRoot(t)
		spoil("foreign", func(path string) {
			os.WriteFile(path, nil, 0o666)
			os.Chown(path, nobody, nobody)
		})
	})
}

// TestLockWithoutWriteAccess is the read-only file system for those who cannot
// mount one: a directory without write permission, seen by somebody who is not
// root.
func TestLockWithoutWriteAccess(t *testing.T) {
	for name, withFile := range map[string]bool{"with lock file": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			dir := publicDir(t) + "/profile"
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			file := dir + "/o2fad.lock"
			if withFile {
				os.WriteFile(file, nil, 0o400)
			}
			var attr *syscall.SysProcAttr
			if os.Geteuid() == 0 {
				attr = asNobody()
				os.Chown(dir, nobody, nobody)
				if withFile {
					os.Chown(file, nobody, nobody)
				}
			}
			os.Chmod(dir, 0o500)
			defer os.Chmod(dir, 0o700)
			waitOK(t, child(t, "read-only", dir, attr))
		})
	}
}

// FuzzLockInfo wants whatever stands in the file to be a LockInfo of a live
// process or nothing at all.
func FuzzLockInfo(f *testing.F) {
	f.Add([]byte(`{"pid":7,"release":"1.0.0","api":1,"socket":"/s","started":"2026-01-01T00:00:00Z"}` + "\n"))
	f.Add([]byte(`{"pid":7}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := os.Create(t.TempDir() + "/lock")
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := file.Write(content); err != nil {
			t.Fatal(err)
		}
		if info := readInfo(file); info != (LockInfo{}) && info.PID <= 0 {
			t.Errorf("%+v", info)
		}
	})
}
