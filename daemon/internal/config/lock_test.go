package config

import (
	"slices"
	"testing"
	"time"
)

func TestLockTimes(t *testing.T) {
	for value, want := range map[string]struct {
		time time.Duration
		text string
	}{
		"0s": {0, "0s"}, "0": {0, "0s"}, "1s": {time.Second, "1s"}, "600s": {10 * time.Minute, "10m"}, "1h": {time.Hour, "1h"},
		"90m": {90 * time.Minute, "1h30m"}, "10h0m5s": {10*time.Hour + 5*time.Second, "10h0m5s"}, "720h": {maxLock, "720h"}, "1m30s": {90 * time.Second, "1m30s"},
	} {
		got, err := Edit(nil, map[string]string{"lock_idle": value}, nil)
		c, parseErr := Parse(got)
		k, _ := find("lock_idle")
		if err != nil || parseErr != nil || c.LockIdle != want.time || c.LockAfter != 0 || c.Value(*k) != want.text {
			t.Errorf("%s: %q, %v, %v: %v, %s", value, got, err, parseErr, c.LockIdle, c.Value(*k))
		}
	}
	for _, value := range []string{"", "10", "-1s", "999ms", "720h1s", "never", "1d"} {
		if _, err := Edit(nil, map[string]string{"lock_after": value}, nil); err == nil {
			t.Errorf("%q was taken", value)
		}
	}
}

func TestLockOn(t *testing.T) {
	for value, want := range map[string]string{
		"screen": "screen", "logout,screen": "screen, logout", " sleep , logout": "sleep, logout", "never": "never", "screen, sleep, logout": "screen, sleep, logout",
	} {
		c, err := Parse([]byte("lock_on = '" + value + "'"))
		k, _ := find("lock_on")
		if err != nil || c.Value(*k) != want || slices.Contains(c.LockOn, "never") {
			t.Errorf("%q: %q, %v", value, c.Value(*k), err)
		}
	}
	for _, value := range []string{"", "screen,", "screen screen", "screen, screen", "never, screen", "Screen", "suspend"} {
		if _, err := Parse([]byte("lock_on = '" + value + "'")); err == nil {
			t.Errorf("%q was taken", value)
		}
	}
}
