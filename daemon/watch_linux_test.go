package daemon_test

import (
	"errors"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/o2fa/o2fa/daemon/daemontest"
	"github.com/o2fa/o2fa/internal/dbus/dbustest"
	"github.com/o2fa/o2fa/ipc"
)

// seated is a daemon in a session of a desktop: one that is on a screen, and whose
// machine has a logind.
type seated struct {
	*daemontest.Daemon
	*clocks
	t     *testing.T
	bus   *dbustest.Bus
	login *dbustest.Mock
	log   *journal
}

// seat starts a daemon that has an entry, under a configuration.
func seat(t *testing.T, configuration string) *seated {
	t.Helper()
	bus := dbustest.Start(t, "")
	s := &seated{t: t, bus: bus, login: bus.StartLogind(), log: &journal{}}
	s.login.AddSession("c1", os.Getuid(), "user", "x11")
	s.Daemon, s.clocks = timed(t, configuration)
	s.Config.Getenv, s.Config.Log = bus.Getenv, slog.New(slog.NewTextHandler(s.log, nil))
	s.Start(t)
	s.Add(t, rfcSecret, "github")
	dbustest.Eventually(t, "the daemon to listen", func() bool { return len(s.login.Inhibitors()) > 0 })
	return s
}

// becomes waits for a state, and compares why it is so.
func (s *seated) becomes(state ipc.State, why ipc.LockReason) {
	s.t.Helper()
	until(s.t, func() bool {
		now, err := s.Client.Status(s.t.Context())
		return err == nil && now.State == state && now.LockedBy == why
	})
	_, err := s.Client.Code(s.t.Context(), "github", 0)
	if (state == ipc.StateLocked) != errors.Is(err, ipc.ErrLocked) || state == ipc.StateReady && err != nil {
		s.t.Errorf("a code while %s: %v", state, err)
	}
}

// stays says that the vault is locked, when the daemon has acted on all that
// happened before. Somebody is there, or holds the screen still.
func (s *seated) stays(why ipc.LockReason, there bool) {
	s.t.Helper()
	before := s.log.count(staysLocked)
	inhibited := func(n int) {
		s.t.Helper()
		dbustest.Eventually(s.t, "the inhibitor", func() bool { return len(s.login.Inhibitors()) == n })
	}
	inhibited(1)
	s.login.Sleep(true) // heard after all that was before
	inhibited(0)
	s.login.Sleep(false)
	inhibited(1)
	if there {
		until(s.t, func() bool { return s.log.count(staysLocked) > before })
	}
	wantState(s.t, s.Daemon, "afterwards", ipc.StateLocked, why)
}

const staysLocked = "the session is back, the vault stays locked"

// A vault that opens by itself is locked with the screen and over a sleep, and its
// person notices nothing of that.
func TestLockWithTheScreen(t *testing.T) {
	s := seat(t, "")
	s.login.SetLocked("c1", true)
	s.becomes(ipc.StateLocked, ipc.LockScreen)
	s.login.SetLocked("c1", false)
	s.becomes(ipc.StateReady, "")

	s.login.Sleep(true)
	s.becomes(ipc.StateLocked, ipc.LockSleep)
	s.login.SetLocked("c1", true)
	s.login.Sleep(false)
	s.stays(ipc.LockSleep, false) // awake, but nobody is there yet
	s.login.SetLocked("c1", false)
	s.becomes(ipc.StateReady, "")
	var last []ipc.LogRow
	dbustest.Eventually(t, "the reopening to be noted", func() bool {
		rows := readLog(t, s.Daemon).Rows
		last = rows[len(rows)-2:]
		return last[1].What == ipc.LogUnlock
	})
	if last[0].What != ipc.LogLock || last[0].Detail != "sleep" || last[0].Client != nil ||
		last[1].What != ipc.LogUnlock || last[1].Detail != "the session is back" || last[1].Client != nil {
		t.Errorf("noted: %+v", last)
	}

	saver := s.bus.StartSaver("org.mate.ScreenSaver", "/org/mate/ScreenSaver")
	dbustest.Eventually(t, "the screen saver to be heard", func() bool {
		saver.Activate(true)
		now, err := s.Client.Status(t.Context())
		return err == nil && now.LockedBy == ipc.LockScreen
	})
	s.bus.Forge("/org/mate/ScreenSaver", "org.mate.ScreenSaver.ActiveChanged", false)
	s.stays(ipc.LockScreen, false)
	saver.Activate(false)
	s.becomes(ipc.StateReady, "")
}

// What a person locked, or the time, is opened by nobody else; nor is what wants a
// passphrase.
func TestWhatStaysLocked(t *testing.T) {
	for name, tc := range map[string]struct {
		configuration string
		before        func(*seated)
		during        func(*seated)
		why           ipc.LockReason
	}{
		"o2fa lock": {"", func(*seated) {}, func(s *seated) { check(s.t, second(s.Client.Lock(s.t.Context()))) }, ipc.LockAsked},
		"idle":      {"lock_idle = '10m'", func(*seated) {}, func(s *seated) { s.pass(time.Hour, time.Hour) }, ipc.LockIdle},
		"after":     {"lock_after = '10m'", func(*seated) {}, func(s *seated) { s.pass(0, time.Hour) }, ipc.LockAfter},
		"unlock = passphrase": {"unlock = 'passphrase'", func(s *seated) {
			check(s.t, second(s.Client.Slots(s.t.Context(), ipc.SlotsRequest{Add: "passphrase", Passphrase: "correct horse"})))
		}, func(*seated) {}, ipc.LockScreen},
		"unlock = passphrase, and there is none": {"unlock = 'passphrase'", func(*seated) {}, func(*seated) {}, ipc.LockScreen},
		"a passphrase alone": {"", func(s *seated) {
			status, err := s.Client.Status(s.t.Context())
			check(s.t, err)
			check(s.t, second(s.Client.Slots(s.t.Context(), ipc.SlotsRequest{Add: "passphrase", Passphrase: "correct horse", Remove: []string{status.Vault.Slots[0].ID}})))
		}, func(*seated) {}, ipc.LockScreen},
	} {
		t.Run(name, func(t *testing.T) {
			s := seat(t, tc.configuration)
			tc.before(s)
			s.login.SetLocked("c1", true)
			s.becomes(ipc.StateLocked, ipc.LockScreen)
			tc.during(s)
			s.login.SetLocked("c1", false)
			s.becomes(ipc.StateLocked, tc.why)
			s.stays(tc.why, true)
			if n := s.log.count("state=ready"); n != 1 {
				t.Errorf("the vault was open %d times", n)
			}
		})
	}
}

// The times go on while the screen is locked: opening the vault again is no use of
// it.
func TestReopeningCountsForNothing(t *testing.T) {
	s := seat(t, "lock_idle = '10m'")
	s.login.SetLocked("c1", true)
	s.becomes(ipc.StateLocked, ipc.LockScreen)
	s.pass(9*time.Minute, 9*time.Minute)
	s.login.SetLocked("c1", false)
	s.becomesQuietly(ipc.StateReady)
	s.pass(2*time.Minute, 2*time.Minute)
	s.becomes(ipc.StateLocked, ipc.LockIdle)
}

// becomesQuietly is becomes without a command.
func (s *seated) becomesQuietly(state ipc.State) {
	s.t.Helper()
	until(s.t, func() bool {
		now, err := s.Client.Status(s.t.Context())
		return err == nil && now.State == state
	})
}

// lock_on says what counts, also when it is changed while the daemon runs.
func TestLockOn(t *testing.T) {
	s := seat(t, "lock_on = 'logout'")
	s.login.SetLocked("c1", true)
	s.login.SetLocked("c1", false)
	s.login.Sleep(true)
	s.login.Sleep(false)
	s.login.RemoveSession("c1")
	s.becomes(ipc.StateLocked, ipc.LockLogout)
	s.stays(ipc.LockLogout, true)
	check(t, second(s.Client.Unlock(t.Context(), ipc.UnlockRequest{})))

	check(t, second(s.Client.Configure(t.Context(), ipc.ConfigRequest{Set: map[string]string{"lock_on": "never"}})))
	dbustest.Eventually(t, "the daemon to let the machine sleep", func() bool { return len(s.login.Inhibitors()) == 0 })
	check(t, second(s.Client.Configure(t.Context(), ipc.ConfigRequest{Set: map[string]string{"lock_on": "sleep"}})))
	dbustest.Eventually(t, "the daemon to listen again", func() bool { return len(s.login.Inhibitors()) > 0 })
	s.login.Sleep(true)
	s.becomes(ipc.StateLocked, ipc.LockSleep)
}

// A setting that can have no effect is told, and only one that somebody made.
func TestNobodyTells(t *testing.T) {
	bus := dbustest.Start(t, "")
	d, _ := timed(t, "")
	d.Config.Getenv = bus.Getenv
	d.Start(t)
	d.Add(t, rfcSecret, "github")
	warned := func() bool {
		s, err := d.Client.Status(t.Context())
		return err == nil && hasWarning(s, "lock_on")
	}
	if warned() {
		t.Error("a warning although nobody asked for anything")
	}
	check(t, second(d.Client.Configure(t.Context(), ipc.ConfigRequest{Set: map[string]string{"lock_on": "screen"}})))
	until(t, warned)
	bus.StartSaver("org.gnome.ScreenSaver", "/org/gnome/ScreenSaver")
	until(t, func() bool { return !warned() })
}
