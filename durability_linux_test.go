package o2fa_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/ipc"
)

// traced are the system calls by which a file, a directory or a reply changes.
const traced = "read,write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,ftruncate,fallocate," +
	"fsync,fdatasync,rename,renameat,renameat2,mkdir,mkdirat,openat"

// TestDurability watches the system calls of a real o2fad: when the reply to a
// change is written, all that the change has written, and every name that it
// has made, was synced before.
func TestDurability(t *testing.T) {
	p := newPlace(t)
	trace := filepath.Join(p.env["HOME"], "trace")
	o := p.launch(t, tracer(t), "-f", "-y", "-s", "200", "-e", "trace="+traced, "-o", trace)
	p.status(t, o)
	if _, err := p.client.Init(t.Context(), ipc.InitRequest{}); err != nil {
		t.Fatal(err)
	}
	p.add(t, derived(1, "a"), "a")
	if _, err := p.client.Add(t.Context(), ipc.AddRequest{Secret: derived(1, "h"), Name: "h", Type: "hotp"}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.client.Code(t.Context(), "h", 0); err != nil {
		t.Fatal(err)
	}
	if err := p.client.Shutdown(t.Context(), ipc.ShutdownRequest{}); err != nil {
		t.Fatal(err)
	}
	await(t, "the end of the daemon", func() bool { return !o.alive() })
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	d := watchDisk(string(text), p.profile.Dir)
	for _, complaint := range d.complaints {
		t.Error(complaint)
	}
	want := []string{"POST " + ipc.PathInit, "POST " + ipc.PathEntries, "POST " + ipc.PathEntries, "POST " + ipc.PathCode}
	if got := fmt.Sprint(d.changes); got != fmt.Sprint(want) {
		t.Errorf("changes that wrote to vault.db and were answered: %v, want %v", got, want)
	}
	if t.Failed() {
		t.Logf("trace:\n%s", text)
	}
}

// tracer returns the path of strace. It shows the files behind descriptors of
// o2fad to root alone, as o2fad lets nobody else look into it.
func tracer(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("strace")
	if err != nil {
		leaveOut(t, "strace is not installed: apt-get install strace")
	}
	if os.Getuid() != 0 {
		leaveOut(t, "only root can look into o2fad")
	}
	return path
}

// leaveOut skips the test, or fails it where nothing may be left out.
func leaveOut(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("O2FA_TEST_STRICT") == "1" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// disk is what a power cut could take away at one moment of a trace.
type disk struct {
	dir        string         // the profile
	dirty      map[string]int // files and directories changed and not synced; in which line
	request    map[string]string
	wrote      bool     // vault.db, since the last reply to a change
	changes    []string // answered, that wrote to vault.db
	complaints []string
}

// watchDisk follows a trace. A call that took a while has two lines: what it
// writes counts as unsynced from its first, what it syncs had to be written
// before its first, and counts as synced from its last.
func watchDisk(trace, dir string) *disk {
	d := &disk{dir: dir, dirty: map[string]int{}, request: map[string]string{}}
	begun := map[string]call{} // by thread
	for i, line := range strings.Split(trace, "\n") {
		c, thread, part := parseCall(line)
		c.first = i + 1
		switch part {
		case unfinished:
			begun[thread] = c
			d.begin(c)
		case resumed:
			whole := begun[thread]
			whole.args, whole.result = whole.args+c.args, c.result
			delete(begun, thread)
			d.end(whole)
		case complete:
			d.begin(c)
			d.end(c)
		}
	}
	return d
}

// call is one system call.
type call struct {
	name, args, result string
	first              int // line where it begins
}

// The parts of a call that a line of strace -f has.
const (
	noCall = iota
	complete
	unfinished
	resumed
)

var (
	lineBegin   = regexp.MustCompile(`^(\d+) +(\w+)\((.*)$`)
	lineResumed = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>(.*)$`)
	lineEnd     = regexp.MustCompile(`^(.*)\) += (-?\d+|\?)(.*)$`)
	descriptor  = regexp.MustCompile(`^(\d+)<([^>]*)>`)
	quoted      = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)
)

func parseCall(line string) (c call, thread string, part int) {
	m := lineBegin.FindStringSubmatch(line)
	part = complete
	if m == nil {
		if m = lineResumed.FindStringSubmatch(line); m == nil {
			return c, "", noCall // a signal, or the end of a thread
		}
		part = resumed
	}
	c.name = m[2]
	if args, cut := strings.CutSuffix(m[3], " <unfinished ...>"); cut {
		c.args = args
		return c, m[1], unfinished
	}
	end := lineEnd.FindStringSubmatch(m[3])
	if end == nil {
		return c, m[1], noCall
	}
	c.args, c.result = end[1], end[2]
	return c, m[1], part
}

// file returns the descriptor that the call is about, and what it stands for.
func (c call) file() (fd, path string) {
	if m := descriptor.FindStringSubmatch(c.args); m != nil {
		return m[1], m[2]
	}
	return "", ""
}

// texts returns the quoted arguments.
func (c call) texts() (list []string) {
	for _, m := range quoted.FindAllStringSubmatch(c.args, -1) {
		list = append(list, m[1])
	}
	return list
}

// matters leaves out what may be lost: the log, and the hint in the lock file.
func (d *disk) matters(path string) bool {
	return strings.HasPrefix(path, d.dir+"/") && !strings.HasPrefix(path, d.dir+"/o2fad.lo")
}

// begin notes what a call makes unsure, and judges replies.
func (d *disk) begin(c call) {
	fd, path := c.file()
	switch c.name {
	case "write", "writev", "sendto", "sendmsg":
		if strings.HasPrefix(path, "socket:") && len(c.texts()) > 0 && strings.HasPrefix(c.texts()[0], "HTTP/1.") {
			d.reply(c, d.request[fd])
		} else if d.matters(path) {
			d.dirty[path] = c.first
		}
	case "pwrite64", "pwritev", "pwritev2", "ftruncate", "fallocate":
		if !d.matters(path) {
			return
		}
		vault := path == d.dir+"/vault.db"
		if vault && c.offset() < 2*4096 && d.dirty[path] != 0 {
			d.complaints = append(d.complaints, fmt.Sprintf("line %d: a page that makes others valid is written before these are synced, see line %d", c.first, d.dirty[path]))
		}
		d.wrote = d.wrote || vault
		d.dirty[path] = c.first
	}
}

// offset returns where pwrite64 writes; beyond all pages for another call.
func (c call) offset() int64 {
	n, err := strconv.ParseInt(c.args[strings.LastIndexByte(c.args, ' ')+1:], 10, 64)
	if err != nil || c.name != "pwrite64" {
		return 1 << 62
	}
	return n
}

// end notes what a call that succeeded has made sure, or has named.
func (d *disk) end(c call) {
	fd, path := c.file()
	texts := c.texts()
	if c.result == "?" || strings.HasPrefix(c.result, "-") {
		return
	}
	switch c.name {
	case "read":
		if strings.HasPrefix(path, "socket:") && len(texts) > 0 && strings.Contains(texts[0], " HTTP/1.") {
			d.request[fd], _, _ = strings.Cut(texts[0], " HTTP/1.")
		}
	case "fsync", "fdatasync":
		if d.dirty[path] <= c.first {
			delete(d.dirty, path)
		}
	case "rename", "renameat", "renameat2":
		if from, to := texts[0], texts[1]; d.matters(to) {
			if at, dirty := d.dirty[from]; dirty {
				d.dirty[to] = at
			}
			delete(d.dirty, from)
			d.dirty[filepath.Dir(to)] = c.first
			d.wrote = d.wrote || to == d.dir+"/vault.db"
		}
	case "mkdir", "mkdirat":
		if made := texts[0]; made == d.dir || d.matters(made) {
			d.dirty[filepath.Dir(made)] = c.first
		}
	case "openat":
		if made := texts[0]; d.matters(made) && strings.Contains(c.args, "O_EXCL") {
			d.dirty[filepath.Dir(made)], d.dirty[made] = c.first, c.first
		}
	}
}

// reply judges the moment at which a client learns that its change was made.
func (d *disk) reply(c call, request string) {
	request, _, _ = strings.Cut(request, "?")
	if !strings.HasPrefix(request, "POST ") || !d.wrote {
		return
	}
	for path, line := range d.dirty {
		d.complaints = append(d.complaints, fmt.Sprintf("line %d: the reply to %s leaves before %s is synced, see line %d", c.first, request, path, line))
	}
	d.changes, d.wrote = append(d.changes, request), false
}

// TestWatchDiskCanFail takes from a sound trace what makes it sound.
func TestWatchDiskCanFail(t *testing.T) {
	const sound = `7 mkdirat(AT_FDCWD</>, "/h/p", 0700) = 0
7 openat(AT_FDCWD</>, "/h/p/.o2fa-1.tmp", O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0600) = 3</h/p/.o2fa-1.tmp>
7 read(9<socket:[1]>, "POST /v1/init HTTP/1.0\r\nHost: o2fa\r\n"..., 4096) = 99
7 pwrite64(3</h/p/.o2fa-1.tmp>, "\4\0) = \"\0"..., 4096, 8192 <unfinished ...>
8 --- SIGURG {si_signo=SIGURG, si_code=SI_TKILL, si_pid=7, si_uid=0} ---
7 <... pwrite64 resumed>)           = 4096
7 fdatasync(3</h/p/.o2fa-1.tmp>)    = 0
7 renameat(AT_FDCWD</>, "/h/p/.o2fa-1.tmp", AT_FDCWD</>, "/h/p/vault.db") = 0
8 fsync(4</h/p>)                    = 0
8 fsync(4</h> <unfinished ...>
7 +++ exited with 0 +++
8 <... fsync resumed>)              = 0
8 write(9<socket:[1]>, "HTTP/1.0 200 OK\r\n"..., 451) = 451
8 read(9<socket:[1]>, "POST /v1/code?name=h HTTP/1.0\r\n"..., 4096) = 99
8 pwrite64(3</h/p/vault.db>, "\4\0"..., 4096, 8192) = 4096
7 write(5</h/p/o2fad.log>, "x", 1)  = 1
8 fdatasync(3</h/p/vault.db>)       = 0
8 pwrite64(3</h/p/vault.db>, "\1\0"..., 4096, 4096) = 4096
8 fdatasync(3</h/p/vault.db>)       = 0
8 write(9<socket:[1]>, "HTTP/1.0 200 OK\r\n"..., 451) = 451
`
	if d := watchDisk(sound, "/h/p"); len(d.complaints) > 0 || fmt.Sprint(d.changes) != "[POST /v1/init POST /v1/code]" {
		t.Fatalf("a sound trace: %+v", d)
	}
	lines := strings.SplitAfter(sound, "\n")
	for i, line := range lines {
		if !strings.Contains(line, "sync") {
			continue
		}
		without := strings.Join(lines[:i], "") + strings.Join(lines[i+1:], "")
		failed := strings.Join(lines[:i], "") + strings.Replace(line, "= 0", "= -1 EIO (Input/output error)", 1) + strings.Join(lines[i+1:], "")
		for what, trace := range map[string]string{"without": without, "with a failed": failed} {
			unchanged := trace == sound
			if d := watchDisk(trace, "/h/p"); len(d.complaints) == 0 && !unchanged {
				t.Errorf("no complaint about a trace %s %s", what, line)
			}
		}
	}
	late := strings.Replace(sound, "8 fdatasync(3</h/p/vault.db>)       = 0\n8 write(9<", "8 fdatasync(3</h/p/vault.db> <unfinished ...>\n7 write(9<", 1) +
		"8 <... fdatasync resumed>) = 0\n"
	if d := watchDisk(late, "/h/p"); len(d.complaints) == 0 {
		t.Error("no complaint about a reply while the sync is under way")
	}
}
