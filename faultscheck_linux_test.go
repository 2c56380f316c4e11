package o2fa_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
	"github.com/o2fa/o2fa/totp"
)

const faultSeed = 7

// secretOf is the secret of an entry of these tests, as base32.
func secretOf(name string) string {
	stem, _, _ := strings.Cut(name, "~") // of a row in secrets.json
	return derived(faultSeed, stem)
}

// fail checks an error of the API: which one it is, how it reads, and that it
// tells no secret.
func (p *place) fail(t *testing.T, what string, err, want error) *ipc.Error {
	t.Helper()
	wire := (*ipc.Error)(nil)
	if !errors.As(err, &wire) || !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v; log:\n%s", what, err, want, p.log())
		return &ipc.Error{}
	}
	text := wire.Message + " " + wire.Hint
	if wire.Message == "" || wire.Hint == "" || unicode.IsUpper(rune(wire.Message[0])) || strings.HasSuffix(text, ".") {
		t.Errorf("%s: message %q, hint %q", what, wire.Message, wire.Hint)
	}
	p.noSecret(t, what, text)
	return wire
}

// noSecret looks for the secrets of these tests' entries in what was printed or
// logged.
func (p *place) noSecret(t *testing.T, what, text string) {
	t.Helper()
	for _, name := range []string{"a", "h", "late", "new", "again", "late0", "late1", "late2"} {
		raw, err := totp.DecodeSecret(secretOf(name))
		if err != nil {
			t.Fatal(err)
		}
		for form, needle := range canaryForms(raw) {
			if bytes.Contains([]byte(text), needle) {
				t.Errorf("%s tells the secret of %s as %s", what, name, form)
			}
		}
	}
}

// o2fa runs the command line as it was built.
func (p *place) o2fa(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(filepath.Join(p.programs, program("o2fa")), args...)
	cmd.Env, cmd.Dir = p.environ(), p.env["HOME"]
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	code = exitCode(cmd.Run())
	return out.String(), errs.String(), code
}

// prints checks that o2fa fails as the API's documents say, and tells a person
// so.
func (p *place) prints(t *testing.T, want *ipc.Error, args ...string) {
	t.Helper()
	if !p.printsOrWorks(t, want, args...) {
		t.Errorf("o2fa %v works", args)
	}
}

// printsOrWorks is prints for a command that may find a way; then it returns
// false.
func (p *place) printsOrWorks(t *testing.T, want *ipc.Error, args ...string) bool {
	t.Helper()
	stdout, stderr, code := p.o2fa(t, args...)
	if code == 0 {
		return false
	}
	text := fmt.Sprintf("o2fa: error: %s\no2fa: hint: %s\n", want.Message, want.Hint)
	if documented := documentedExit(t, want.Code); code != documented || stderr != text || stdout != "" {
		t.Errorf("o2fa %v: exit code %d, want %d; stdout %q; stderr\n%swant\n%s", args, code, documented, stdout, stderr, text)
	}
	p.noSecret(t, "o2fa "+args[0], stdout+stderr)
	return true
}

// apiDocument has the table of codes.
const apiDocument = "local-api.md"

// documentedExit returns the exit code that the documents promise for a code.
func documentedExit(t *testing.T, code ipc.ErrorCode) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(programs(t), apiDocument))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?m)^\\| `" + string(code) + "` \\|.*\\| (\\d+) \\|$").FindSubmatch(text)
	if m == nil {
		t.Fatalf("%s is in no row of %s", code, apiDocument)
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// codeIs checks that the daemon and the command line show the right code.
func (p *place) codeIs(t *testing.T, name string) {
	t.Helper()
	for range 3 {
		before := codeOf(t, name)
		code, err := p.client.Code(t.Context(), name, 0)
		if err != nil {
			t.Errorf("code of %s: %v; log:\n%s", name, err, p.log())
			return
		}
		stdout, stderr, exit := p.o2fa(t, "code", name)
		if codeOf(t, name) != before {
			continue // a new step began meanwhile
		}
		if code.Code != before || stdout != before+"\n" || stderr != "" || exit != 0 {
			t.Errorf("code of %s: %s; o2fa: %q %q, exit code %d; want %s", name, code.Code, stdout, stderr, exit, before)
		}
		return
	}
	t.Error("three steps ended while codes were asked for")
}

func codeOf(t *testing.T, name string) string {
	t.Helper()
	raw, err := totp.DecodeSecret(secretOf(name))
	if err != nil {
		t.Fatal(err)
	}
	key, err := totp.NewKey(raw, totp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return key.Code(time.Now())
}

// holds checks that the vault has exactly these entries, with their secrets.
func (p *place) holds(t *testing.T, names map[string]bool) {
	t.Helper()
	now := p.entries(t)
	for name, e := range now {
		if !names[name] || e.Secret != secretOf(name) {
			t.Errorf("entry %s: wanted %t, secret right: %t", name, names[name], e.Secret == secretOf(name))
		}
	}
	for name := range names {
		if _, there := now[name]; !there {
			t.Errorf("entry %s is gone", name)
		}
	}
}

// furnish makes a vault with a totp entry "a" and an hotp entry "h".
func (p *place) furnish(t *testing.T) map[string]bool {
	t.Helper()
	p.add(t, secretOf("a"), "a")
	if _, err := p.client.Add(t.Context(), ipc.AddRequest{Secret: secretOf("h"), Name: "h", Type: "hotp"}); err != nil {
		t.Fatal(err)
	}
	return map[string]bool{"a": true, "h": true}
}

// tryAdd adds an entry, which may not work.
func (p *place) tryAdd(t *testing.T, name string) error {
	_, err := p.client.Add(t.Context(), ipc.AddRequest{Secret: secretOf(name), Name: name})
	return err
}

// codeIsStarting lets the command line start the daemon, and ends that.
func (p *place) codeIsStarting(t *testing.T, name string) {
	t.Helper()
	stdout, stderr, exit := p.o2fa(t, "code", name)
	if exit != 0 || len(stdout) != 7 || stderr != "" {
		t.Errorf("o2fa code starts no daemon: %q %q, exit code %d", stdout, stderr, exit)
	}
	if err := p.client.Shutdown(t.Context(), ipc.ShutdownRequest{}); err != nil {
		t.Error(err)
	}
	await(t, "the end of the daemon", func() bool {
		_, held, err := socket.ReadLock(p.profile)
		return err == nil && !held
	})
}
