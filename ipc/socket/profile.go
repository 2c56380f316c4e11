// Package socket owns where the daemon of a profile is found and who may talk
// there: profile resolution, the socket's address, listening, dialling, the
// checks of the peer at both ends, and the lock file that says which daemon
// serves. It knows nothing of what is said over a connection, and it starts no
// daemon.
package socket

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"unicode/utf8"
)

// The environment that says which profile is meant and where its daemon listens.
const (
	envDir     = "OPEN2FA_DIR"
	envSocket  = "O2FA_SOCKET"
	envRuntime = "XDG_RUNTIME_DIR"
)

// maxLinks bounds the symbolic links followed by hand, as the kernel does.
const maxLinks = 40

// Profile is one OPEN2FA_DIR and the address of its daemon. Resolve makes it.
type Profile struct {
	Dir    string // absolute, links resolved; it need not exist
	ID     string // 12 hex digits, the same for every spelling of Dir
	Socket string // path of a Unix socket, or name of a Windows pipe
	// Fixed says that O2FA_SOCKET named the address. The daemon behind it may be
	// that of another machine or container: never start or replace one, and do
	// not expect it to serve this very directory.
	Fixed bool

	getenv func(string) string
}

// Default returns the profile that the environment of this process names.
func Default() (Profile, error) { return Resolve(os.Getenv) }

// Resolve returns the profile that getenv names: OPEN2FA_DIR, or .open2fa in
// the home directory. It creates nothing.
func Resolve(getenv func(string) string) (Profile, error) {
	usual, err := usualDir(getenv)
	dir := getenv(envDir)
	if dir == "" {
		if err != nil {
			return Profile{}, err
		}
		dir = usual
	}
	real, err := realPath(dir, maxLinks)
	if err != nil {
		return Profile{}, fmt.Errorf("resolving the profile directory: %w", err)
	}
	if !utf8.ValidString(real) {
		// JSON, which holds paths in replies, in the lock file and in key slots,
		// would put another character in the place of such a byte.
		return Profile{}, fmt.Errorf("resolving the profile directory: the name of %s is not UTF-8", real)
	}
	switch usual {
	case dir, real: // the common cases; to follow links once more costs time
		usual = real
	case "":
	default:
		// A usual directory that cannot be resolved is not the one we have.
		usual, _ = realPath(usual, maxLinks)
	}
	sum := sha256.Sum256([]byte(identity(real)))
	p := Profile{Dir: real, ID: hex.EncodeToString(sum[:6]), getenv: getenv}
	if fixed := getenv(envSocket); fixed != "" {
		p.Fixed = true
		p.Socket, err = checkAddress(fixed)
	} else {
		p.Socket, err = address(p, identity(real) == identity(usual))
	}
	if err != nil {
		return Profile{}, fmt.Errorf("finding the daemon's socket: %w", err)
	}
	return p, nil
}

// VaultFile returns the path of the sealed store.
func (p Profile) VaultFile() string { return filepath.Join(p.Dir, "vault.db") }

// SecretsFile returns the path of open2fa's plaintext file.
func (p Profile) SecretsFile() string { return filepath.Join(p.Dir, "secrets.json") }

// LockFile returns the path of the file that the serving daemon holds locked.
func (p Profile) LockFile() string { return filepath.Join(p.Dir, "o2fad.lock") }

// LogFile returns the path of the daemon's log.
func (p Profile) LogFile() string { return filepath.Join(p.Dir, "o2fad.log") }

// usualDir returns the profile directory of someone who never set OPEN2FA_DIR.
func usualDir(getenv func(string) string) (string, error) {
	home := getenv(homeVariable)
	if home == "" {
		return "", fmt.Errorf("finding the home directory: neither %s nor %s is set", envDir, homeVariable)
	}
	return filepath.Join(home, ".open2fa"), nil
}

// realPath returns path absolute and without links. What does not exist yet is
// kept as it stands, so that a profile has one id before and after it is made,
// also behind a link to a directory that is not mounted at the moment.
func realPath(path string, links int) (string, error) {
	path, err := absolute(path)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(path)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return real, err
	}
	for len(path) > 1 && os.IsPathSeparator(path[len(path)-1]) {
		path = path[:len(path)-1]
	}
	parent, base := filepath.Split(path)
	if base == "" || parent == path {
		return "", err
	}
	if parent, err = realPath(parent, links); err != nil {
		return "", err
	}
	path = filepath.Join(parent, base)
	target, err := os.Readlink(path)
	if err != nil {
		return path, nil // not a link: the first part that is missing, or one below it
	}
	if links == 0 {
		return "", fmt.Errorf("%s: too many symbolic links", path)
	}
	if !filepath.IsAbs(target) {
		target = parent + string(filepath.Separator) + target
	}
	return realPath(target, links-1)
}
