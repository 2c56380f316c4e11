package socket

import (
	"path/filepath"
	"slices"
)

// inherited are the variables that a daemon started by a client gets. All else
// stays behind: what steers the dynamic linker or Go's runtime, and what merely
// belongs to the terminal that happened to ask first. O2FA_SOCKET is missing
// because a client that has it starts nothing.
var inherited = []string{
	// who and where
	"HOME", "USER", "LOGNAME", "PATH", "TMPDIR", "TZ",
	"LANG", "LC_ALL", "LC_CTYPE", "LC_MESSAGES",
	// the session: keyring, its prompt, clipboard; who tells of its lock and its end
	"XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_SESSION_TYPE", "XDG_CURRENT_DESKTOP",
	"DBUS_SESSION_BUS_ADDRESS", "DBUS_SYSTEM_BUS_ADDRESS", "DISPLAY", "XAUTHORITY", "WAYLAND_DISPLAY",
	// ours; OPEN2FA_DIR is set to the resolved directory
	"OPEN2FA_API_URL", "OPEN2FA_UUID", "O2FA_KEYSTORE", "O2FA_PASSPHRASE_FILE",
	// how sync reaches the network
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
	"SSL_CERT_FILE", "SSL_CERT_DIR",
	// Windows
	"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "USERPROFILE", "USERNAME", "USERDOMAIN",
	"HOMEDRIVE", "HOMEPATH", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "TEMP", "TMP",
}

// filePaths are the variables whose relative value would change its meaning,
// since the daemon's working directory is the root.
var filePaths = []string{"HOME", "TMPDIR", "XAUTHORITY", "O2FA_PASSPHRASE_FILE", "SSL_CERT_FILE", "SSL_CERT_DIR"}

// Environ returns the environment of a daemon that a client starts for p:
// OPEN2FA_DIR as resolved, and of getenv's variables those that a daemon has a
// use for, relative paths made absolute.
func (p Profile) Environ() []string {
	env := []string{envDir + "=" + p.Dir}
	if p.getenv == nil {
		return env
	}
	for _, name := range inherited {
		value := p.getenv(name)
		if value == "" {
			continue
		}
		if slices.Contains(filePaths, name) {
			if abs, err := filepath.Abs(value); err == nil {
				value = abs
			}
		}
		env = append(env, name+"="+value)
	}
	return env
}
