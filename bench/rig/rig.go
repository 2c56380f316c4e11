// Package rig owns what every measurement needs: the binaries, built as a
// release is and laid on one tmpfs, profiles with a given number of entries, and
// daemons that serve them. It drives binaries alone and imports nothing of o2fa
// but its public words, so that what is measured is what a person runs.
package rig

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// module is the path of the module that is measured.
const module = "github.com/o2fa/o2fa"

// Secret is the secret, in base32, of the first entry of every profile: the one
// of RFC 6238.
const Secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

// Rig is one directory on a tmpfs with the binaries and all profiles.
type Rig struct {
	dir string
}

// New makes the directory and builds o2fa, o2fad and the programs of bench/ that
// are named. The caller closes it.
func New(ctx context.Context, others ...string) (*Rig, error) {
	dir, err := os.MkdirTemp(memory(), "o2fa-bench-")
	if err != nil {
		return nil, err
	}
	r := &Rig{dir}
	for _, sub := range []string{"bin", "run"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	if err := r.build(ctx, others); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// build builds ours with the flags of a release, each module in its own place.
func (r *Rig) build(ctx context.Context, others []string) error {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return fmt.Errorf("finding %s (run this in bench/): %w", module, err)
	}
	packages := []string{module + "/client/o2fa", module + "/daemon/o2fad"}
	for in, list := range map[string][]string{strings.TrimSpace(string(root)): packages, ".": within(module+"/bench/", others)} {
		if len(list) == 0 {
			continue
		}
		args := append([]string{"-C", in, "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid=", "-o", r.Bin("")}, list...)
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building: %w\n%s", err, text)
		}
	}
	return nil
}

func within(dir string, names []string) (paths []string) {
	for _, name := range names {
		paths = append(paths, dir+name)
	}
	return paths
}

// memory returns a directory in memory where there is one, so that no
// measurement waits for a disk.
func memory() string {
	if runtime.GOOS == "linux" {
		return "/dev/shm"
	}
	return ""
}

// Close removes everything. Daemons must have ended.
func (r *Rig) Close() { os.RemoveAll(r.dir) }

// Bin returns the path of a binary.
func (r *Rig) Bin(name string) string { return filepath.Join(r.dir, "bin") + "/" + name }

// Dir makes a directory that only its owner may enter, below those of the names
// before the last.
func (r *Rig) Dir(names ...string) (string, error) {
	dir := filepath.Join(r.dir, filepath.Join(names...))
	return dir, os.MkdirAll(dir, 0o700)
}

// Copy lays a program of the system beside ours, so that no file system makes a
// difference, and returns its path.
func (r *Rig) Copy(name string) (string, error) {
	from, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return "", err
	}
	return r.Bin(name), os.WriteFile(r.Bin(name), data, 0o755)
}

// Profile is one OPEN2FA_DIR.
type Profile struct {
	Dir string

	rig     *Rig
	entries int // that secrets.json had at first
}

// Profile returns a new profile whose secrets.json holds n entries. The daemon
// has not seen it yet.
func (r *Rig) Profile(n int) (Profile, error) {
	p := Profile{Dir: filepath.Join(r.dir, fmt.Sprintf("p%d", n)), rig: r, entries: n}
	if err := os.Mkdir(p.Dir, 0o700); err != nil {
		return p, err
	}
	return p, p.write(fresh(n))
}

// Name returns the name of entry i of every profile.
func Name(i int) string { return fmt.Sprintf("Service%06d:alice@example.com", i) }

// Row is one name and its secret in base32, as secrets.json has them.
type Row struct {
	Name   string `json:"name"`
	Secret string `json:"secret"`
}

// fresh returns n rows with random secrets, but for the first.
func fresh(n int) []Row {
	rows := make([]Row, n)
	for i := range rows {
		raw := make([]byte, 20)
		rand.Read(raw)
		rows[i] = Row{Name(i), base32.StdEncoding.EncodeToString(raw)}
	}
	rows[0].Secret = Secret
	return rows
}

// AppendSecret adds one row to secrets.json, under name.
func (p Profile) AppendSecret(name string) error {
	rows, err := p.Rows()
	if err != nil {
		return err
	}
	return p.write(append(rows, Row{name, Secret}))
}

// Rows returns what secrets.json holds.
func (p Profile) Rows() ([]Row, error) {
	data, err := os.ReadFile(p.secrets())
	if err != nil {
		return nil, err
	}
	var file secretsFile
	err = json.Unmarshal(data, &file)
	return file.Secrets, err
}

// RemoveSecrets removes secrets.json, as somebody does who has moved to o2fa.
func (p Profile) RemoveSecrets() error { return os.Remove(p.secrets()) }

// Remove removes the profile, whose daemon has ended.
func (p Profile) Remove() error { return os.RemoveAll(p.Dir) }

type secretsFile struct {
	Secrets []Row `json:"secrets"`
}

func (p Profile) write(rows []Row) error {
	data, err := json.Marshal(secretsFile{rows})
	if err != nil {
		return err
	}
	tmp := p.secrets() + ".new"
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, p.secrets())
}

func (p Profile) secrets() string { return filepath.Join(p.Dir, "secrets.json") }

// VaultSize returns the bytes of vault.db.
func (p Profile) VaultSize() int64 {
	info, err := os.Stat(filepath.Join(p.Dir, "vault.db"))
	if err != nil {
		return 0
	}
	return info.Size()
}

// Socket returns the address of the profile's daemon, once one has run: it tells
// it in its lock file. O2FA_SOCKET stays unset, so that clients find the daemon
// as they do for a user.
func (p Profile) Socket() (string, error) {
	lock, err := os.ReadFile(filepath.Join(p.Dir, "o2fad.lock"))
	if err != nil {
		return "", err
	}
	var info struct {
		Socket string `json:"socket"`
	}
	if err := json.Unmarshal(bytes.TrimSpace(lock), &info); err != nil {
		return "", err
	}
	return info.Socket, nil
}

// Environ is the environment of every process of the profile, the same for all
// contestants.
func (p Profile) Environ() []string {
	return []string{
		"HOME=" + p.rig.dir, "XDG_RUNTIME_DIR=" + filepath.Join(p.rig.dir, "run"),
		"OPEN2FA_DIR=" + p.Dir, "O2FA_KEYSTORE=keyfile", "LANG=C.UTF-8", "PATH=/usr/bin:/bin",
	}
}

// Machine says what was measured on.
func Machine() string {
	cpu := "unknown CPU"
	data, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			cpu = strings.TrimSpace(strings.TrimLeft(name, "\t :"))
			break
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	load, _ := os.ReadFile("/proc/loadavg")
	short, _, _ := strings.Cut(string(load), " ")
	return fmt.Sprintf("%s, %d CPUs, %s %s, %s, load %s at the start",
		cpu, runtime.NumCPU(), runtime.GOOS, strings.TrimSpace(string(kernel)), runtime.Version(), short)
}
