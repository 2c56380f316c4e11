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
	p.Expect("Secret of third (not shown): ")
	p.Type("\x04")
	if got := <-done; got.code != 130 {
		t.Errorf("end of input: %v", got)
	}
}

// A word alone that is no secret is the name; blanks around a name mean nothing.
func TestAddAsksForTheSecretOfAName(t *testing.T) {
	w := started(t)
	for word, name := range map[string]string{"github": "github", "ab.cd": "ab.cd", " my bank\t": "my bank", "a\x1b[2J": `a\u{1b}[2J`} {
		p := ptytest.New(t)
		done := w.sit(p, "add", word)
		p.Expect("Secret of " + name + " (not shown): ")
		p.Type(rfcSecret + "\n")
		if got := <-done; got.code != 0 || !strings.Contains(got.out, "ADDED NEW SECRET: "+name+" G...Q\n") {
			t.Errorf("o2fa add %q: %v %q", word, got, p.Screen())
		}
	}
	// A secret alone is one, and what may be a secret is no name.
	p := ptytest.New(t)
	if got := <-w.sit(p, "add", open2faSecret); !strings.Contains(got.out, "ADDED NEW SECRET: None ") {
		t.Errorf("%v %q", got, p.Screen())
	}
	for _, word := range []string{open2faSecret[1:] + "0", "otpauth-migration://x", ""} {
		if got := <-w.sit(p, "add", word); got.code != 2 || strings.Contains(p.Screen(), "Secret of") {
			t.Errorf("o2fa add %q: %v %q", word, got, p.Screen())
		}
	}
	// Without a terminal the hint is how to add it.
	for word, shown := range map[string]string{"hub": "hub", "my hub!": "'my hub!'", "a\x1b[2J": "NAME"} {
		if got := w.run("", "add", word); got.code != 2 || !strings.HasSuffix(got.errs, "o2fa: hint: o2fa add - "+shown+" < FILE\n") {
			t.Errorf("o2fa add %q: %v", word, got)
		}
	}
}

// A new passphrase that is easily found is taken, with a warning.
func TestShortPassphrase(t *testing.T) {
	for pass, warned := range map[string]bool{"1234567": true, "ééééééé": true, "12345678": false} {
		for _, args := range []string{"init", "add " + rfcSecret, "key add passphrase"} {
			w := newWorld(t)
			made := false
			w.env["O2FA_SOCKET"] = serve(t, func(r *http.Request) (int, string) {
				switch {
				case r.URL.Path == ipc.PathStatus && args == "init":
					return 200, `{"state":"uninitialized"}`
				case r.URL.Path == ipc.PathStatus:
					return 200, `{"state":"ready","vault":{}}`
				case r.URL.Path == ipc.PathInit:
					made = true
					return 200, `{"vault":{"slots":[{"type":"passphrase","protected":true}]}}`
				case r.URL.Path == ipc.PathEntries && !made:
					return 503, `{"error":{"code":"keystore","message":"no keyring answers"}}`
				}
				return 200, `{}`
			})
			w.env[envKeystore], w.env[envPassphraseFile] = "passphrase", w.write("pass", pass+"\n")
			got := w.run("", strings.Fields(args)...)
			if got.code != 0 || strings.Contains(got.errs, "o2fa: warning: the passphrase has fewer than 8 characters: ") != warned {
				t.Errorf("o2fa %s with %q: %v", args, pass, got)
			}
		}
	}
}

// A vault that was locked stays so, however easy it would be to open it: only a
// passphrase is asked for, and this vault has none.
func TestLockedStaysLocked(t *testing.T) {
	w := started(t)
	w.Add(t, rfcSecret, "bank")
	w.ok("lock")
	p := ptytest.New(t)
	for _, args := range []string{"code bank", "code bank --no-input", "list", "undo"} {
		if got := <-w.sit(p, strings.Fields(args)...); got.code != 5 || got.out != "" {
			t.Errorf("o2fa %s: %v", args, got)
		}
	}
	p.Expect("o2fa: hint: o2fa unlock")
	if got := <-w.sit(p, "unlock"); got.code != 0 {
		t.Errorf("%v", got)
	}
	if got := <-w.sit(p, "code", "bank"); got.code != 0 || !codeLine.MatchString(got.out) {
		t.Errorf("%v %q", got, p.Screen())
	}
}

// A bad answer is told before the next question is asked.
func TestAddAsksAgain(t *testing.T) {
	w := started(t)
	for args, rest := range map[string]string{"add": "Name: ", "add - name": ""} {
		p := ptytest.New(t)
		done := w.sit(p, strings.Fields(args)...)
		p.Expect("Secret (not shown): ")
		p.Type("\n")
		p.Expect("it must not be empty, try again\r\nSecret (not shown): ")
		p.Type("n0t base32\n")
		p.Expect("nor an otpauth:// URI, try again\r\nSecret (not shown): ")
		p.Type(rfcSecret + "\n")
		if rest != "" {
			p.Expect(rest)
			p.Type("name\n")
		}
		if got := <-done; got.code != 0 || !strings.Contains(got.out, " name G...Q\n") || strings.Contains(p.Screen(), "n0t") {
			t.Errorf("o2fa %s: %v %q", args, got, p.Screen())
		}
	}
	p := ptytest.New(t)
	done := w.sit(p, "add")
	for round := 1; round <= 3; round++ {
		p.Expect(strings.Repeat("Secret (not shown): \r\nit must not be empty, try again\r\n", round-1) + "Secret (not shown): ")
		p.Type(" \n")
	}
	if got := <-done; got.code != 2 || strings.Contains(p.Screen(), "Name") {
		t.Errorf("%v %q", got, p.Screen())
	}
}

// Nothing is refused at the prompt that the daemon would take.
func TestPromptTakesWhatTheDaemonTakes(t *testing.T) {
	for _, text := range []string{rfcSecret, "gezd gnbv\tgy3t-qojq", "GEZDGNBV====", "gezd\u00a0gnbv\u200b", "gezd\u2013gnbv", "otpauth://totp/x", "OTPAUTH://hotp/x"} {
		if err := checkSecret(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for text, want := range map[string]error{"": errEmpty, "====": errEmpty, "--": errEmpty, "GEZ1": errBase32, "a_b": errBase32, "https://x": errBase32} {
		if err := checkSecret(text); err != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// An empty list is explained to a person, and to nobody else.
func TestEmptyList(t *testing.T) {
	w := started(t)
	w.ok("init")
	const header = "\nName    Secret\n----    ------\n\n"
	for args, note := range map[string]string{"list": "no entries yet: o2fa add\r\n", "list git": "no entry matches\r\n", "list --json": ""} {
		p := ptytest.New(t)
		if got := <-w.sit(p, strings.Fields(args)...); got.code != 0 || note != "" && got.out != header {
			t.Errorf("o2fa %s: %v", args, got)
		}
		p.Expect(note)
		if note == "" && p.Screen() != "" {
			t.Errorf("o2fa %s: %q", args, p.Screen())
		}
	}
	w.want("list", outcome{0, header, ""})
	w.want("list git", outcome{0, header, ""})
}

// A wait that is longer than a moment is announced, and only a person hears of it.
func TestWaitIsAnnounced(t *testing.T) {
	const list = `{"entries":[{"id":"1","name":"github","period":3600},{"id":"2","name":"other","period":30}]}`
	for _, tc := range []struct {
		args, setting, list string
		told                bool
	}{
		{"code GitHub --min-valid 1h", "0s", list, true},
		{"code hub --min-valid 1h --json", "0s", list, true},
		{"code nobody --min-valid 1h", "0s", list, false}, // by a rule that the client does not know
		{"code github --min-valid 1ns", "1h", list, false},
		{"code github --min-valid 1h", "0s", `{"entries":[{"id":"1","name":"github","counter":3}]}`, false},
		{"code github", "1h", list, true},
		{"code github", "0s", "", false},
	} {
		t.Run(tc.args+" "+tc.setting, func(t *testing.T) {
			w := newWorld(t)
			asked, answer := make(chan struct{}), make(chan struct{})
			w.env["O2FA_SOCKET"] = serve(t, func(r *http.Request) (int, string) {
				switch r.URL.Path {
				case ipc.PathConfig:
					if tc.list == "" { // nothing more will be asked
						defer close(asked)
					}
					return 200, `{"settings":[{"key":"min_valid","value":"` + tc.setting + `"}]}`
				case ipc.PathEntries:
					defer close(asked)
					return 200, tc.list
				}
				<-answer
				return 200, `"123456"`
			})
			p := ptytest.New(t)
			done := w.sit(p, strings.Fields(tc.args)...)
			<-asked
			if tc.told {
				p.Expect(" s for the next code\r\n")
			}
			close(answer)
			if got := <-done; got.code != 0 || !tc.told && p.Screen() != "" {
				t.Errorf("%v %q", got, p.Screen())
			}
		})
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
		{"New passphrase for the vault: ", ""}, {"it must not be empty, try again\r\nNew passphrase for the vault: ", "one"},
		{"Repeat it: ", "two"}, {"they differ, try again\r\nNew passphrase for the vault: ", "correct horse"}, {"vault: \r\nRepeat it: ", "correct horse"},
	} {
		p.Expect(step.question)
		p.Type(step.answer + "\n")
	}
	if got := <-done; got.code != 0 || !strings.Contains(got.out, "ADDED NEW SECRET: bank") {
		t.Fatalf("%v %q", got, p.Screen())
	}
	w.ok("lock")
	w.want("unlock", outcome{5, "", "o2fa: error: the vault wants its passphrase, and nobody can be asked for it\n" +
		"o2fa: hint: on a terminal: o2fa unlock\no2fa: hint: O2FA_PASSPHRASE_FILE=FILE o2fa unlock\n"})

	for _, args := range []string{"code bank", "unlock"} {
		p = ptytest.New(t)
		done = w.sit(p, strings.Fields(args)...)
		for round := 1; round <= 3; round++ {
			p.Expect(strings.Repeat("Passphrase of the vault: \r\nthe passphrase is wrong, try again\r\n", round-1) + "Passphrase of the vault: ")
			p.Type("wrong horse\n")
		}
		if got := <-done; got.code != 5 || got.out != "" {
			t.Errorf("o2fa %s, a wrong passphrase: %v", args, got)
		}
	}
	// A vault that is there is told of before a passphrase is asked for.
	if got := <-w.sit(p, "init", "--keystore", "passphrase"); got.code != 1 {
		t.Errorf("init of a vault that is there: %v %q", got, p.Screen())
	}
	p.Expect("this profile has a vault already")
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
		args, keystore, setting, calls string
		code                           int
	}{
		{"init", "", "auto", "init , init passphrase horse, ", 0},
		{"init --keystore auto", "keyring", "keyring", "init auto, init passphrase horse, ", 0},
		{"init", "keyring", "auto", "init keyring, ", 1},
		{"init", "", "keyring", "init , ", 1},
		{"init", "auto", "keyring", "init auto, init passphrase horse, ", 0},
		{"add " + rfcSecret, "", "auto", "entries , init passphrase horse, entries , ", 0},
		{"add " + rfcSecret, "keyring", "auto", "entries keyring, ", 1},
		{"add " + rfcSecret, "", "keyring", "entries , ", 1},
	} {
		t.Run(tc.args+" "+tc.keystore+" "+tc.setting, func(t *testing.T) {
			var calls strings.Builder
			made := false
			w := newWorld(t)
			w.env["O2FA_SOCKET"] = serve(t, func(r *http.Request) (int, string) {
				if r.URL.Path == ipc.PathConfig {
					return 200, `{"settings":[{"key":"keystore","value":"` + tc.setting + `"}]}`
				}
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
				p.Expect("No keyring answers here, so a passphrase will protect the vault.\r\n" +
					"Ctrl-C to stop; for other ways: o2fa help init\r\nNew passphrase for the vault: ")
				p.Type("horse\n")
				p.Expect("Repeat it: ")
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
