package o2fa_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/o2fa/o2fa/ipc"
)

// TestFailedSync lets syncs fail, as a dying disk does: such a change is not
// acknowledged, though it may be there all the same, and everything else goes on.
func TestFailedSync(t *testing.T) {
	strace := tracer(t)
	p := newPlace(t)
	o, _ := p.start(t, ipc.StateUninitialized)
	p.add(t, secretOf("a"), "a")
	o.stop(t)
	// Each change syncs twice: its pages, and then the page that makes them valid.
	o = p.launch(t, strace, "-f", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=2+3")
	p.status(t, o)
	names, open := map[string]bool{"a": true}, map[string]bool{}
	for n := range 30 {
		name := fmt.Sprintf("n%d", n)
		if err := p.tryAdd(t, name); err == nil {
			names[name] = true
		} else {
			p.fail(t, "add", err, ipc.ErrStorage)
			open[name] = true
		}
		p.holdsAtLeast(t, names, open)
	}
	if len(open) < 5 || len(names) < 5 {
		t.Errorf("%d changes failed and %d did not", len(open), len(names))
	}
	if err := p.client.Shutdown(t.Context(), ipc.ShutdownRequest{}); err != nil {
		t.Error(err)
	}
	await(t, "the end of the daemon", func() bool { return !o.alive() })
	o, s := p.start(t, ipc.StateReady)
	p.holdsAtLeast(t, names, open)
	if now := p.entries(t); s.Vault.Entries != len(now) {
		t.Errorf("status counts %d entries, there are %d", s.Vault.Entries, len(now))
	}
	o.stop(t)
}

// holdsAtLeast checks that the vault has what it must, and nothing but what it may.
func (p *place) holdsAtLeast(t *testing.T, must, may map[string]bool) {
	t.Helper()
	now := p.entries(t)
	for name := range must {
		if now[name].Secret != secretOf(name) {
			t.Errorf("entry %s is gone, or has another secret", name)
		}
	}
	for name, e := range now {
		if !must[name] && !may[name] || e.Secret != secretOf(name) {
			t.Errorf("entry %s should not be there, or has another secret", name)
		}
	}
}

// TestCrashAtEachWrite kills the daemon before its first call that changes the
// disk, before its second, and so on until three in a row have lived to the end:
// what random instants leave out of the making of a vault and of the first
// changes. (strace counts the calls of each thread for itself, so how far the
// n-th kill lets a daemon come differs from run to run.)
func TestCrashAtEachWrite(t *testing.T) {
	const calls = "write,pwrite64,ftruncate,fsync,fdatasync,renameat,openat,unlinkat"
	strace := tracer(t)
	outcomes := map[string]int{}
	killed, lived := 0, 0
	for n := 1; lived < 3; n++ {
		p := newPlace(t)
		l := newLedger(rand.Uint64())
		o := p.launch(t, strace, "-f", "-o", "/dev/null", "-e", "trace="+calls, "-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", calls, n))
		await(t, "an answer or the end of the daemon", func() bool {
			_, err := p.client.Status(t.Context())
			return err == nil || !o.alive()
		})
		if l.firstDay(t, p) {
			lived++
			_ = p.client.Shutdown(t.Context(), ipc.ShutdownRequest{})
		} else {
			killed++
			lived = 0
		}
		await(t, "the end of the daemon", func() bool { return !o.alive() })
		outcomes[afterCreating(t, l, p)]++
	}
	if killed < 10 {
		t.Errorf("only %d daemons were killed", killed)
	}
	t.Logf("killed %d times: %v", killed, outcomes)
}

// firstDay makes the first few changes of a vault, and says whether the daemon
// has lived to answer all of them.
func (l *ledger) firstDay(t *testing.T, p *place) bool {
	b := &crowd{ledger: l, place: p, first: make(chan struct{})}
	b.killed.Store(true) // it may be, at any time
	w := &worker{b, p.client, rand.New(rand.NewPCG(l.seed, 0))}
	ctx, cancel := shortly(t)
	defer cancel()
	for range 3 {
		if !w.add(ctx) || !w.step(ctx) {
			return false
		}
	}
	return w.remove(ctx) && w.undo(ctx) && w.step(ctx)
}
