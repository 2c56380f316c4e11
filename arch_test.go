package o2fa_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// law says which packages of ours a package may import. The longest path that
// matches decides; "/..." means the package and all below it. A package that no
// row matches may import nothing of ours. The tests of a package may in addition
// import the package itself and helpers, whose names end in "test".
//
// .golangci.yml mirrors the coarse part of this table for editors.
var law = map[string][]string{
	"totp/...": {"totp/..."},
	"ipc":      {},

	"ipc/socket":  {"ipc", "internal/acl"},
	"client":      {"ipc", "ipc/socket", mechanisms, root},
	"client/cli":  {"client", "client/kit", "ipc", "ipc/socket", mechanisms, root},
	"client/kit":  {mechanisms},
	"client/o2fa": {"client/cli", "internal/command"},

	"daemon":                          {"ipc", "ipc/socket", "totp", "server/syncapi", "daemon/internal/...", mechanisms, service, root},
	"daemon/cli":                      {"daemon", "ipc", "ipc/socket", mechanisms, service, root},
	"daemon/o2fad":                    {"daemon/cli", "internal/command"},
	"daemon/daemontest":               {"daemon", "daemon/internal/...", "client", "ipc", "ipc/socket", mechanisms, root},
	"daemon/internal/...":             {"daemon/internal/...", "totp", "server/syncapi", mechanisms},
	"daemon/internal/seal":            {},
	"daemon/internal/secretsfile":     {"totp", mechanisms},
	"daemon/internal/keypage":         {},
	"daemon/internal/vault":           {"daemon/internal/keypage", "daemon/internal/seal", mechanisms},
	"daemon/internal/keystore/...":    {"daemon/internal/keystore/...", mechanisms},
	"daemon/internal/config":          {mechanisms},
	"daemon/internal/session":         {mechanisms},
	"daemon/internal/clipboard":       {mechanisms},
	"daemon/internal/interchange/...": {"daemon/internal/interchange/...", "totp", mechanisms},

	"tray/...":           {"tray/...", "client", "ipc", "ipc/socket", mechanisms, service, root},
	"tray/icon":          {},
	"server/...":         {"server/...", "totp", mechanisms, service, root},
	"server/syncapi":     {},
	"server/o2fa-server": {"server/cli", "internal/command"},

	"internal/...":         {},
	"internal/command/...": {"internal/command/..."},
	"internal/dbus/...":    {"internal/dbus/..."},
	"internal/secret":      {"internal/acl"},
	"internal/pinentry":    {"internal/secret"},
	"packaging/service":    {mechanisms},
	"packaging/pages":      {"client/cli", "daemon/cli", "internal/command", root},
}

// Groups that many rows of the law name.
const (
	root       = "." // Version
	mechanisms = "internal/..."
	service    = "packaging/service"
)

// importers says which package alone imports a module of others.
var importers = map[string]string{
	"github.com/Microsoft/go-winio": "ipc/socket",
	"github.com/fsnotify/fsnotify":  "daemon/internal/secretsfile",
	"github.com/getlantern/systray": "tray/icon",
	"github.com/godbus/dbus/v5":     "internal/dbus",
	"github.com/kardianos/service":  "packaging/service",
	"github.com/pelletier/go-toml":  "daemon/internal/config",
	"github.com/spf13/pflag":        "internal/command",
	"github.com/zalando/go-keyring": "daemon/internal/keystore",
	"go.etcd.io/bbolt":              "daemon/internal/vault",
	"rsc.io/qr":                     "internal/qr",
}

// everywhere lists the modules that count as part of the platform.
var everywhere = []string{"golang.org/x/sys", "golang.org/x/crypto", "golang.org/x/term", "golang.org/x/text"}

// testOnly lists the modules that only the named package's tests import.
var testOnly = map[string]string{"github.com/rogpeppe/go-internal": root}

// stdlibOnly lists the packages that others are to take over or read alone.
var stdlibOnly = []string{"totp", "ipc", "server/syncapi", "daemon/internal/seal"}

// exceptions lists what rules of this file let pass, with the reason. An entry
// that nothing needs any more is a failure, too.
var exceptions = map[string]string{
	"ipc/socket/profile.go: Default uses os.Getenv":   "a client with a zero value has nobody to pass the environment down",
	"internal/dbus/session.go: Shared uses os.Setenv": "godbus takes the address of its shared connection from there only",
	"internal/command/command.go: JSONFlag":           "a constant in all but the language: Go has none of struct type",
	"internal/command/command.go: NoInputFlag":        "as JSONFlag",
}

// rules are the checks, each with a source tree that breaks it. The tree is laid
// over a sound one, and the complaint must contain want.
var rules = []struct {
	name   string
	check  func([]*pkg) []string
	breaks map[string]string
	want   string
}{
	{"import law", checkLaw, map[string]string{
		"client/client.go": `package client; import _ "` + module + `/daemon"`}, "client/client.go imports daemon"},
	{"import law on other systems", checkLaw, map[string]string{
		"client/x_windows.go": `package client; import _ "` + module + `/daemon/internal/vault"`}, "imports daemon/internal/vault"},
	{"import law inside the daemon", checkLaw, map[string]string{
		"daemon/internal/vault/x.go": `package vault; import _ "` + module + `/daemon/internal/keystore"`}, "imports daemon/internal/keystore"},
	{"import law for mechanisms", checkLaw, map[string]string{
		"internal/qr/x.go": `package qr; import _ "` + module + `/internal/secret"`}, "imports internal/secret"},
	{"import law for packages without a row", checkLaw, map[string]string{
		"novel/x.go": `package novel; import _ "` + module + `/totp"`}, "imports totp"},
	{"import law in tests", checkLaw, map[string]string{
		"client/x_test.go": `package client_test; import _ "` + module + `/daemon"`}, "imports daemon"},
	{"helpers in tests only", checkHelpers, map[string]string{
		"daemon/x.go": `package daemon; import _ "` + module + `/internal/dbus/dbustest"`}, "internal/dbus/dbustest is for tests"},
	{"one importer for each module", checkModules, map[string]string{
		"daemon/x.go": `package daemon; import _ "go.etcd.io/bbolt"`}, "only daemon/internal/vault imports go.etcd.io/bbolt"},
	{"one importer in tests too", checkModules, map[string]string{
		"daemon/x_test.go": `package daemon; import _ "go.etcd.io/bbolt/errors"`}, "only daemon/internal/vault"},
	{"unknown modules", checkModules, map[string]string{
		"daemon/x.go": `package daemon; import _ "example.com/left-pad"`}, "example.com/left-pad has no importer"},
	{"modules for tests", checkModules, map[string]string{
		"x.go": `package o2fa; import _ "github.com/rogpeppe/go-internal/testscript"`}, "only tests of . import"},
	{"standard library only", checkModules, map[string]string{
		"totp/x.go": `package totp; import _ "golang.org/x/crypto/hkdf"`}, "totp has the standard library only"},
	{"package comments", checkDocs, map[string]string{
		"totp/totp.go": `package totp`}, "totp has no package comment"},
	{"package comments that begin with the name", checkDocs, map[string]string{
		"totp/totp.go": "// Codes.\npackage totp"}, "begins with"},
	{"short mains", checkMains, map[string]string{
		"client/o2fa/main.go": "// Command o2fa.\npackage main\nfunc main() {" + strings.Repeat("\n", 21) + "}"}, "main has 22 lines"},
	{"mains without logic", checkMains, map[string]string{
		"client/o2fa/x.go": "package main\nfunc helper() {}"}, "helper"},
	{"exit from the depths", checkProcess, map[string]string{
		"daemon/x.go": `package daemon; import "os"; func f() { os.Exit(1) }`}, "daemon/x.go: f uses os.Exit"},
	{"environment under another name", checkProcess, map[string]string{
		"daemon/x.go": `package daemon; import sys "os"; var get = sys.Getenv`}, "uses os.Getenv"},
	{"fatal logs", checkProcess, map[string]string{
		"daemon/x.go": `package daemon; import "log"; func f() { log.Fatalf("x") }`}, "uses log.Fatalf"},
	{"cgo", checkCgo, map[string]string{
		"daemon/x_darwin.go": `package daemon; import "C"`}, "daemon/x_darwin.go uses cgo"},
	{"exported variables", checkVariables, map[string]string{
		"totp/x.go": `package totp; var Window = 30`}, "totp/x.go: Window"},
	{"sentinels that are not errors", checkVariables, map[string]string{
		"totp/x.go": `package totp; var ErrNot error`}, "ErrNot"},
	{"sleeping tests", checkSleep, map[string]string{
		"totp/x_test.go": `package totp; import "time"; func f() { time.Sleep(1) }`}, "totp/x_test.go: f sleeps"},
	{"sleeping helpers", checkSleep, map[string]string{
		"internal/dbus/dbustest/x.go": `package dbustest; import t "time"; func f() { t.Sleep(1) }`}, "f sleeps"},
}

// sound is a source tree that follows all rules.
var sound = map[string]string{
	"doc.go":                           "// Package o2fa is the map.\npackage o2fa",
	"script_test.go":                   `package o2fa_test; import _ "github.com/rogpeppe/go-internal/testscript"; import _ "` + module + `/daemon/cli"`,
	"totp/totp.go":                     "// Package totp makes codes.\npackage totp\nimport \"errors\"\nvar ErrX = errors.New(\"x\")",
	"ipc/socket/x.go":                  "// Package socket is one.\npackage socket\nimport _ \"os\"",
	"ipc/socket/x_w.go":                `package socket; import _ "github.com/Microsoft/go-winio"; import _ "golang.org/x/sys/windows"`,
	"client/client.go":                 "// Package client asks.\npackage client\nimport _ \"" + module + "/ipc/socket\"",
	"client/o2fa/main.go":              "// Command o2fa is the command line.\npackage main\nimport \"os\"\nfunc main() { os.Exit(len(os.Args)) }",
	"daemon/daemon.go":                 "// Package daemon serves.\npackage daemon\nimport _ \"" + module + "/daemon/internal/vault\"",
	"daemon/x_test.go":                 `package daemon_test; import _ "` + module + `/daemon"; import _ "` + module + `/internal/dbus/dbustest"`,
	"tray/icon/icon.go":                "// Package icon shows.\npackage icon\nimport \"C\"",
	"daemon/internal/vault/vault.go":   "// Package vault keeps.\npackage vault\nimport _ \"go.etcd.io/bbolt\"\nimport _ \"" + module + "/daemon/internal/seal\"",
	"internal/dbus/dbustest/bus.go":    "// Package dbustest helps.\npackage dbustest\nimport _ \"" + module + "/internal/dbus\"",
	"bench/go.mod":                     "module bench",
	"bench/x.go":                       `package bench; import _ "example.com/other"`,
	"daemon/internal/vault/testdata/x": "not Go",
}

// TestArchitecture holds this module to the rules.
func TestArchitecture(t *testing.T) {
	packages, err := load(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) < 5 {
		t.Fatalf("found %d packages only", len(packages))
	}
	seen := map[string]bool{}
	excused := map[string]bool{}
	for _, rule := range rules {
		for _, complaint := range rule.check(packages) {
			what, _, _ := strings.Cut(complaint, ",")
			if exceptions[what] == "" && !seen[complaint] {
				t.Errorf("%s: %s", rule.name, complaint)
			}
			seen[complaint], excused[what] = true, true
		}
	}
	for what := range exceptions {
		if !excused[what] {
			t.Errorf("exception %q is not needed any more", what)
		}
	}
}

// TestRulesCanFail shows for each rule that it accepts sound source and finds
// what breaks it.
func TestRulesCanFail(t *testing.T) {
	tree := func(more map[string]string) []*pkg {
		files := fstest.MapFS{}
		for _, layer := range []map[string]string{sound, more} {
			for name, source := range layer {
				files[name] = &fstest.MapFile{Data: []byte(source)}
			}
		}
		packages, err := load(files)
		if err != nil {
			t.Fatal(err)
		}
		return packages
	}
	for _, rule := range rules {
		if got := rule.check(tree(nil)); len(got) > 0 {
			t.Errorf("%s: complains about sound source: %q", rule.name, got)
		}
		got := rule.check(tree(rule.breaks))
		if len(got) != 1 || !strings.Contains(got[0], rule.want) {
			t.Errorf("%s: got %q, want one complaint with %q", rule.name, got, rule.want)
		}
	}
}

var updateDeps = flag.Bool("update-cli-deps", false, "write testdata/cli-deps.txt anew")

// TestDependenciesOfTheCommandLine keeps o2fa thin: what it links decides how
// fast a code appears. The list leaves out the internal packages of the standard
// library, which differ between releases of Go.
func TestDependenciesOfTheCommandLine(t *testing.T) {
	const main, list = "./client/o2fa", "testdata/cli-deps.txt"
	cmd := exec.Command("go", "list", "-deps", main)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOFLAGS=")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("listing dependencies: %v", err)
	}
	now := slices.DeleteFunc(strings.Fields(string(out)), func(path string) bool {
		first, _, _ := strings.Cut(path, "/")
		return !strings.Contains(first, ".") && (first == "vendor" || slices.Contains(strings.Split(path, "/"), "internal"))
	})
	slices.Sort(now)
	// Not a matter of the list: each of these alone costs about a quarter more time.
	for _, heavy := range []string{"net/http", "crypto/tls", "crypto/x509"} {
		if slices.Contains(now, heavy) {
			t.Errorf("the command line must not link %s", heavy)
		}
	}
	text := strings.Join(now, "\n") + "\n"
	if *updateDeps {
		if err := os.WriteFile(list, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	was, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	if diff := lineDiff(strings.Fields(string(was)), now); diff != "" {
		t.Errorf("the command line links other packages than %s says:\n%s"+
			"if that is meant: go test -run %s . -update-cli-deps", list, diff, t.Name())
	}
}

// lineDiff lists what only one of two sorted lists has.
func lineDiff(was, now []string) string {
	var b strings.Builder
	for _, line := range was {
		if !slices.Contains(now, line) {
			fmt.Fprintf(&b, "- %s\n", line)
		}
	}
	for _, line := range now {
		if !slices.Contains(was, line) {
			fmt.Fprintf(&b, "+ %s\n", line)
		}
	}
	return b.String()
}

func TestLineDiff(t *testing.T) {
	if got := lineDiff([]string{"a", "b"}, []string{"b", "c"}); got != "- a\n+ c\n" {
		t.Errorf("got %q", got)
	}
}
