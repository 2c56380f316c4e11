package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/internal/command/ptytest"
	"github.com/o2fa/o2fa/ipc"
)

func TestAddAsks(t *testing.T) {
	w := started(t)
	p := ptytest.New(t)
	done := w.sit(p, "add")
	p.Expect("Secret (not shown): ")
	p.Type(rfcSecret + "\n")
	p.Expect("Name: ")
	p.Type("my bank\n")
	if got := <-done; got.out != "\nADDED NEW SECRET: my bank G...Q\n\n1 secrets total.\n" {
		t.Errorf("%v", got)
	}
	p = ptytest.New(t)
	done = w.sit(p, "add", "-", "-n", "other")
	p.Expect("Secret (not shown): ")
	p.Type(open2faSecret + "\n")
	if got := <-done; got.out != "\nADDED NEW SECRET: other I...E\n\n2 secrets total.\n" {
		t.Errorf("%v", got)
	}
	if got := <-w.sit(p, "add", "--no-input"); got.code != 2 {
		t.Errorf("questions were forbidden: %v", got)
	}
	if got := <-w.sit(p, "add", "-", "--no-input"); got.code != 2 {
		t.Errorf("questions were forbidden: %v", got)
	}
	p = ptytest.New(t)
	done = w.sit(p, "add", "-n", "third")
	p.Expect("Secret (not shown): ")
	p.Type("\x04")
	if got := <-done; got.code != 130 {
		t.Errorf("end of input: %v", got)
	}
}

// A locked vault that needs nobody is opened on a terminal, but not where
// questions are forbidden: then nothing may happen behind the person's back.
func TestCommandUnlocks(t *testing.T) {
	w := started(t)
	w.Add(t, rfcSecret, "bank")
	w.ok("lock")
	p := ptytest.New(t)
	if got := <-w.sit(p, "code", "bank", "--no-input"); got.code != 5 {
		t.Errorf("%v", got)
	}
	if got := <-w.sit(p, "code", "bank"); got.code != 0 || !codeLine.MatchString(got.out) {
		t.Errorf("%v %q", got, p.Screen())
	}
}

// The whole life of a vault under a passphrase, at a terminal.
func TestPassphrase(t *testing.T) {
	if testing.Short() {
		t.Skip("computes a passphrase's key several times")
	}
	w := started(t)
	w.env[envKeystore] = "passphrase"
	if got := w.run("", "add", rfcSecret, "bank"); got.code != 1 {
		t.Errorf("nobody there to choose a passphrase: %v", got)
	}
	p := ptytest.New(t)
	done := w.sit(p, "add", rfcSecret, "bank")
	for _, step := range []struct{ question, answer string }{
		{"New passphrase for the vault: ", ""}, {"protects nothing\r\nNew passphrase for the vault: ", "one"},
		{"The same once more: ", "two"}, {"not the same\r\nNew passphrase for the vault: ", "correct horse"}, {"vault: \r\nThe same once more: ", "correct horse"},
	} {
		p.Expect(step.question)
		p.Type(step.answer + "\n")
	}
	if got := <-done; got.code != 0 || !strings.Contains(got.out, "ADDED NEW SECRET: bank") {
		t.Fatalf("%v %q", got, p.Screen())
	}
	w.ok("lock")
	if got := w.run("", "unlock"); got.code != 5 {
		t.Errorf("unlock without a passphrase: %v", got)
	}

	p = ptytest.New(t)
	done = w.sit(p, "code", "bank")
	p.Expect("Passphrase of the vault: ")
	p.Type("wrong horse\n")
	if got := <-done; got.code != 5 || got.out != "" {
		t.Errorf("a wrong passphrase: %v", got)
	}
	p = ptytest.New(t)
	done = w.sit(p, "code", "bank", "--json")
	p.Expect("Passphrase of the vault: ")
	p.Type("correct horse\n")
	if got := <-done; got.code != 0 || len(fromJSON[ipc.Code](t, got.out).Code) != 6 {
		t.Errorf("%v %q", got, p.Screen())
	}
	if strings.Contains(p.Screen(), "horse") {
		t.Errorf("the passphrase was shown: %q", p.Screen())
	}
}

// Where no keyring answers, a passphrase is chosen on a terminal; a keyring that
// was demanded is never replaced by one.
func TestPassphraseInsteadOfAKeyring(t *testing.T) {
	const noKeyring = `{"error":{"code":"keystore","message":"no keyring answers","hint":"o2fa init --keystore passphrase"}}`
	for _, tc := range []struct {
		args, keystore, calls string
		code                  int
	}{
		{"init", "", "init , init passphrase horse, ", 0},
		{"init --keystore auto", "keyring", "init auto, init passphrase horse, ", 0},
		{"init", "keyring", "init keyring, ", 1},
		{"add " + rfcSecret, "", "entries , init passphrase horse, entries , ", 0},
		{"add " + rfcSecret, "keyring", "entries keyring, ", 1},
	} {
		t.Run(tc.args+" "+tc.keystore, func(t *testing.T) {
			var calls strings.Builder
			made := false
			w := newWorld(t)
			w.env["O2FA_SOCKET"] = serve(t, func(r *http.Request) (int, string) {
				var body struct{ Keystore, Passphrase string }
				if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
					return 400, ""
				}
				fmt.Fprintf(&calls, "%s, ", strings.TrimRight(path.Base(r.URL.Path)+" "+body.Keystore+" "+body.Passphrase, " "))
				if made = made || body.Passphrase != ""; made {
					return 200, `{}`
				}
				return 503, noKeyring
			})
			w.env[envKeystore] = tc.keystore
			p := ptytest.New(t)
			done := w.sit(p, strings.Fields(tc.args)...)
			if tc.code == 0 {
				p.Expect("New passphrase for the vault: ")
				p.Type("horse\n")
				p.Expect("The same once more: ")
				p.Type("horse\n")
			}
			if got := <-done; got.code != tc.code || strings.ReplaceAll(calls.String(), " ,", ",") != strings.ReplaceAll(tc.calls, " ,", ",") {
				t.Errorf("%v, calls: %s, screen: %q", got, calls.String(), p.Screen())
			}
		})
	}
}

func TestPassphraseFile(t *testing.T) {
	if testing.Short() {
		t.Skip("computes a passphrase's key several times")
	}
	w := started(t)
	path := w.write("pass", "correct horse\nand a comment\n")
	w.env[envPassphraseFile] = path
	if out := w.ok("init", "--keystore", "passphrase"); !strings.Contains(out, "Opened by: passphrase\n") {
		t.Errorf("%q", out)
	}
	w.ok("lock")
	w.want("unlock", outcome{0, "State: ready\n", ""})
	w.ok("lock")
	w.write("pass", "wrong horse\n")
	if got := w.run("", "unlock"); got.code != 5 || strings.Contains(got.errs, "horse") {
		t.Errorf("%v", got)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := w.run("", "unlock"); got.code != 1 || !strings.Contains(got.errs, "other users may read it") {
		t.Errorf("%v", got)
	}
}

func TestInitKeystores(t *testing.T) {
	w := started(t)
	if got := w.run("", "init", "--keystore", "drawer"); got.code != 2 {
		t.Errorf("%v", got)
	}
	w.env[envKeystore] = "keyfile"
	got := w.run("", "init")
	if got.code != 0 || !strings.Contains(got.out, "/vault.key (unprotected)\n") || !strings.Contains(got.errs, "o2fa: warning: whoever reads ") {
		t.Errorf("%v", got)
	}
}
