package daemon_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/o2fa/o2fa/ipc/socket"
)

// patience is how long a test waits for something that takes milliseconds.
const patience = 30 * time.Second

// programs are the real o2fa and o2fad with a home of their own: what a process
// does to itself can be seen from outside alone.
type programs struct {
	t    *testing.T
	bin  string
	home string
	uid  int // who runs them; ours if zero
	env  []string
}

// newPrograms installs the programs for one test.
func newPrograms(t *testing.T) *programs {
	t.Helper()
	built, err := buildPrograms()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "o2fa-p") // short, and every user may enter it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &programs{t: t, bin: dir, home: filepath.Join(dir, "home")}
	for _, err := range []error{os.Chmod(dir, 0o755), os.Mkdir(p.home, 0o700)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range built {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p.env = []string{"HOME=" + p.home, "XDG_RUNTIME_DIR=" + p.home, "O2FA_KEYSTORE=keyfile", "PATH=" + os.Getenv("PATH")}
	t.Cleanup(p.stop)
	return p
}

// buildPrograms builds o2fa and o2fad once.
var buildPrograms = sync.OnceValues(func() (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "o2fa-built")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	cmd := exec.Command("go", "build", "-o", dir+"/", "../client/o2fa", "./o2fad")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the programs: %w\n%s", err, out)
	}
	files := map[string][]byte{}
	for _, name := range []string{"o2fa", "o2fad"} {
		if files[name], err = os.ReadFile(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	return files, nil
})

// as makes another user run the programs, where we can do that.
func (p *programs) as(uid int) {
	p.t.Helper()
	if os.Getuid() != 0 {
		return
	}
	if err := os.Chown(p.home, uid, uid); err != nil {
		p.t.Fatal(err)
	}
	p.uid = uid
}

// command returns a program, ready to run.
func (p *programs) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, name), args...)
	cmd.Dir, cmd.Env = "/", p.env
	if p.uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(p.uid), Gid: uint32(p.uid)}}
	}
	return cmd
}

// run runs o2fa, which must succeed, and returns what it prints.
func (p *programs) run(args ...string) string {
	p.t.Helper()
	return p.pipe("", args...)
}

// pipe is run with something on standard input.
func (p *programs) pipe(input string, args ...string) string {
	p.t.Helper()
	out, err := p.try(input, args...)
	if err != nil {
		p.t.Fatalf("o2fa %q: %v\n%s", args, err, out)
	}
	return out
}

// try is pipe for a command that may fail.
func (p *programs) try(input string, args ...string) (string, error) {
	cmd := p.command("o2fa", args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// profile returns where the programs are at home.
func (p *programs) profile() socket.Profile {
	p.t.Helper()
	profile, err := socket.Resolve(func(name string) string {
		for _, v := range p.env {
			if value, ok := strings.CutPrefix(v, name+"="); ok {
				return value
			}
		}
		return ""
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return profile
}

// file returns the path of a file of the profile.
func (p *programs) file(name string) string { return filepath.Join(p.home, ".open2fa", name) }

// write writes a file of the profile.
func (p *programs) write(name, content string) {
	p.t.Helper()
	if err := os.WriteFile(p.file(name), []byte(content), 0o600); err != nil {
		p.t.Fatal(err)
	}
	if p.uid != 0 {
		if err := os.Chown(p.file(name), p.uid, p.uid); err != nil {
			p.t.Fatal(err)
		}
	}
}

// pid returns the number of the daemon's process, which wrote it down.
func (p *programs) pid() int {
	p.t.Helper()
	data, err := os.ReadFile(p.file("o2fad.lock"))
	var info socket.LockInfo
	if err == nil {
		err = json.Unmarshal(data, &info)
	}
	if err != nil || !p.runs(info.PID) {
		p.t.Fatalf("no daemon: %q, %v", data, err)
	}
	return info.PID
}

// runs says whether a process is a daemon of ours.
func (p *programs) runs(pid int) bool {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	return err == nil && strings.HasPrefix(exe, p.bin)
}

// stop ends the daemon, if one runs, and waits for that.
func (p *programs) stop() {
	data, err := os.ReadFile(p.file("o2fad.lock"))
	var info socket.LockInfo
	if err != nil || json.Unmarshal(data, &info) != nil || !p.runs(info.PID) {
		return
	}
	_ = syscall.Kill(info.PID, syscall.SIGCONT)
	_ = syscall.Kill(info.PID, syscall.SIGTERM)
	for deadline := time.Now().Add(patience); p.runs(info.PID); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Error("the daemon does not end")
			_ = syscall.Kill(info.PID, syscall.SIGKILL)
			return
		}
	}
}

// await waits until a daemon listens.
func (p *programs) await() {
	p.t.Helper()
	for deadline := time.Now().Add(patience); ; <-time.After(time.Millisecond) {
		if _, err := os.Stat(filepath.Join(p.home, "o2fa", "agent.sock")); err == nil {
			return
		} else if time.Now().After(deadline) {
			p.t.Fatalf("no daemon listens: %v", err)
		}
	}
}

// needRoot ends a test that reads the memory of processes that hide it.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("O2FA_TEST_STRICT") == "1" {
		t.Fatal("this test needs root")
	}
	t.Skip("this test needs root")
}

// mapping is a part of a process's memory.
type mapping struct {
	from, to int64
	name     string
}

// mappings returns all that can be read of a process.
func mappings(pid int) ([]mapping, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	line := regexp.MustCompile(`^([0-9a-f]+)-([0-9a-f]+) (....) \S+ \S+ \d+ *(.*)$`)
	var list []mapping
	for s := bufio.NewScanner(f); s.Scan(); {
		m := line.FindStringSubmatch(s.Text())
		if m == nil {
			return nil, fmt.Errorf("a line of maps: %s", s.Text())
		}
		var from, to int64
		fmt.Sscanf(m[1]+" "+m[2], "%x %x", &from, &to)
		if m[3][0] == 'r' && m[4] != "[vsyscall]" && m[4] != "[vvar]" && m[4] != "[vvar_vclock]" {
			list = append(list, mapping{from, to, m[4]})
		}
	}
	return list, nil
}

// search reads the memory of a process that stands still, and returns what was
// found of the needles, each with the first place.
func search(pid int, f *finder) (found map[string]string, size int64, err error) {
	maps, err := mappings(pid)
	if err != nil {
		return nil, 0, err
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return nil, 0, err
	}
	defer mem.Close()
	found = map[string]string{}
	for _, m := range maps {
		if err := m.read(mem, func(at int64, data []byte) {
			size += int64(len(data))
			f.find(data, func(n needle, i int) {
				key := n.kind + " of " + n.what
				if _, ok := found[key]; !ok {
					found[key] = fmt.Sprintf("%x in %s", at+int64(i), m.name)
				}
			})
		}); err != nil {
			return nil, 0, fmt.Errorf("reading %x-%x %s: %w", m.from, m.to, m.name, err)
		}
	}
	return found, size, nil
}

// Sizes of reading, in bytes. Parts overlap by what no needle is longer than.
const (
	pageSize = 4 << 10
	partSize = 1 << 20
	overlap  = 256
)

// read calls part with the memory of m, but for pages that are zeros. Pages of a
// file that has no such part are left out: nobody can read them.
func (m mapping) read(mem *os.File, part func(at int64, data []byte)) error {
	zero := make([]byte, pageSize)
	var run []byte // pages that are not zeros, in a row
	var from int64
	flush := func() {
		if len(run) > 0 {
			part(from, run)
		}
		run = run[:0]
	}
	buf := make([]byte, partSize)
	for at := m.from; at < m.to; at += partSize {
		data := buf[:min(partSize, m.to-at)]
		n, err := mem.ReadAt(data, at)
		if err != nil && !errors.Is(err, syscall.EIO) && !errors.Is(err, io.EOF) {
			return err
		}
		for off := 0; off < n; off += pageSize {
			page := data[off:min(n, off+pageSize)]
			if bytes.Equal(page, zero[:len(page)]) {
				flush()
				continue
			}
			if len(run) == 0 {
				from = at + int64(off)
			}
			if run = append(run, page...); len(run) >= 2*partSize {
				part(from, run)
				kept := copy(run, run[len(run)-overlap:])
				from += int64(len(run) - kept)
				run = run[:kept]
			}
		}
	}
	flush()
	return nil
}

// frozen stops a process while f looks at it.
func frozen(pid int, f func() error) error {
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }()
	for deadline := time.Now().Add(patience); ; <-time.After(time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return err
		}
		if _, rest, ok := bytes.Cut(stat, []byte(") ")); ok && rest[0] == 'T' {
			return f()
		}
		if time.Now().After(deadline) {
			return errors.New("it does not stop")
		}
	}
}
