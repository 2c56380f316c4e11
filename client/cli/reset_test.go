package cli

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/o2fa/o2fa/internal/command/ptytest"
	"github.com/o2fa/o2fa/ipc"
)

func TestResetWithoutATerminal(t *testing.T) {
	w := started(t)
	w.Add(t, rfcSecret, "bank")
	usage := outcome{2, "", "o2fa: error: removing the vault for good wants an answer, and nobody can be asked\no2fa: hint: o2fa reset --force\n"}
	w.want("reset", usage)
	w.want("reset --no-input", usage)
	if got := w.run("reset\n", "reset"); got != usage {
		t.Errorf("an answer from a pipe: %v", got)
	}
	w.ok("code", "bank")
	got := w.run("", "reset", "-f")
	if got.code != 0 || got.errs != "" || !strings.Contains(got.out, "Removed: "+w.Profile.VaultFile()+"\n") || strings.Contains(got.out, "Left") {
		t.Errorf("%v", got)
	}
	w.Stop(t)
	if _, err := os.Stat(w.Profile.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// A habit answers y; only the word goes on.
func TestResetAsks(t *testing.T) {
	w := started(t)
	w.Add(t, rfcSecret, "bank")
	kept := w.write("secrets.json", `{"secrets": []}`)
	for _, answer := range []string{"y", "yes", "", "Reset!", "r"} {
		p := ptytest.New(t)
		done := w.sit(p, "reset")
		p.Expect(`Type "reset" to go on: `)
		p.Type(answer + "\n")
		if got := <-done; got.code != 1 || got.out != "" {
			t.Errorf("%q: %v", answer, got)
		}
	}
	w.ok("code", "bank")
	p := ptytest.New(t)
	done := w.sit(p, "reset")
	p.Expect(`Type "reset" to go on: `)
	p.Type("reset\n")
	if got := <-done; got.code != 0 || !strings.Contains(got.out, "Left:    "+kept+": it is open2fa's, and holds its secrets in clear\n") {
		t.Errorf("%v", got)
	}
	w.Stop(t)
}

// What should have gone and did not is an error at the end of a whole report.
func TestResetThatIsNotComplete(t *testing.T) {
	r := ipc.ResetReply{Removed: []string{"/p/vault.db"}, Left: []ipc.Left{{What: "/p/x", Why: "it is not o2fa's"}}}
	if err := incomplete(r); err != nil {
		t.Error(err)
	}
	r.Left = append(r.Left, ipc.Left{What: "the key", Why: "no keyring", Failed: true})
	if err := incomplete(r); err == nil || err.Error() != "1 thing could not be removed: see what was left" {
		t.Error(err)
	}
}

// What is there again after the end is not called removed.
func TestResetLooksWhatIsThere(t *testing.T) {
	there, empty := t.TempDir(), t.TempDir()
	r := ipc.ResetReply{Removed: []string{"the key in the OS keyring", "/nowhere/o2fa", there, empty}}
	began := time.Now()
	awaitGone(t.Context(), &r, empty)
	if len(r.Removed) != 3 || len(r.Left) != 1 || r.Left[0].What != there || time.Since(began) < goneTime {
		t.Errorf("%+v after %v", r, time.Since(began))
	}
}
