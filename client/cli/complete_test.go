package cli

import (
	"context"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

// tab returns what fish is told for a line: the values, and what they mean.
func (w *world) tab(line string) (values, texts []string) {
	w.t.Helper()
	w.env["COMPLETE_LINE"] = line
	got := w.run("", "__complete", "fish")
	if got.code != 0 || got.errs != "" {
		w.t.Errorf("%q: exit %d, %s", line, got.code, got.errs)
	}
	for row := range strings.Lines(got.out) {
		value, text, _ := strings.Cut(strings.TrimSuffix(row, "\n"), "\t")
		values, texts = append(values, value), append(texts, text)
	}
	return values, texts
}

func (w *world) wantTab(line, want string) {
	w.t.Helper()
	var values []string
	// It has little time, and on a busy machine that may not be enough.
	for try := 0; try == 0 || try < 10 && want != "" && len(values) == 0; try++ {
		values, _ = w.tab(line)
	}
	if strings.Join(values, "|") != want {
		w.t.Errorf("%q: %q, want %s", line, values, want)
	}
}

func TestCompleteEntries(t *testing.T) {
	w := started(t)
	for i, name := range []string{"my bank", "my big bank", "github", "evil\x1b[2J"} {
		w.Add(t, rfcSecret[i*4:], name)
	}
	w.ok("add", "--issuer", "Acme", "--account", "ann", "--name", "token", "--tag", "work", "--tag", "new york", open2faSecret)
	w.wantTab("o2fa code ", "github|my bank|my big bank|token")
	w.wantTab("o2fa code my ", "bank|big bank")
	w.wantTab("o2fa delete my b", "bank|big bank")
	w.wantTab("o2fa delete -n my", "my bank|my big bank")
	w.wantTab("o2fa delete x -n my", "my bank|my big bank")
	w.wantTab("o2fa code 'evil", "")
	w.wantTab("o2fa code no", "")
	w.wantTab("o2fa add --tag ", "new york|work")
	w.wantTab("o2fa add --type ", "totp|hotp")
	w.wantTab("o2fa add --algorithm sha2", "SHA256")
	w.wantTab("o2fa init --keystore=k", "--keystore=keyring|--keystore=keyfile")
	w.wantTab("o2fa completion ", "bash|zsh|fish|powershell")
	w.wantTab("o2fa help exit", "exit-codes")
	w.wantTab("o2fa add ", "")
	w.wantTab("o2fa code t", "token")
	if _, texts := w.tab("o2fa code t"); len(texts) > 0 && !slices.Equal(texts, []string{"Acme, ann"}) {
		t.Errorf("%q", texts)
	}
	w.ok("delete", "-f", "my bank")
	c := &command.Completion{Stdio: command.Stdio{Getenv: w.getenv}, Args: []string{"MY"}, Word: "b"}
	if found := trashedNames(t.Context(), c); len(found) != 1 || found[0].Value != "bank" {
		t.Errorf("%v", found)
	}
}

// To complete is to look: whatever the state, nothing is started, opened, asked
// or printed.
func TestCompleteOnlyLooks(t *testing.T) {
	w := newWorld(t)
	w.wantTab("o2fa code ", "") // no daemon
	delete(w.env, "O2FA_SOCKET")
	w.wantTab("o2fa code ", "")
	if found, _ := filepath.Glob(filepath.Join(w.Profile.Dir, "*")); len(found) > 0 {
		t.Errorf("made %v", found)
	}
	w.env["O2FA_SOCKET"] = w.Profile.Socket
	w.write("secrets.json", `{"secrets": [{"secret": "`+rfcSecret+`", "name": "github"}]}`)
	w.Start(t)
	w.wantTab("o2fa code ", "") // no vault, and a list would make one
	if s := fromJSON[ipc.Status](t, w.ok("status", "--json")); s.State != ipc.StateUninitialized {
		t.Errorf("state %s", s.State)
	}
	w.ok("list")
	w.wantTab("o2fa code ", "github")
	w.ok("lock")
	w.wantTab("o2fa code ", "")
	if s := fromJSON[ipc.Status](t, w.ok("status", "--json")); s.State != ipc.StateLocked {
		t.Errorf("state %s", s.State)
	}
	w.env["OPEN2FA_DIR"] = "\x00"
	w.wantTab("o2fa code ", "")
}

// A daemon that does not answer costs no more than a moment, and replies that
// make no sense, nothing.
func TestCompleteMeetsTrouble(t *testing.T) {
	w := newWorld(t)
	ready := `{"state":"ready"}`
	for name, entries := range map[string]string{"mute": "", "no JSON": "[", "error": "error"} {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			t.Cleanup(func() { close(release) })
			w.env["O2FA_SOCKET"] = serve(t, func(r *http.Request) (int, string) {
				switch {
				case r.URL.Path == ipc.PathStatus:
					return 200, ready
				case entries == "":
					<-release
				case entries == "error":
					return 500, `{"error":{"code":"internal","message":"` + rfcSecret + `"}}`
				}
				return 200, entries
			})
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			done := make(chan struct{})
			go func() { defer close(done); w.wantTab("o2fa code ", "") }()
			select {
			case <-done:
			case <-ctx.Done():
				t.Error("it never ends")
			}
		})
	}
}

// Of very many entries some are shown, with a word that says so: without it a
// shell would complete what only these have in common.
func TestCompleteVeryMany(t *testing.T) {
	w := newWorld(t)
	reply := `{"entries":[{"name":"aab"},{"name":"aac"}],"total":100000}`
	w.env["O2FA_SOCKET"] = serve(t, func(r *http.Request) (int, string) {
		if r.URL.Path == ipc.PathStatus {
			return 200, `{"state":"ready"}`
		}
		if q := r.URL.Query(); q.Get("prefix") != "x a" || q.Get("limit") != "500" {
			t.Errorf("%v", q)
		}
		return 200, strings.ReplaceAll(reply, "aa", "x aa")
	})
	w.wantTab("o2fa code x a", "aab|aac|a…")
}

func TestCompleteSlots(t *testing.T) {
	w := newWorld(t)
	w.env["O2FA_SOCKET"] = serve(t, func(*http.Request) (int, string) {
		return 200, `{"state":"locked","vault":{"slots":[{"id":"1111111122","type":"recovery"},{"id":"2222222233","type":"recovery"},{"id":"3","type":"passphrase"}]}}`
	})
	w.wantTab("o2fa key remove ", "11111111|22222222|passphrase")
	w.wantTab("o2fa key change p", "passphrase")
	w.wantTab("o2fa key add ", "recovery|passphrase|keyring|keyfile|credential")
}
