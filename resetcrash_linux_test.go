package o2fa_test

import (
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

// TestCrashInReset kills a daemon that resets before its first call that changes
// the directory, before its second, and so on until three in a row have lived to
// the end. Whatever is left then says truly what it is, and another reset
// finishes the work.
func TestCrashInReset(t *testing.T) {
	strace := tracer(t)
	t.Run("key file", func(t *testing.T) {
		found := crashInReset(t, strace, func(*place) {}, func() {})
		for _, state := range []ipc.State{ipc.StateReady, ipc.StateFailed, ipc.StateUninitialized} {
			if found[state] == 0 {
				t.Errorf("no kill left the profile %s: %v", state, found)
			}
		}
	})
	t.Run("keyring", func(t *testing.T) {
		bus := dbustest.Start(t, "")
		bus.StartKeyring()
		crashInReset(t, strace, func(p *place) {
			p.env["O2FA_KEYSTORE"], p.env["DBUS_SESSION_BUS_ADDRESS"] = "keyring", bus.Address
		}, func() {
			if n := bus.Items("o2fa"); n != 0 {
				t.Errorf("the keyring has %d items yet", n)
			}
		})
	})
}

func crashInReset(t *testing.T, strace string, arrange func(*place), check func()) map[ipc.State]int {
	const calls = "unlink,unlinkat,rmdir,rename,renameat,renameat2,fsync,fdatasync,sendmsg"
	found := map[ipc.State]int{}
	for n, lived := 1, 0; lived < 3; n++ {
		p := newPlace(t)
		arrange(p)
		o, _ := p.start(t, ipc.StateUninitialized)
		p.add(t, secretOf("a"), "a")
		id := p.status(t, o).Vault.ID
		o.stop(t)

		o = p.launch(t, strace, "-f", "-o", "/dev/null", "-e", "trace="+calls, "-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", calls, n))
		await(t, "an answer or the end of the daemon", func() bool {
			_, err := p.client.Status(t.Context())
			return err == nil || !o.alive()
		})
		if _, err := p.client.Reset(t.Context(), ipc.ResetRequest{Vault: id}); err == nil {
			lived++
		} else {
			lived = 0
		}
		await(t, "the end of the daemon", func() bool { return !o.alive() })
		found[p.afterReset(t, id)]++
		check()
	}
	t.Logf("what was left: %v", found)
	return found
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
	if stdout, stderr, exit := p.o2fa(t, "reset", "--force"); exit != 0 || strings.Contains(stdout, "Left") {
		t.Errorf("o2fa reset: exit code %d\n%s%s", exit, stdout, stderr)
	}
	for _, path := range []string{p.profile.Dir, filepath.Dir(p.profile.Socket)} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			out, _ := exec.Command("ls", "-la", path).CombinedOutput()
			t.Errorf("%s is still there:\n%s", path, out)
		}
	}
}
