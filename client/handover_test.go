//go:build unix

package client

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/o2fa/o2fa/ipc"
)

// old is a daemon of an hour ago that speaks too low a number, with a newer
// o2fad in its place on the disk.
func old() fake {
	return fake{Release: "1.0.0", API: ipc.Version - 1, Age: time.Hour, NextRelease: "1.1.0", NextAPI: ipc.Version}
}

func TestHandOver(t *testing.T) {
	c := newClient(t, old())
	status, err := c.Status(t.Context())
	if err != nil || status.Release != "1.1.0" || lines(*c.Profile, "started") != 2 {
		t.Fatalf("%+v after %d starts, %v", status, lines(*c.Profile, "started"), err)
	}
	if again, err := c.Status(t.Context()); err != nil || again.PID != status.PID {
		t.Errorf("then %+v, %v", again, err)
	}
}

// TestHandOverOfMany has clients that all find the daemon too old at once.
func TestHandOverOfMany(t *testing.T) {
	c := newClient(t, old())
	startOld(t, c)
	const n = 8
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { _, errs[i] = c.Status(t.Context()) })
	}
	group.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("client %d: %v", i, err)
		}
	}
	if got := lines(*c.Profile, "started"); got != 2 {
		t.Errorf("%d daemons served", got)
	}
}

// startOld starts the daemon of c without handing over.
func startOld(t *testing.T, c *Client) {
	t.Helper()
	s := &session{Client: c, profile: *c.Profile}
	conn, err := s.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestNoHandOver(t *testing.T) {
	for name, change := range map[string]func(*fake){
		"to an older release":    func(f *fake) { f.NextRelease = "0.9.0" },
		"to the same release":    func(f *fake) { f.NextRelease = "1.0.0" },
		"to a development build": func(f *fake) { f.NextRelease = "1.1.0-dev" },
		"to one as old":          func(f *fake) { f.NextAPI = f.API },
		"that is refused":        func(f *fake) { f.Refuse = true },
		"twice a minute":         func(f *fake) { f.Age = 30 * time.Second },
		"to what tells nothing":  func(f *fake) { f.NextRelease = "" },
	} {
		t.Run(name, func(t *testing.T) {
			f := old()
			change(&f)
			c := newClient(t, f)
			_, err := c.Status(t.Context())
			if !errors.Is(err, ipc.ErrVersion) || lines(*c.Profile, "started") != 1 || lines(*c.Profile, "handed-over") != 0 {
				t.Fatalf("%d starts, %v", lines(*c.Profile, "started"), err)
			}
			// Both binaries are named: the running one by what it says of itself.
			if !strings.Contains(err.Error(), "/old/o2fad") || !strings.Contains(err.Error(), c.Daemon) {
				t.Error(err)
			}
		})
	}
}

func TestNoHandOverWithoutStart(t *testing.T) {
	c := newClient(t, old())
	startOld(t, c)
	c.NoStart = true
	if _, err := c.Status(t.Context()); !errors.Is(err, ipc.ErrVersion) {
		t.Error(err)
	}
	c.NoStart, c.Profile.Fixed = false, true
	if _, err := c.Status(t.Context()); !errors.Is(err, ipc.ErrVersion) {
		t.Error(err)
	}
	c.Profile.Fixed = false
	if lines(*c.Profile, "handed-over") != 0 {
		t.Error("handed over")
	}
}

func TestMustStay(t *testing.T) {
	now := time.Unix(1e9, 0)
	next := &candidate{VersionReply: ipc.VersionReply{Release: "2.0.0", API: ipc.Version}}
	for started, stays := range map[time.Time]bool{
		now.Add(-time.Hour):       false,
		now.Add(-time.Minute):     false,
		now.Add(-time.Minute + 1): true,
		now:                       true,
		{}:                        true,  // it does not say
		now.Add(time.Hour):        false, // the clock was set back: no reason to wait for an hour
	} {
		if why := mustStay("1.0.0", next, started, now); (why != "") != stays {
			t.Errorf("started %v: %q", started, why)
		}
	}
}
