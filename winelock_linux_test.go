package o2fa_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestLocksWine locks and unlocks a vault many times over, each time with a new
// process that takes the daemon's place.
func TestLocksWine(t *testing.T) {
	w := wineOf(t)
	dir := filepath.Join(t.TempDir(), "profile")
	env := []string{"OPEN2FA_DIR=" + dir, "O2FA_KEYSTORE=keyfile"}
	run := func(name string, args ...string) {
		t.Helper()
		if err := w.run(env, filepath.Join(w.bin, name), args...); err != nil {
			t.Error(err)
		}
	}
	defer func() {
		if err := w.stop(dir); err != nil {
			t.Error(err)
		}
		awaitDaemons(t, w, 0)
	}()
	awaitDaemons(t, w, 0) // those of other tests
	run("o2fa", "init")
	run("locks")
	if log, err := os.ReadFile(filepath.Join(dir, "o2fad.log")); err != nil || t.Failed() {
		t.Logf("%v\n%s", err, log)
	}
	awaitDaemons(t, w, 1)
}

// TestLockWithoutASuccessorWine has a daemon whose program is gone: it goes on,
// wiped, and says so, until there is a successor again.
func TestLockWithoutASuccessorWine(t *testing.T) {
	w := wineOf(t)
	dir := filepath.Join(t.TempDir(), "profile")
	env := []string{"OPEN2FA_DIR=" + dir, "O2FA_KEYSTORE=keyfile"}
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(filepath.Join(w.bin, "o2fa"), args...)
		cmd.Env = append(env, w.env...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	defer func() {
		if err := w.stop(dir); err != nil {
			t.Error(err)
		}
	}()
	run("init")
	program := filepath.Join(w.bin, "o2fad.exe")
	if err := os.Rename(program, program+".away"); err != nil {
		t.Fatal(err)
	}
	run("lock")
	const warning = "did not replace the process"
	if s := run("status"); !strings.Contains(s, "State: locked") || !strings.Contains(s, warning) {
		t.Error(s)
	}
	if err := os.Rename(program+".away", program); err != nil {
		t.Fatal(err)
	}
	run("unlock")
	run("lock")
	if s := run("status"); !strings.Contains(s, "State: locked") || strings.Contains(s, warning) {
		t.Error(s)
	}
}

// awaitDaemons waits until so many daemons run under wine.
func awaitDaemons(t *testing.T, w *wine, want int) {
	t.Helper()
	await(t, fmt.Sprintf("%d processes of o2fad", want), func() bool { return len(w.daemons(t)) == want })
}

// daemons lists the processes that are o2fad.exe of ours.
func (w *wine) daemons(t *testing.T) (pids []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		line, _ := os.ReadFile(file) // it may have ended
		line = bytes.ReplaceAll(line, []byte(`\`), []byte("/"))
		if bytes.Contains(line, []byte(filepath.Join(w.bin, "o2fad.exe"))) {
			pids = append(pids, filepath.Base(filepath.Dir(file)))
		}
	}
	return pids
}
