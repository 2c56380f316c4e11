package vault

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// withMounts runs the calling test once more in a child process with mounts of
// its own, and tells whether this is that child. Without root the child is
// root of a user namespace.
func withMounts(t *testing.T) (child bool) {
	t.Helper()
	const env = "VAULT_TEST_MOUNTS"
	if os.Getenv(env) != "" {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			t.Fatal(err)
		}
		return true
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), env+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		t.Skipf("mounts are not allowed here: %v", err)
	}
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("with mounts: %v\n%s", err, out)
	}
	return false
}

// On a full disk a change says so, nothing that was stored is touched, codes
// go on, and so do changes once there is room.
func TestDiskFull(t *testing.T) {
	if !withMounts(t) {
		return
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	v, err := Create(filepath.Join(dir, "vault.db"), testVaultID, testSlots(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { v.Close() }()
	hotp := entry("counter")
	hotp.Type, hotp.Period = "hotp", 0
	counter := add(t, v, hotp)
	stored := 1
	for ; err == nil; stored++ {
		err = v.Update("add", func(tx *Tx) error { _, _, err := tx.Add(entry(fmt.Sprint("e", stored))); return err })
	}
	stored--
	if !errors.Is(err, ErrDiskFull) {
		t.Fatalf("after %d: %v", stored, err)
	}
	// Large and small changes, many times: each refused, none does harm.
	for i := range 20 {
		err := v.Update("add", func(tx *Tx) error {
			for range 1 + 100*(i%3) {
				e := entry(fmt.Sprint("more", i))
				e.Note = strings.Repeat("x", MaxNote)
				if _, _, err := tx.Add(e); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			stored++ // the journal or a freed page made room for a small one
		} else if !errors.Is(err, ErrDiskFull) {
			t.Errorf("change %d: %v", i, err)
		}
	}
	check := func() {
		t.Helper()
		list, err := v.List()
		if live, _ := v.Count(); err != nil || live != stored || len(list) != stored {
			t.Errorf("%d counted, %d listed, %v, want %d", live, len(list), err, stored)
		}
		for _, s := range list {
			if err := v.OpenSecret(s.ID, func(*Entry) error { return nil }); err != nil {
				t.Error(err)
			}
		}
	}
	check()
	full := filepath.Join(dir, "another.db")
	if w, err := Create(full, testVaultID, testSlots(), Options{}); !errors.Is(err, ErrDiskFull) {
		t.Errorf("Create on a full disk: %v, %v", w, err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	v = reopen(t, v)
	check()
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "size=8m"); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		add(t, v, entry("room"))
		stored++
	}
	if err := v.Step(counter, func(*Entry, uint64) error { return nil }); err != nil {
		t.Error(err)
	}
	check()
	v = reopen(t, v)
	check()
}

// A directory that may be written and not read takes the new file, and cannot
// be synced: the vault is there, so its key must be kept.
func TestCreateWithoutSync(t *testing.T) {
	dir := t.TempDir()
	const nobody = 65534
	if os.Getuid() == 0 { // who is not held by modes
		if err := errors.Join(os.Chown(dir, nobody, -1), os.Chmod(filepath.Dir(dir), 0o711)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o300); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	path := filepath.Join(dir, "vault.db")
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if os.Getuid() == 0 {
			_ = unix.Setfsuid(nobody)
		}
		_, err := Create(path, testVaultID, testSlots(), Options{})
		done <- err
	}()
	if err := <-done; !errors.Is(err, ErrCreated) {
		t.Errorf("Create = %v", err)
	}
	if v := openVault(t, path, Options{}); v.ReadOnly() {
		t.Error("read-only")
	}
}

// When a sync fails, the vault says what is known, and reads agree with each
// other; what is asked for again is stored before it is said to be there.
func TestFailedSync(t *testing.T) {
	if !withFailingSyncs(t) {
		return
	}
	runtime.LockOSThread() // strace counts the calls of each thread for itself
	v := newVault(t)
	known, unknown := 0, 0
	for i := range 24 {
		live, _ := v.Count()
		e := entry(fmt.Sprint("e", i))
		addIt := func() error {
			return v.Update("add", func(tx *Tx) error { _, _, err := tx.Add(e); return err })
		}
		if _, err := v.List(); err != nil { // which is kept from here on
			t.Error(err)
		}
		number := lastChange(t, v)
		err := addIt()
		there := err == nil
		if err != nil {
			if there = strings.Contains(err.Error(), "not known"); there {
				unknown++
			} else {
				known++
			}
			if !errors.Is(err, ErrStorage) || (lastChange(t, v) > number) != there {
				t.Errorf("Update = %v", err)
			}
		}
		if there {
			live++
		}
		list, listErr := v.List()
		found, findErr := v.Lookup(e.Name)
		if now, _ := v.Count(); now != live || len(list) != live || (len(found) == 1) != there {
			t.Errorf("after %v: %d counted, %d listed, %d found, want %d; %v", err, now, len(list), len(found), live, errors.Join(listErr, findErr))
		}
		for number = lastChange(t, v); err != nil; {
			if err = addIt(); err == nil && lastChange(t, v) == number {
				t.Error("a change that may be lost was said to be stored")
			}
		}
	}
	if known == 0 || unknown == 0 {
		t.Errorf("%d failed, %d perhaps", known, unknown)
	}
}

// lastChange returns the number of the last change that the file shows.
func lastChange(t *testing.T, v *Vault) (number int) {
	t.Helper()
	if err := v.view(func(tx *bolt.Tx) error { number = tx.ID(); return nil }); err != nil {
		t.Error(err)
	}
	return number
}

// withFailingSyncs runs the calling test once more in a child process whose
// syncs fail at times, and tells whether this is that child. A change syncs
// twice, so one in five meets both in turn.
func withFailingSyncs(t *testing.T) (child bool) {
	t.Helper()
	const env = "VAULT_TEST_SYNCS"
	if os.Getenv(env) != "" {
		return true
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(strace, "-f", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=9+5",
		exe, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), env+"=1")
	out, err := cmd.CombinedOutput()
	if bytes.Contains(out, []byte("Operation not permitted")) {
		t.Skipf("strace may not look into processes here: %s", out)
	}
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("with failing syncs: %v\n%s", err, out)
	}
	return false
}

// On a read-only file system codes are served and changes refused.
func TestReadOnlyFileSystem(t *testing.T) {
	if !withMounts(t) {
		return
	}
	dir := t.TempDir()
	v, err := Create(filepath.Join(dir, "vault.db"), testVaultID, testSlots(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	id := add(t, v, entry("a"))
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	if err := unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	v = openVault(t, v.path, Options{})
	if !v.ReadOnly() {
		t.Error("not read-only")
	}
	if s, err := v.Resolve("a"); err != nil || s.ID != id {
		t.Errorf("Resolve: %v", err)
	}
	if err := v.OpenSecret(id, func(*Entry) error { return nil }); err != nil {
		t.Error(err)
	}
	if list, err := v.List(); err != nil || len(list) != 1 {
		t.Errorf("List: %v", err)
	}
	for what, err := range map[string]error{
		"Update": v.Update("add", func(tx *Tx) error { t.Error("Update ran"); return nil }),
		"Step":   v.Step(id, func(*Entry, uint64) error { t.Error("Step ran"); return nil }),
		"Undo":   func() error { _, err := v.Undo(); return err }(),
		"Create": func() error {
			_, err := Create(filepath.Join(dir, "x"), testVaultID, testSlots(), Options{})
			return err
		}(),
	} {
		if !errors.Is(err, ErrReadOnly) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A file that is cut while it is open is a fault of the mapping, which must not
// end the process.
func TestCutWhileOpen(t *testing.T) {
	v := newVault(t)
	fill(t, v, 200)
	id := add(t, v, entry("a"))
	if err := os.Truncate(v.path, 8192); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"OpenSecret": v.OpenSecret(id, func(*Entry) error { return nil }),
		"Lookup":     func() error { _, err := v.Lookup("a"); return err }(),
		"List":       func() error { _, err := v.List(); return err }(),
		"Slots":      func() error { _, err := v.Slots(); return err }(),
		"Update":     v.Update("add", func(tx *Tx) error { _, _, err := tx.Add(entry("b")); return err }),
		"again":      v.Update("add", func(tx *Tx) error { _, _, err := tx.Add(entry("b")); return err }),
	} {
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := os.Truncate(v.path, 0); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := v.Slots(); !errors.Is(err, ErrCorrupt) {
			t.Errorf("Slots of nothing: %v", err)
		}
	}
	if err := v.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	// The lock went with it, although the mapping is still there.
	if _, err := Open(v.path, Options{}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("Open of what is left: %v", err)
	}
}
