package pinentry

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

func TestFind(t *testing.T) {
	if got := Find(Never); len(got) != 0 {
		t.Errorf("never: %q", got)
	}
	if got := Find("/opt/pinentry"); !slices.Equal(got, []string{"/opt/pinentry"}) {
		t.Errorf("a setting: %q", got)
	}
	for _, path := range Find("") {
		if !slices.Contains(places(runtime.GOOS), path) || !shows(path) {
			t.Errorf("%s is at no usual place, or shows nothing", path)
		}
	}
}

// The usual places are absolute, so that neither PATH nor the working directory
// has a say.
func TestPlaces(t *testing.T) {
	for _, goos := range []string{"linux", "freebsd", "darwin"} {
		for _, path := range places(goos) {
			if !filepath.IsAbs(path) && runtime.GOOS != "windows" {
				t.Errorf("%s: %s", goos, path)
			}
		}
	}
	for _, path := range places("windows") {
		if path[:3] != `C:\` {
			t.Errorf("windows: %s", path)
		}
	}
}

// Programs for terminals have none to ask on, whatever name leads to them.
func TestShows(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links and modes are Unix's")
	}
	dir := t.TempDir()
	file := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := func(name, target string) string {
		path := filepath.Join(dir, name)
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	gtk, curses := file("pinentry-gtk-2", 0o755), file("pinentry-curses", 0o755)
	for path, want := range map[string]bool{
		gtk: true, link("pinentry", gtk): true,
		curses: false, link("pinentry-x11", curses): false, file("pinentry-tty", 0o755): false,
		file("pinentry-qt", 0o644): false, dir: false, filepath.Join(dir, "missing"): false, link("dangling", "nowhere"): false,
	} {
		if got := shows(path); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}

func TestHasScreen(t *testing.T) {
	for _, c := range []struct {
		goos, variable string
		want           bool
	}{
		{"linux", "", false}, {"linux", "DISPLAY", true}, {"linux", "WAYLAND_DISPLAY", true}, {"freebsd", "DISPLAY", true},
		{"linux", "SSH_CONNECTION", false}, {"darwin", "", true}, {"darwin", "SSH_CONNECTION", false},
		{"windows", "", true}, {"windows", "SSH_CONNECTION", false},
	} {
		getenv := func(name string) string {
			if name == c.variable {
				return "x"
			}
			return ""
		}
		if got := hasScreen(c.goos, getenv); got != c.want {
			t.Errorf("%s with %q: %v", c.goos, c.variable, got)
		}
	}
}
