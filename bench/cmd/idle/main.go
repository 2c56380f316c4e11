// Command idle measures what an o2fad costs that serves nobody at the moment:
// context switches of all its threads, and memory.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/o2fa/o2fa/bench/rig"
)

const (
	goalSwitches = 6    // a minute
	goalRSS      = 20e6 // bytes
)

func main() {
	entries := flag.Int("entries", 1000, "in the vault")
	settle := flag.Duration("settle", time.Minute, "wait before measuring")
	length := flag.Duration("length", 4*time.Minute, "measure for so long")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := measure(ctx, os.Stdout, *entries, *settle, *length)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "idle:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, out io.Writer, entries int, settle, length time.Duration) error {
	r, err := rig.New(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	profile, err := r.Profile(entries)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\n%d entries, secrets.json watched; %v to settle, %v measured\n\n", rig.Machine(), entries, settle, length)
	daemon, took, err := profile.Create(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "made the vault in %s\n", rig.Millis(took))
	if err := watch(ctx, out, "the daemon that made the vault", daemon, settle, length); err != nil {
		_ = daemon.Stop()
		return err
	}
	if err := daemon.Stop(); err != nil {
		return err
	}
	daemon, err = profile.Start(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = daemon.Stop() }()
	if err := daemon.Ready(ctx, entries); err != nil {
		return err
	}
	return watch(ctx, out, "a daemon started anew", daemon, settle, length)
}

// watch gives one code and then leaves the daemon alone.
func watch(ctx context.Context, out io.Writer, title string, daemon *rig.Daemon, settle, length time.Duration) error {
	if _, err := rig.Exchange(daemon.Socket, "POST", rig.CodePath(rig.Name(0)), "text/plain"); err != nil {
		return err
	}
	if err := sleep(ctx, settle); err != nil {
		return err
	}
	before, err := rig.Switches(daemon.PID)
	if err != nil {
		return err
	}
	if err := sleep(ctx, length); err != nil {
		return err
	}
	after, err := rig.Switches(daemon.PID)
	if err != nil {
		return err
	}
	m, err := rig.MemoryOf(daemon.PID)
	if err != nil {
		return err
	}
	rate := float64(after-before) / length.Minutes()
	fmt.Fprintf(out, "\n%s\n  %.1f context switches a minute, goal %d: %s\n", title, rate, goalSwitches, rig.Verdict(rate <= goalSwitches))
	fmt.Fprintf(out, "  %v, goal RSS %.0f MB: %s\n", m, goalRSS/1e6, rig.Verdict(m.RSS <= goalRSS))
	if _, err := rig.Exchange(daemon.Socket, "GET", "/v1/entries", "application/json"); err != nil {
		return err
	}
	m, err = rig.MemoryOf(daemon.PID)
	fmt.Fprintf(out, "  after a list of all: %v\n", m)
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
