//go:build linux

package dbustest

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// StartDisplay starts an X server without a screen and returns its name, such
// as ":1".
func StartDisplay(tb testing.TB) string {
	tb.Helper()
	Need(tb, "Xvfb", "xvfb")
	read, write, err := os.Pipe()
	if err != nil {
		tb.Fatal(err)
	}
	defer read.Close()
	// It takes the first free number and tells it on descriptor 3. It must not
	// start anew when its last client leaves, which each xdotool is: a program
	// that connects meanwhile finds no display.
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-noreset", "-screen", "0", "800x600x24", "-nolisten", "tcp")
	cmd.ExtraFiles = []*os.File{write}
	p := start(tb, cmd)
	write.Close()
	tb.Cleanup(func() { p.stop() })
	if err := read.SetReadDeadline(time.Now().Add(patience)); err != nil {
		tb.Fatal(err)
	}
	line, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		tb.Fatalf("Xvfb: %v: %s", err, p.output())
	}
	return ":" + strings.TrimSpace(line)
}

// Type waits for a window of the given class on display and types text and
// Return into it.
func Type(tb testing.TB, display, class, text string) {
	tb.Helper()
	WaitWindow(tb, display, class, true)
	if out, err := xdotool(tb, display, "type", "--delay", "20", text); err != nil {
		tb.Fatalf("xdotool: %v: %s", err, out)
	}
	Press(tb, display, "Return")
}

// Press presses a key, such as Escape, in the window that has the keyboard.
func Press(tb testing.TB, display, key string) {
	tb.Helper()
	if out, err := xdotool(tb, display, "key", key); err != nil {
		tb.Fatalf("xdotool: %v: %s", err, out)
	}
}

// WaitWindow waits until a window of the given class is, or is no longer,
// visible on display.
func WaitWindow(tb testing.TB, display, class string, visible bool) {
	tb.Helper()
	Eventually(tb, "a window of class "+class, func() bool {
		_, err := xdotool(tb, display, "search", "--onlyvisible", "--class", class)
		return (err == nil) == visible
	})
}

// Windows returns the ids of the visible windows of the given class on display.
func Windows(tb testing.TB, display, class string) []string {
	tb.Helper()
	out, err := xdotool(tb, display, "search", "--onlyvisible", "--class", class)
	if err != nil {
		return nil // that is how it says that there is none
	}
	return strings.Fields(out)
}

// WaitResize waits until the window of the given class has another size than
// before, as Size told it: a dialog that complains has a line more.
func WaitResize(tb testing.TB, display, class, before string) {
	tb.Helper()
	Eventually(tb, "a window of class "+class+" of another size", func() bool {
		now := Size(tb, display, class)
		return now != "" && now != before
	})
}

// Size returns the size of the visible window of the given class; empty if there
// is none.
func Size(tb testing.TB, display, class string) string {
	tb.Helper()
	windows := Windows(tb, display, class)
	if len(windows) == 0 {
		return ""
	}
	out, err := xdotool(tb, display, "getwindowgeometry", windows[0])
	if err != nil {
		return "" // it has gone
	}
	_, size, _ := strings.Cut(out, "Geometry: ")
	return strings.TrimSpace(size)
}

func xdotool(tb testing.TB, display string, args ...string) (string, error) {
	tb.Helper()
	Need(tb, "xdotool", "xdotool")
	cmd := exec.Command("xdotool", args...)
	cmd.Env = []string{"DISPLAY=" + display, "PATH=" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	return string(out), err
}
