//go:build unix

package socket

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func mustResolve(t *testing.T, env environment) Profile {
	t.Helper()
	p, err := Resolve(env.get)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestIDIsFrozen keeps the addresses of releases alike.
func TestIDIsFrozen(t *testing.T) {
	p := mustResolve(t, environment{"OPEN2FA_DIR": "/nonexistent-o2fa/profile"})
	// printf %s /nonexistent-o2fa/profile | sha256sum
	if p.Dir != "/nonexistent-o2fa/profile" || p.ID != "3b30d4467ce3" {
		t.Errorf("Resolve = %q, %q", p.Dir, p.ID)
	}
}

func TestEverySpellingIsOneProfile(t *testing.T) {
	home := shortDir(t)
	real := filepath.Join(home, "a", "real")
	for link, target := range map[string]string{
		"absolute": real, "relative": "a/real", "a/up": "../a/real", "chain": "absolute", "parent": "a",
	} {
		if err := os.MkdirAll(filepath.Join(home, "a"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(home, link)); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(home)
	spellings := []string{
		real, real + "/", "a/real", "./a//real", home + "/absolute", home + "/relative", "chain",
		home + "/a/up", "parent/real", "parent/../a/real", home + "/a/./real//",
	}
	check := func(when string) {
		for _, s := range spellings {
			if p := mustResolve(t, environment{"HOME": home, "OPEN2FA_DIR": s}); p.Dir != real {
				t.Errorf("%s: OPEN2FA_DIR=%s is %s, want %s", when, s, p.Dir, real)
			}
		}
	}
	check("before the directory exists")
	if err := os.Mkdir(real, 0o700); err != nil {
		t.Fatal(err)
	}
	check("with the directory")
}

// TestDotDotAfterALink follows the kernel, not the text: link/.. is the parent
// of what link points to.
func TestDotDotAfterALink(t *testing.T) {
	home := shortDir(t)
	if err := os.MkdirAll(home+"/deep/down", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("deep/down", home+"/link"); err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(home, "deep", "profile")
	for range 2 { // before and after it exists
		if p := mustResolve(t, environment{"OPEN2FA_DIR": home + "/link/../profile"}); p.Dir != want {
			t.Errorf("Resolve = %s, want %s", p.Dir, want)
		}
		os.Mkdir(want, 0o700)
	}
}

func TestResolveRefuses(t *testing.T) {
	home := shortDir(t)
	os.Symlink("loop", home+"/loop")
	os.WriteFile(home+"/file", nil, 0o600)
	for name, env := range map[string]environment{
		"no home":           {},
		"a link to itself":  {"OPEN2FA_DIR": home + "/loop"},
		"below a file":      {"OPEN2FA_DIR": home + "/file/x"},
		"no UTF-8":          {"HOME": home, "OPEN2FA_DIR": home + "/\xff"},
		"a socket too long": {"HOME": home, "O2FA_SOCKET": "/" + strings.Repeat("x", maxSocket)},
	} {
		if p, err := Resolve(env.get); err == nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestSocketFromEnvironment(t *testing.T) {
	home := shortDir(t)
	t.Chdir(home)
	p := mustResolve(t, environment{"HOME": home, "XDG_RUNTIME_DIR": home, "O2FA_SOCKET": "x.sock"})
	if !p.Fixed || p.Socket != filepath.Join(home, "x.sock") {
		t.Errorf("O2FA_SOCKET=x.sock is %s, fixed %v", p.Socket, p.Fixed)
	}
}

func TestSocketInRuntimeDir(t *testing.T) {
	home := shortDir(t)
	p := mustResolve(t, environment{"HOME": home, "XDG_RUNTIME_DIR": home})
	if p.Fixed || p.Socket != home+"/o2fa/agent.sock" || p.Dir != home+"/.open2fa" {
		t.Errorf("the usual profile: %+v", p)
	}
	named := mustResolve(t, environment{"HOME": home, "XDG_RUNTIME_DIR": home, "OPEN2FA_DIR": home + "/.open2fa/"})
	if named.Socket != p.Socket || named.ID != p.ID {
		t.Errorf("the usual profile, named: %+v", named)
	}
	os.Symlink(home+"/.open2fa", home+"/link")
	linked := mustResolve(t, environment{"HOME": home, "XDG_RUNTIME_DIR": home, "OPEN2FA_DIR": home + "/link"})
	if linked.Socket != p.Socket || linked.ID != p.ID {
		t.Errorf("the usual profile, by a link: %+v", linked)
	}
	linkedHome := mustResolve(t, environment{"HOME": home + "/linked", "XDG_RUNTIME_DIR": home, "OPEN2FA_DIR": home + "/.open2fa"})
	if linkedHome.Socket == p.Socket || linkedHome.ID != p.ID {
		t.Errorf("without the home directory: %+v", linkedHome)
	}
	os.Symlink(home, home+"/linked")
	linkedHome = mustResolve(t, environment{"HOME": home + "/linked", "XDG_RUNTIME_DIR": home, "OPEN2FA_DIR": home + "/.open2fa"})
	if linkedHome.Socket != p.Socket || linkedHome.ID != p.ID {
		t.Errorf("a linked home directory: %+v", linkedHome)
	}
	other := mustResolve(t, environment{"HOME": home, "XDG_RUNTIME_DIR": home, "OPEN2FA_DIR": home + "/other"})
	if other.Socket != home+"/o2fa/agent-"+other.ID+".sock" || other.ID == p.ID {
		t.Errorf("another profile: %+v", other)
	}
}

// TestResolveFollowsLinksOnce compares allocations, of which nearly all come
// from the looks at the directories of a deep path.
func TestResolveFollowsLinksOnce(t *testing.T) {
	home := shortDir(t) + strings.Repeat("/d", 40)
	if err := os.MkdirAll(home+"/.open2fa", 0o700); err != nil {
		t.Fatal(err)
	}
	once := testing.AllocsPerRun(10, func() { realPath(home+"/.open2fa", maxLinks) })
	for _, dir := range []string{"", home + "/.open2fa", home + "/.open2fa/"} {
		env := environment{"HOME": home, "XDG_RUNTIME_DIR": home, "OPEN2FA_DIR": dir}
		if got := testing.AllocsPerRun(10, func() { Resolve(env.get) }); got > 1.5*once {
			t.Errorf("OPEN2FA_DIR=%s: %v allocations, one look has %v", dir, got, once)
		}
	}
}

func TestRuntimeDirMustBeOurs(t *testing.T) {
	ours := shortDir(t)
	file := ours + "/file"
	os.WriteFile(file, nil, 0o600)
	fallback := runtimeDir(environment{}.get)
	for name, dir := range map[string]string{"relative": "run", "missing": ours + "/none", "a file": file} {
		if got := runtimeDir(environment{"XDG_RUNTIME_DIR": dir}.get); got != fallback {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := runtimeDir(environment{"XDG_RUNTIME_DIR": ours}.get); got != ours {
		t.Errorf("our own: %q", got)
	}
	t.Run("foreign", func(t *testing.T) {
		needRoot(t)
		if err := os.Chown(ours, nobody, nobody); err != nil {
			t.Fatal(err)
		}
		if got := runtimeDir(environment{"XDG_RUNTIME_DIR": ours}.get); got != fallback {
			t.Errorf("a foreign one was taken: %q", got)
		}
	})
}

func TestAddressWithoutRuntimeDir(t *testing.T) {
	dir := shortDir(t)
	p := Profile{Dir: dir, ID: "0123456789ab"}
	if got := addressIn("", p, true); got != dir+"/run/agent.sock" {
		t.Errorf("usual: %s", got)
	}
	if got := addressIn("", p, false); got != dir+"/run/agent-0123456789ab.sock" {
		t.Errorf("other: %s", got)
	}
}

func TestLongAddressMovesToTmp(t *testing.T) {
	short := fmt.Sprintf("/tmp/o2fa-%d/0123456789ab.sock", os.Geteuid())
	tail := "/run/agent.sock"
	fits := "/" + strings.Repeat("d", maxDerived-len(tail)-1)
	if got := addressIn("", Profile{Dir: fits, ID: "0123456789ab"}, true); got != fits+tail {
		t.Errorf("%d bytes: %s", len(fits+tail), got)
	}
	if got := addressIn("", Profile{Dir: fits + "d", ID: "0123456789ab"}, true); got != short {
		t.Errorf("one byte more: %s", got)
	}
}

func TestFiles(t *testing.T) {
	p := Profile{Dir: "/d"}
	got := []string{p.VaultFile(), p.SecretsFile(), p.LockFile(), p.LogFile()}
	if !slices.Equal(got, []string{"/d/vault.db", "/d/secrets.json", "/d/o2fad.lock", "/d/o2fad.log"}) {
		t.Error(got)
	}
}

func TestEnviron(t *testing.T) {
	home := shortDir(t)
	t.Chdir(home)
	p := mustResolve(t, environment{
		"HOME": home, "OPEN2FA_DIR": "profile", "XDG_RUNTIME_DIR": home, "PATH": "/bin",
		"O2FA_PASSPHRASE_FILE": "pass", "O2FA_KEYSTORE": "keyfile", "LD_PRELOAD": "/evil.so", "GODEBUG": "x=1",
		"TERM": "xterm",
	})
	want := []string{
		"HOME=" + home, "O2FA_KEYSTORE=keyfile", "O2FA_PASSPHRASE_FILE=" + home + "/pass",
		"OPEN2FA_DIR=" + home + "/profile", "PATH=/bin", "XDG_RUNTIME_DIR=" + home,
	}
	got := p.Environ()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("Environ = %q\nwant %q", got, want)
	}
	if env := (Profile{Dir: "/d"}).Environ(); !slices.Equal(env, []string{"OPEN2FA_DIR=/d"}) {
		t.Errorf("a profile made by hand: %q", env)
	}
}

func TestMakeDir(t *testing.T) {
	p := Profile{Dir: shortDir(t) + "/profile"}
	defer syscall.Umask(syscall.Umask(0o777))
	for range 2 {
		if err := p.MakeDir(); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(p.Dir)
		if err != nil || info.Mode() != os.ModeDir|0o700 {
			t.Fatalf("made %v, %v", info, err)
		}
	}
}

func TestMakeDirMakesParents(t *testing.T) {
	p := Profile{Dir: shortDir(t) + "/a/b/profile"}
	if err := p.MakeDir(); err != nil {
		t.Fatal(err)
	}
}

func TestMakeDirRefuses(t *testing.T) {
	dir := shortDir(t)
	refused := func(name, path string) {
		t.Helper()
		if err := (Profile{Dir: path}).MakeDir(); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	os.WriteFile(dir+"/file", nil, 0o600)
	refused("a file", dir+"/file")
	os.Symlink(dir, dir+"/link")
	refused("a link", dir+"/link")
	for mode, bad := range map[os.FileMode]bool{0o700: false, 0o755: false, 0o770: true, 0o702: true} {
		path := fmt.Sprintf("%s/%o", dir, mode)
		os.Mkdir(path, 0o700)
		os.Chmod(path, mode)
		if bad {
			refused(mode.String(), path)
		} else if err := (Profile{Dir: path}).MakeDir(); err != nil {
			t.Errorf("%o: %v", mode, err)
		}
	}
	t.Run("foreign", func(t *testing.T) {
		needRoot(t)
		os.Mkdir(dir+"/foreign", 0o700)
		os.Chown(dir+"/foreign", nobody, nobody)
		refused("foreign", dir+"/foreign")
	})
}
