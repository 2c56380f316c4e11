package o2fa_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// TestScriptsWine runs every script once more with the Windows programs, each
// command a process of wine. Where a script has to differ it says [wine].
//
// wine shows that the programs work on what it takes for Windows. It has no
// users, so it cannot show that anybody is kept out.
func TestScriptsWine(t *testing.T) {
	w := wineOf(t)
	runScripts(t, binaries{dir: w.bin, wine: true, stop: w.stop})
}

// winePackages are those with code for Windows alone.
var winePackages = []string{
	"./client", "./daemon/internal/keystore", "./daemon/internal/session",
	"./internal/acl", "./internal/atomicfile", "./internal/command", "./internal/secret", "./ipc/socket",
}

// TestPackagesWine runs their tests under wine.
func TestPackagesWine(t *testing.T) {
	w := wineOf(t)
	args := append([]string{"test", "-overlay", w.overlay, "-exec", filepath.Join(w.bin, "wine-exec"), "-timeout", "5m"}, winePackages...)
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// wine is a Windows of our own: a prefix in a temporary directory, and our
// programs built for it.
type wine struct {
	dir     string   // of all that follows
	bin     string   // o2fa, o2fad, stop, locks and wine-exec, each a script that calls wine
	overlay string   // for go build and go test
	env     []string // of wine itself
}

// wineOf returns the wine that all tests of a run share.
func wineOf(t *testing.T) *wine {
	t.Helper()
	const compiler = "x86_64-w64-mingw32-gcc"
	for program, pkg := range map[string]string{"wine": "wine", "wineserver": "wine", compiler: "gcc-mingw-w64-x86-64"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed (package %s)", program, pkg)
		}
	}
	if runtime.GOARCH != "amd64" {
		t.Skipf("wine runs programs for amd64, this is %s", runtime.GOARCH)
	}
	w, err := makeWine()
	if err != nil {
		t.Fatalf("preparing wine: %v", err)
	}
	return w
}

var makeWine = sync.OnceValues(func() (*wine, error) {
	dir, err := os.MkdirTemp("", "o2fa-wine")
	if err != nil {
		return nil, err
	}
	w := &wine{dir: dir, bin: filepath.Join(dir, "bin"), overlay: filepath.Join(dir, "overlay.json")}
	w.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C.UTF-8",
		// The place of the wineserver, on Debian: one for all scripts.
		"TMPDIR=" + dir,
		"WINEPREFIX=" + filepath.Join(dir, "prefix"), "WINEARCH=win64", "WINEDEBUG=-all",
		// Neither .NET nor a browser engine is offered, nor a desktop's menus touched.
		"WINEDLLOVERRIDES=mscoree=;mshtml=;winemenubuilder.exe=",
	}
	atEnd = append(atEnd, func() { os.RemoveAll(dir) })
	for _, step := range []func() error{w.makeOverlay, w.build, w.makePrefix, w.makeScripts, w.stayAwake} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return w, nil
})

// run runs a program of this system in wine's environment.
func (w *wine) run(env []string, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Env = append(env, w.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// makeOverlay writes what go build is to take in place of some source files.
func (w *wine) makeOverlay() error {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return err
	}
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	at := filepath.Join(strings.TrimSpace(string(root)), "src/internal/syscall/windows/at_windows.go")
	pipe := filepath.Join(here, "ipc/socket/pipe_windows.go")
	replace := map[string]string{filepath.Join(here, "ipc/socket/wine_windows.go"): filepath.Join(here, "testdata/wine/pipe.go")}
	for file, changes := range map[string][]string{
		// wine 8 refuses a way of deleting, which Go knows to do without, by
		// another name than Windows does: STATUS_NOT_IMPLEMENTED.
		at:   {"STATUS_NOT_SUPPORTED:", "STATUS_NOT_SUPPORTED, NTStatus(0xC0000002):"},
		pipe: {"winio.ListenPipe(", "listenUnderWine(", "winio.DialPipeContext(", "dialUnderWine("},
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for i := 0; i < len(changes); i += 2 {
			if n := bytes.Count(text, []byte(changes[i])); n != 1 {
				return fmt.Errorf("%s has %q %d times: the overlay for wine has to change with it", file, changes[i], n)
			}
		}
		copied := filepath.Join(w.dir, filepath.Base(file))
		if err := os.WriteFile(copied, []byte(strings.NewReplacer(changes...).Replace(string(text))), 0o600); err != nil {
			return err
		}
		replace[file] = copied
	}
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return err
	}
	return os.WriteFile(w.overlay, data, 0o600)
}

// build builds our programs for Windows.
func (w *wine) build() error {
	env := append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	cmd := exec.Command("go", "build", "-overlay", w.overlay, "-o", w.bin+"/", "./client/o2fa", "./daemon/o2fad", "./testdata/wine/stop", "./testdata/wine/locks")
	cmd.Env = env
	if err := os.Mkdir(w.bin, 0o700); err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building for Windows: %w\n%s", err, out)
	}
	return nil
}

// makePrefix makes a Windows 10 in which Go programs start.
func (w *wine) makePrefix() error {
	if err := w.run(nil, "wineboot", "-i"); err != nil {
		return err
	}
	library := filepath.Join(w.dir, "prefix/drive_c/windows/system32/bcryptprimitives.dll")
	if _, err := os.Stat(library); errors.Is(err, fs.ErrNotExist) { // wine 9 and later have it
		err := w.run(nil, "x86_64-w64-mingw32-gcc", "-shared", "-O2", "-s", "-nostartfiles", "-Wl,-e,DllMain",
			"-o", library, "testdata/wine/bcryptprimitives.c", "-ladvapi32")
		if err != nil {
			return err
		}
	}
	return w.run(nil, "wine", "winecfg", "-v", "win10")
}

// makeScripts writes for each of our programs a shell script of its name, so
// that what runs on Linux need not know of wine.
func (w *wine) makeScripts() error {
	var env strings.Builder
	for _, v := range w.env[2:] { // PATH and HOME are the caller's
		name, value, _ := strings.Cut(v, "=")
		fmt.Fprintf(&env, "export %s='%s'\n", name, value)
	}
	// wine sets USERPROFILE itself, the same for all scripts. A path of Linux is
	// one of drive Z, on which the working directory lies.
	const profile = "export OPEN2FA_DIR=\"${OPEN2FA_DIR:-$HOME/.open2fa}\"\n"
	// A daemon that is started keeps the standard error of wine itself, whatever
	// Windows would pass on: who waits for the end of a pipe there waits for it.
	// wine itself may complain there of threads that end with their process.
	const collect = "if [ -t 2 ]; then exec %[1]s; fi\n" +
		"errors=$(mktemp)\n%[1]s 2>\"$errors\"\ncode=$?\nsed '/^wine client error:/d' \"$errors\" >&2\nrm \"$errors\"\nexit $code\n"
	for _, name := range []string{"o2fa", "o2fad", "stop", "locks"} {
		script := "#!/bin/sh\n" + env.String() + profile + fmt.Sprintf(collect, "wine '"+filepath.Join(w.bin, name+".exe")+"' \"$@\"")
		if err := os.WriteFile(filepath.Join(w.bin, name), []byte(script), 0o700); err != nil {
			return err
		}
	}
	// wine makes access lists out of modes, so a umask stands for what files in a
	// user's profile inherit on Windows. The first window starts a desktop, which
	// would keep the output open.
	script := "#!/bin/sh\n" + env.String() + "umask 077\noutput=$(mktemp)\n" +
		"wine \"$@\" >\"$output\" 2>&1\ncode=$?\ncat \"$output\"\nrm \"$output\"\nexit $code\n"
	return os.WriteFile(filepath.Join(w.bin, "wine-exec"), []byte(script), 0o700)
}

// stayAwake keeps wine's own services running until the tests are over, also
// when they end badly: a shell waits for input that does not come. Without it
// each command would start and end them, and they keep its output open.
func (w *wine) stayAwake() error {
	cmd := exec.Command("wine", "cmd")
	cmd.Env = w.env
	input, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	// In front of the removal of the directory.
	atEnd = append([]func(){func() {
		input.Close()
		_ = w.run(nil, "wineserver", "-k")
		_ = w.run(nil, "wineserver", "-w")
		_ = cmd.Wait()
	}}, atEnd...)
	_, err = io.ReadFull(output, make([]byte, 1)) // its greeting: everything is up
	return err
}

// withoutMoves takes out of screen what wine's console adds to show a program's
// text on a terminal of Linux, and the carriage returns of that. A move over
// blanks becomes a blank.
func withoutMoves(screen string) string {
	blanks := regexp.MustCompile("\x1b\\[[0-9]*C").ReplaceAllString(screen, " ")
	return regexp.MustCompile("\x1b\\[[?0-9;]*[A-Za-z]|\r").ReplaceAllString(blanks, "")
}

// stop ends the daemon of the profile dir, if one runs.
func (w *wine) stop(dir string) error {
	return w.run([]string{"OPEN2FA_DIR=" + dir}, filepath.Join(w.bin, "stop"))
}
