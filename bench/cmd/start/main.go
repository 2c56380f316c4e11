// Command start measures what grows with the vault: how long a fresh o2fad takes
// to its first code, how long the first intake of secrets.json takes, how soon a
// change of that file is listed, and memory.
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

func main() {
	small := flag.Int("small", 1000, "entries of the small vault")
	large := flag.Int("large", 100_000, "entries of the large vault")
	runs := flag.Int("runs", 30, "starts of each")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := measure(ctx, os.Stdout, *runs, size{*small, 50 * time.Millisecond}, size{*large, 500 * time.Millisecond})
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "start:", err)
		os.Exit(1)
	}
}

// rest is longer than a daemon takes to give unused memory back.
const rest = 25 * time.Second

// size is a number of entries and the goal for a start with so many.
type size struct {
	entries int
	goal    time.Duration
}

func measure(ctx context.Context, out io.Writer, runs int, sizes ...size) error {
	r, err := rig.New(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	fmt.Fprintf(out, "%s\nkey file, %d starts each; a start ends when the first code has arrived\n", rig.Machine(), runs)
	for _, s := range sizes {
		if err := s.measure(ctx, out, r, runs); err != nil {
			return fmt.Errorf("%d entries: %w", s.entries, err)
		}
	}
	return nil
}

func (s size) measure(ctx context.Context, out io.Writer, r *rig.Rig, runs int) error {
	profile, err := r.Profile(s.entries)
	if err != nil {
		return err
	}
	daemon, took, err := profile.Create(ctx)
	if err != nil {
		return err
	}
	m, err := rig.MemoryOf(daemon.PID)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%d entries\n  first intake of secrets.json      %v, %.1f MB of vault.db\n", s.entries, took.Round(time.Millisecond),
		float64(profile.VaultSize())/1e6)
	fmt.Fprintf(out, "  memory after it                   %v\n", m)
	if err := s.change(ctx, out, profile, daemon); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(rest):
	}
	if m, err = rig.MemoryOf(daemon.PID); err != nil {
		return err
	}
	fmt.Fprintf(out, "  memory at rest                    %v\n", m)
	if err := daemon.Stop(); err != nil {
		return err
	}
	if err := s.starts(ctx, out, "secrets.json watched", profile, daemon.Socket, runs); err != nil {
		return err
	}
	if err := profile.RemoveSecrets(); err != nil {
		return err
	}
	return s.starts(ctx, out, "no secrets.json", profile, daemon.Socket, runs)
}

// change adds rows to secrets.json and waits for each to be listed.
func (s size) change(ctx context.Context, out io.Writer, profile rig.Profile, daemon *rig.Daemon) error {
	var times rig.Times
	for i := range 5 {
		if err := profile.AppendSecret(fmt.Sprintf("Added%d", i)); err != nil {
			return err
		}
		start := time.Now()
		if err := daemon.Ready(ctx, s.entries+1+i); err != nil {
			return err
		}
		times = append(times, time.Since(start))
	}
	fmt.Fprintf(out, "  a row added to the file is there  after %s (median of 5; the file must rest for 100 ms), goal 1 s: %s\n",
		rig.Millis(times.Median()), rig.Verdict(times.Quantile(1) <= time.Second))
	return nil
}

// starts measures from the start of the process to the first code.
func (s size) starts(ctx context.Context, out io.Writer, how string, profile rig.Profile, socket string, runs int) error {
	var times rig.Times
	var m rig.Memory
	for i := -1; i < runs; i++ { // one to warm up
		start := time.Now()
		daemon, err := profile.Start(ctx)
		if err != nil {
			return err
		}
		var code []byte
		err = rig.Await(ctx, rig.Fine, func() (bool, error) {
			code, err = rig.Exchange(socket, "POST", rig.CodePath(rig.Name(i+1)), "text/plain")
			return err == nil, nil
		})
		took := time.Since(start)
		if err != nil || len(code) != 7 {
			_ = daemon.Stop()
			return fmt.Errorf("waiting for the first code, got %q: %w", code, err)
		}
		if m, err = rig.MemoryOf(daemon.PID); err != nil {
			return err
		}
		if err := daemon.Stop(); err != nil {
			return err
		}
		if i >= 0 {
			times = append(times, took)
		}
	}
	fmt.Fprintf(out, "  start to first code, %-20s %s, p95 %s, goal %v: %s\n    memory then: %v\n", how+":", rig.Millis(times.Median()),
		rig.Millis(times.Quantile(0.95)), s.goal, rig.Verdict(times.Median() <= s.goal), m)
	return nil
}
