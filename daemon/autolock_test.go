package daemon_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/o2fa/o2fa/daemon/daemontest"
	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/daemon/internal/keystore/keystoretest"
	"github.com/o2fa/o2fa/ipc"
)

// clocks are the two that a daemon goes by.
type clocks struct {
	mu   sync.Mutex // guards what follows
	wall time.Time
	up   time.Duration
}

func (c *clocks) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wall
}

func (c *clocks) uptime() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.up
}

// pass lets time pass, on each clock as much as that sees of it.
func (c *clocks) pass(up, wall time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.up, c.wall = c.up+up, c.wall.Add(wall)
}

// timed returns a daemon, not started, with a configuration and clocks that stand.
func timed(t *testing.T, configuration string) (*daemontest.Daemon, *clocks) {
	t.Helper()
	d := daemontest.New(t)
	c := &clocks{wall: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC), up: time.Hour}
	d.Config.Now, d.Config.Uptime = c.now, c.uptime
	configure(t, d, configuration)
	return d, c
}

func configure(t *testing.T, d *daemontest.Daemon, text string) {
	t.Helper()
	check(t, os.MkdirAll(d.Profile.Dir, 0o700))
	check(t, os.WriteFile(filepath.Join(d.Profile.Dir, "config.toml"), []byte(text), 0o600))
}

// wantState compares the state, and why it is so where it is locked.
func wantState(t *testing.T, d *daemontest.Daemon, what string, want ipc.State, why ipc.LockReason) {
	t.Helper()
	s, err := d.Client.Status(t.Context())
	if err != nil || s.State != want || s.LockedBy != why {
		t.Errorf("%s: %s by %q, %v, want %s by %q", what, s.State, s.LockedBy, err, want, why)
	}
}

// What a person commands is use of the vault. What programs ask by themselves is
// none, nor is what fails.
func TestWhatCountsAsUse(t *testing.T) {
	d, c := timed(t, "lock_idle = '10m'")
	d.Start(t)
	github := d.Add(t, rfcSecret, "github").Entry.ID
	old := d.Add(t, "JBSWY3DPEHPK3PXP", "old").Entry.ID
	name := "renamed"
	ctx := t.Context()
	for _, tc := range []struct {
		what   string
		do     func() error
		counts bool
	}{
		{"status", func() error { return second(d.Client.Status(ctx)) }, false},
		{"list", func() error { return second(d.Client.Entries(ctx, "", false)) }, false},
		{"completion", func() error { return second(d.Client.Entries(ctx, "git", false)) }, false},
		{"generate", func() error { _ = get[ipc.Codes](t, d, ipc.PathCodes, nil); return nil }, false},
		{"find", func() error { return second(d.Client.Find(ctx, ipc.FindRequest{Name: "github"})) }, false},
		{"trash list", func() error { return second(d.Client.Trash(ctx)) }, false},
		{"config", func() error { return second(d.Client.Config(ctx)) }, false},
		{"a code of no entry", func() error { return inverse(second(d.Client.Code(ctx, "moon", 0))) }, false},
		{"no entry", func() error { return inverse(second(d.Client.Entry(ctx, "moon", false))) }, false},
		{"code", func() error { return second(d.Client.Code(ctx, "github", 0)) }, true},
		{"show", func() error { return second(d.Client.Entry(ctx, "github", false)) }, true},
		{"add", func() error {
			return second(d.Client.Add(ctx, ipc.AddRequest{Secret: "GEZDGNBVGY3TQOJR", Name: "new"}))
		}, true},
		{"edit", func() error { return second(d.Client.Edit(ctx, ipc.EditRequest{ID: github, Name: &name})) }, true},
		{"undo", func() error { return second(d.Client.Undo(ctx)) }, true},
		{"delete", func() error { return second(d.Client.Delete(ctx, ipc.DeleteRequest{IDs: []string{old}})) }, true},
		{"restore", func() error { return second(d.Client.Restore(ctx, ipc.RestoreRequest{IDs: []string{old}})) }, true},
		{"empty", func() error { return second(d.Client.Empty(ctx, ipc.EmptyRequest{})) }, true},
		{"set", func() error {
			return second(d.Client.Configure(ctx, ipc.ConfigRequest{Set: map[string]string{"trash_days": "9"}}))
		}, true},
		{"unlock", func() error { return second(d.Client.Unlock(ctx, ipc.UnlockRequest{})) }, true},
		{"key add", func() error { return second(d.Client.Slots(ctx, ipc.SlotsRequest{Add: "recovery"})) }, true},
	} {
		check(t, second(d.Client.Unlock(ctx, ipc.UnlockRequest{})))
		c.pass(9*time.Minute, 9*time.Minute)
		if err := tc.do(); err != nil {
			t.Errorf("%s: %v", tc.what, err)
		}
		c.pass(9*time.Minute, 9*time.Minute)
		if tc.counts {
			wantState(t, d, tc.what, ipc.StateReady, "")
		} else {
			wantState(t, d, tc.what, ipc.StateLocked, ipc.LockIdle)
		}
	}
}

// inverse is for what has to fail.
func inverse(err error) error {
	if err == nil {
		return errors.New("it did not fail")
	}
	return nil
}

// No code is served after the time, whatever the clocks do and however late a
// timer is: a machine that slept for 8 hours has not used its vault for as long.
func TestLockIdleHoldsOverSleepAndClocks(t *testing.T) {
	for name, tc := range map[string]struct {
		up, wall time.Duration
		locked   bool
	}{
		"a short while":           {9 * time.Minute, 9 * time.Minute, false},
		"a long one":              {10 * time.Minute, 10 * time.Minute, true},
		"asleep for a night":      {8 * time.Hour, 8 * time.Hour, true},
		"the clock not set yet":   {8 * time.Hour, 0, true},
		"a machine that stood":    {0, 8 * time.Hour, true},
		"the clock set back":      {time.Minute, -24 * time.Hour, false},
		"set back, and long":      {11 * time.Minute, -24 * time.Hour, true},
		"set ahead":               {time.Minute, 24 * time.Hour, true},
		"uptime that begins anew": {-time.Hour, 9 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			d, c := timed(t, "lock_idle = '10m'")
			d.Start(t)
			d.Add(t, rfcSecret, "github")
			c.pass(tc.up, tc.wall)
			_, err := d.Client.Code(t.Context(), "github", 0)
			if errors.Is(err, ipc.ErrLocked) != tc.locked || err != nil && !tc.locked {
				t.Errorf("code: %v", err)
			}
			wire := (*ipc.Error)(nil)
			if tc.locked && (!errors.As(err, &wire) || wire.Hint != "o2fa unlock") {
				t.Errorf("%+v", wire)
			}
		})
	}
}

// A clock that was set ahead and back again counts no more than the time that
// really passed.
func TestClockAheadAndBack(t *testing.T) {
	d, c := timed(t, "lock_idle = '10m'")
	d.Start(t)
	d.Add(t, rfcSecret, "github")
	c.pass(time.Minute, 9*time.Minute)
	check(t, second(d.Client.Code(t.Context(), "github", 0)))
	c.pass(time.Minute, -9*time.Minute)
	check(t, second(d.Client.Code(t.Context(), "github", 0)))
	c.pass(9*time.Minute, 9*time.Minute)
	wantState(t, d, "9 minutes later", ipc.StateReady, "")
	c.pass(time.Minute, time.Minute)
	wantState(t, d, "10 minutes later", ipc.StateLocked, ipc.LockIdle)
}

// lock_after goes by the unlocking alone.
func TestLockAfter(t *testing.T) {
	d, c := timed(t, "lock_after = '1h'\nlock_idle = '50m'")
	d.Start(t)
	d.Add(t, rfcSecret, "github")
	for range 2 {
		for range 3 {
			s, err := d.Client.Status(t.Context())
			if left := at(t, s.LockAt).Sub(c.now()); err != nil || left <= 0 || left > 50*time.Minute {
				t.Errorf("locks at %q, in %s", s.LockAt, left)
			}
			check(t, second(d.Client.Code(t.Context(), "github", 0)))
			check(t, second(d.Client.Unlock(t.Context(), ipc.UnlockRequest{}))) // which is open
			check(t, second(d.Client.Slots(t.Context(), ipc.SlotsRequest{Add: "recovery"})))
			c.pass(20*time.Minute, 20*time.Minute)
		}
		if _, err := d.Client.Code(t.Context(), "github", 0); !errors.Is(err, ipc.ErrLocked) {
			t.Errorf("after an hour: %v", err)
		}
		wantState(t, d, "after an hour", ipc.StateLocked, ipc.LockAfter)
		if s, _ := d.Client.Status(t.Context()); s.LockAt != "" {
			t.Errorf("locked, and locks at %q", s.LockAt)
		}
		check(t, second(d.Client.Unlock(t.Context(), ipc.UnlockRequest{})))
		wantState(t, d, "unlocked", ipc.StateReady, "")
	}
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	when, err := time.Parse(time.RFC3339, text)
	check(t, err)
	return when
}

// The timer locks without any request, and a configuration that changes counts at
// once.
func TestLockByTimer(t *testing.T) {
	d := daemontest.New(t)
	log := &journal{}
	d.Config.Log = slog.New(slog.NewTextHandler(log, nil))
	d.Start(t)
	d.Add(t, rfcSecret, "github")
	if s, err := d.Client.Status(t.Context()); err != nil || s.LockAt != "" {
		t.Errorf("locks at %q, %v", s.LockAt, err)
	}
	configure(t, d, "lock_after = '1s'")
	until(t, func() bool { return log.count("why=after") > 0 && log.count("state=locked") > 0 })
	wantState(t, d, "after a second", ipc.StateLocked, ipc.LockAfter)
	check(t, second(d.Client.Lock(t.Context())))
	wantState(t, d, "locked once more", ipc.StateLocked, ipc.LockAsked)
}

// journal keeps what a daemon logs.
type journal struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), text)
}

// unlock = "passphrase" asks a person after a lock, and nobody before one.
func TestUnlockByPassphraseOnly(t *testing.T) {
	d := daemontest.New(t)
	d.Config.Cost = keystoretest.CheapCost(t)
	d.Start(t)
	d.Add(t, rfcSecret, "github")
	ctx := t.Context()
	set := func(value string) error {
		return second(d.Client.Configure(ctx, ipc.ConfigRequest{Set: map[string]string{"unlock": value}}))
	}
	wire := (*ipc.Error)(nil)
	if err := set("passphrase"); !errors.As(err, &wire) || wire.Code != ipc.CodeInvalid || wire.Hint != "o2fa key add passphrase" {
		t.Errorf("set without a passphrase: %v", err)
	}
	check(t, second(d.Client.Slots(ctx, ipc.SlotsRequest{Add: "passphrase", Passphrase: "correct horse"})))
	recovery, err := d.Client.Slots(ctx, ipc.SlotsRequest{Add: "recovery"})
	check(t, err)
	check(t, set("passphrase"))

	for _, typed := range []string{"correct horse", recovery.RecoveryCode} {
		check(t, second(d.Client.Lock(ctx)))
		if _, err := d.Client.Unlock(ctx, ipc.UnlockRequest{}); !errors.Is(err, ipc.ErrLocked) {
			t.Errorf("unlock by the keyring: %v", err)
		}
		if _, err := d.Client.Unlock(ctx, ipc.UnlockRequest{Passphrase: "wrong"}); !errors.Is(err, ipc.ErrPassphrase) {
			t.Errorf("unlock by another passphrase: %v", err)
		}
		check(t, second(d.Client.Unlock(ctx, ipc.UnlockRequest{Passphrase: typed})))
	}
	d.Stop(t)
	d.Start(t) // which is no lock
	check(t, second(d.Client.Code(ctx, "github", 0)))

	// Nobody is locked out: without a passphrase the setting has no effect.
	var drop []string
	s, err := d.Client.Status(ctx)
	check(t, err)
	for _, slot := range s.Vault.Slots {
		if slot.Type == string(keystore.TypePassphrase) {
			drop = append(drop, slot.ID)
		}
	}
	check(t, second(d.Client.Slots(ctx, ipc.SlotsRequest{Remove: drop})))
	check(t, second(d.Client.Lock(ctx)))
	s, err = d.Client.Unlock(ctx, ipc.UnlockRequest{})
	check(t, err)
	if !hasWarning(s, "unlock") {
		t.Errorf("no word of it: %+v", s.Warnings)
	}
}

func hasWarning(s ipc.Status, code string) bool {
	for _, w := range s.Warnings {
		if w.Code == code && strings.TrimSpace(w.Message) != "" {
			return true
		}
	}
	return false
}
