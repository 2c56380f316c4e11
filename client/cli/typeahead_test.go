package cli

import (
	"net/http"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/internal/command/ptytest"
	"github.com/o2fa/o2fa/ipc"
)

// While the daemon makes a key of a passphrase, what an impatient person types is
// not shown, no answer to the next question, and nothing for the shell.
func TestTypedAheadOfThePassphrase(t *testing.T) {
	const (
		locked = `{"state":"locked","vault":{"slots":[{"id":"1","type":"passphrase"}]}}`
		ready  = `{"state":"ready","vault":{"slots":[{"id":"1","type":"passphrase"}]}}`
		empty  = `{"state":"uninitialized"}`
		wrong  = `{"error":{"code":"passphrase","message":"the passphrase is wrong"}}`
	)
	for _, tc := range []struct {
		args, status, path string
		questions          []string // hidden; a request follows the last two answers
		wrong              bool     // the first of them is refused
	}{
		{"unlock", locked, ipc.PathUnlock, []string{"Passphrase of the vault: ", "try again\r\nPassphrase of the vault: "}, true},
		{"init --keystore passphrase", empty, ipc.PathInit, []string{"New passphrase for the vault: ", "Repeat it: "}, false},
		{"key add passphrase", ready, ipc.PathSlots, []string{"New passphrase for the vault: ", "Repeat it: "}, false},
		{"edit bank --secret", ready, ipc.PathEdit, []string{"Secret (not shown): "}, false},
	} {
		t.Run(tc.args, func(t *testing.T) {
			w := newWorld(t)
			working, goOn := make(chan bool), make(chan bool)
			refuse := tc.wrong
			w.env["O2FA_SOCKET"] = serve(t, func(r *http.Request) (int, string) {
				switch r.URL.Path {
				case tc.path:
					working <- true
					<-goOn
					if refuse {
						refuse = false
						return 403, wrong
					}
				case ipc.PathStatus:
					return 200, tc.status
				}
				return 200, `{"state":"ready"}`
			})
			p := ptytest.New(t)
			done := w.sit(p, strings.Fields(tc.args)...)
			for i, question := range tc.questions {
				p.Expect(question)
				p.Type("GEZDGNBV\n")
				if !tc.wrong && i+1 < len(tc.questions) {
					continue
				}
				<-working
				p.Type("ahead\n")
				p.ExpectUnread(len("ahead\n"))
				goOn <- true
			}
			if got := <-done; got.code != 0 {
				t.Errorf("%v", got)
			}
			p.ExpectUnread(0)
			if screen := p.Screen(); strings.Contains(screen, "ahead") || strings.Contains(screen, "GEZD") {
				t.Errorf("what was typed was shown: %q", screen)
			}
		})
	}
}
