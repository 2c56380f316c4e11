package pinentry

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Never is the setting by which a person wants no dialogs.
const Never = "never"

// Find returns the programs to try, in order, for a setting: an absolute path
// means that one, Never none, and nothing those of the usual places that are
// there.
func Find(setting string) []string {
	switch setting {
	case Never:
		return nil
	case "":
		return slices.DeleteFunc(places(runtime.GOOS), func(path string) bool { return !shows(path) })
	}
	return []string{setting}
}

// HasScreen says whether the one who gave the command can see a dialog.
func HasScreen(getenv func(string) string) bool { return hasScreen(runtime.GOOS, getenv) }

func hasScreen(goos string, getenv func(string) string) bool {
	switch goos {
	case "windows", "darwin":
		return getenv("SSH_CONNECTION") == "" // else the screen is another person's
	}
	return getenv("DISPLAY") != "" || getenv("WAYLAND_DISPLAY") != ""
}

// places are where systems and GnuPG's installers put pinentries that show
// dialogs: files of root or of the administrator, who owns gpg as well.
func places(goos string) []string {
	switch goos {
	case "darwin":
		return []string{
			"/opt/homebrew/bin/pinentry-mac",
			"/usr/local/bin/pinentry-mac",
			"/usr/local/MacGPG2/libexec/pinentry-mac.app/Contents/MacOS/pinentry-mac",
		}
	case "windows":
		return []string{
			`C:\Program Files\Gpg4win\bin\pinentry.exe`,
			`C:\Program Files (x86)\Gpg4win\bin\pinentry.exe`,
			`C:\Program Files\GnuPG\bin\pinentry-basic.exe`,
			`C:\Program Files (x86)\GnuPG\bin\pinentry-basic.exe`,
		}
	}
	return []string{
		"/usr/bin/pinentry", // the one that the system was told to use
		"/usr/bin/pinentry-gnome3",
		"/usr/bin/pinentry-qt",
		"/usr/bin/pinentry-gtk-2",
		"/usr/bin/pinentry-fltk",
		"/usr/local/bin/pinentry",
		"/run/current-system/sw/bin/pinentry",
	}
}

// shows says whether the program at path is there and may show a dialog: those
// for terminals have none to ask on.
func shows(path string) bool {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false
	}
	info, err := os.Stat(real)
	if err != nil || !info.Mode().IsRegular() || runtime.GOOS != "windows" && info.Mode().Perm()&0o111 == 0 {
		return false
	}
	name := filepath.Base(real)
	return !strings.HasPrefix(name, "pinentry-curses") && !strings.HasPrefix(name, "pinentry-tty")
}
