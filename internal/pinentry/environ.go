package pinentry

import (
	"cmp"
	"strconv"
	"time"
)

// inherited are the variables that a pinentry gets: the display, who is there,
// and how programs look and speak to them. All else stays behind, such as what
// steers the dynamic linker, and identities and passphrase files of ours.
var inherited = []string{
	"DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS",
	"XDG_RUNTIME_DIR", "XDG_SESSION_TYPE", "XDG_CURRENT_DESKTOP", "XDG_DATA_DIRS", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_CACHE_HOME",
	"HOME", "USER", "LOGNAME", "PATH", "TMPDIR", "TERM", "GPG_TTY", "PINENTRY_USER_DATA",
	"LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES",
	"GSETTINGS_BACKEND", "GDK_BACKEND", "GDK_SCALE", "GDK_DPI_SCALE", "GTK_THEME", "GTK_IM_MODULE", "NO_AT_BRIDGE",
	"QT_QPA_PLATFORM", "QT_QPA_PLATFORMTHEME", "QT_SCALE_FACTOR", "QT_STYLE_OVERRIDE", "QT_IM_MODULE", "XMODIFIERS",
	// Windows
	"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "USERPROFILE", "USERNAME", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "TEMP", "TMP",
}

// environ returns the environment of a pinentry.
func environ(getenv func(string) string) []string {
	env := []string{} // not nil: that would be ours
	for _, name := range inherited {
		if value := getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// settings are the commands that tell a pinentry where it is, and how long it
// may ask.
func (p Program) settings() (lines []string) {
	for _, option := range []struct{ name, value string }{
		{"display", p.Getenv("DISPLAY")},
		{"ttyname", p.Getenv("GPG_TTY")},
		{"ttytype", p.Getenv("TERM")},
		{"lc-ctype", cmp.Or(p.Getenv("LC_ALL"), p.Getenv("LC_CTYPE"), p.Getenv("LANG"))},
		{"lc-messages", cmp.Or(p.Getenv("LC_ALL"), p.Getenv("LC_MESSAGES"), p.Getenv("LANG"))},
	} {
		if option.value != "" {
			lines = append(lines, "OPTION "+option.name+"="+escape(option.value, maxLine/2))
		}
	}
	seconds := int((p.Timeout + time.Second - 1) / time.Second)
	return append(lines, "SETTIMEOUT "+strconv.Itoa(seconds))
}
