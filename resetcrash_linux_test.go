package o2fa_test

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/internal/dbus/dbustest"
	"github.com/o2fa/o2fa/ipc"
)

// TestCrashInReset kills daemons in the middle of a reset. Whatever is left then
// says truly what it is, and another reset finishes the work.
func TestCrashInReset(t *testing.T) {
	strace := tracer(t)
	bus := dbustest.Start(t, "")
	bus.StartKeyring()
	inKeyring := func(p *place) {
		p.env["O2FA_KEYSTORE"], p.env["DBUS_SESSION_BUS_ADDRESS"] = "keyring", bus.Address
	}
	// Before each removal: the one that is yet to come decides what is found.
	for _, tc := range []struct {
		file string
		want ipc.State
	}{
		{"vault.db", ipc.StateReady}, {"vault.id", ipc.StateFailed}, {"vault.key", ipc.StateUninitialized},
		{"o2fad.log", ipc.StateUninitialized}, {"o2fad.lock", ipc.StateUninitialized}, {"", ipc.StateUninitialized},
	} {
		for keystore, arrange := range map[string]func(*place){"key file": func(*place) {}, "keyring": inKeyring} {
			if keystore == "keyring" && tc.file == "vault.key" {
				continue
			}
			t.Run("before the removal of "+cmp.Or(tc.file, "the directory")+", "+keystore, func(t *testing.T) {
				p := newPlace(t)
				arrange(p)
				const calls = "unlink,unlinkat,rmdir"
				whole, found := p.killInReset(t, strace, "-P", filepath.Join(p.profile.Dir, tc.file), "-e", "trace="+calls, "-e", "inject="+calls+":signal=KILL")
				// What comes after the answer need not be waited for.
				if late := tc.file == "o2fad.lock" || tc.file == ""; found != tc.want || whole != late {
					t.Errorf("answered: %t, then %s", whole, found)
				}
			})
		}
	}
	// Before its first call that changes the disk, or asks the keyring, before its
	// second, and so on. (strace counts the calls of each thread for itself.)
	t.Run("anywhere", func(t *testing.T) {
		const calls = "unlinkat,renameat,fsync,fdatasync,sendmsg"
		tally := map[ipc.State]int{}
		for n, lived := 1, 0; lived < 3; n++ {
			p := newPlace(t)
			inKeyring(p)
			whole, found := p.killInReset(t, strace, "-e", "trace="+calls, "-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", calls, n))
			if lived++; !whole {
				lived = 0
			}
			tally[found]++
		}
		t.Logf("what was left: %v", tally)
	})
	if n := bus.Items("o2fa"); n != 0 {
		t.Errorf("the keyring has %d items yet", n)
	}
}

// killInReset resets under strace, which kills the daemon at some call, and says
// whether there was an answer, and what the next daemon found.
func (p *place) killInReset(t *testing.T, strace string, inject ...string) (whole bool, found ipc.State) {
	t.Helper()
	o, _ := p.start(t, ipc.StateUninitialized)
	p.add(t, secretOf("a"), "a")
	id := p.status(t, o).Vault.ID
	o.stop(t)
	o = p.launch(t, append([]string{strace, "-f", "-o", "/dev/null"}, inject...)...)
	await(t, "an answer or the end of the daemon", func() bool {
		_, err := p.client.Status(t.Context())
		return err == nil || !o.alive()
	})
	_, err := p.client.Reset(t.Context(), ipc.ResetRequest{Vault: id, Backups: true})
	await(t, "the end of the daemon", func() bool { return !o.alive() })
	return err == nil, p.afterReset(t, id)
}

// afterReset finishes a reset that was interrupted, and returns what it found.
func (p *place) afterReset(t *testing.T, id string) ipc.State {
	t.Helper()
	o := p.launch(t)
	s := p.status(t, o)
	switch s.State {
	case ipc.StateReady: // nothing had gone yet
		p.codeIs(t, "a")
	case ipc.StateFailed:
		p.fail(t, "status", s.Problem, ipc.ErrOrphan)
		if !strings.Contains(s.Problem.Message, id) || !strings.Contains(s.Problem.Hint, "o2fa reset") {
			t.Errorf("%v, %s", s.Problem, s.Problem.Hint)
		}
		p.fail(t, "add", p.tryAdd(t, "late"), ipc.ErrOrphan)
	case ipc.StateUninitialized:
	default:
		t.Errorf("state %s: %v", s.State, s.Problem)
	}
	p.resets(t)
	o = p.launch(t)
	if s := p.status(t, o); s.State != ipc.StateUninitialized || s.Problem != nil {
		t.Errorf("after a whole reset: %s, %v", s.State, s.Problem)
	}
	p.add(t, secretOf("new"), "new")
	p.codeIs(t, "new")
	p.resets(t)
	return s.State
}

// resets runs o2fa reset, which has to leave nothing.
func (p *place) resets(t *testing.T) {
	t.Helper()
	if stdout, stderr, exit := p.o2fa(t, "reset", "--force", "--backups"); exit != 0 || strings.Contains(stdout, "Left") {
		t.Errorf("o2fa reset: exit code %d\n%s%s", exit, stdout, stderr)
	}
	for _, path := range []string{p.profile.Dir, filepath.Dir(p.profile.Socket)} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			out, _ := exec.Command("ls", "-la", path).CombinedOutput()
			t.Errorf("%s is still there:\n%s", path, out)
		}
	}
}
