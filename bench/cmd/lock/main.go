// Command lock measures what it costs that a lock replaces the daemon's process:
// the time of the calls around it, beside a status, and the memory of the daemon
// before and after.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"time"

	"github.com/o2fa/o2fa/bench/rig"
)

func main() {
	entries := flag.Int("entries", 1_000, "entries of the vault")
	runs := flag.Int("runs", 100, "locks")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := measure(ctx, os.Stdout, *entries, *runs)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "lock:", err)
		os.Exit(1)
	}
}

// call is one command, with the times it took.
type call struct {
	args []string
	took rig.Times
}

func measure(ctx context.Context, out io.Writer, entries, runs int) error {
	r, err := rig.New(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	profile, err := r.Profile(entries)
	if err != nil {
		return err
	}
	daemon, _, err := profile.Create(ctx)
	if err != nil {
		return err
	}
	calls := []*call{{args: []string{"status"}}, {args: []string{"lock"}}, {args: []string{"unlock"}}, {args: []string{"code", rig.Name(0)}}}
	before, err := rig.MemoryOf(daemon.PID)
	if err != nil {
		return err
	}
	for range runs {
		for _, c := range calls {
			if err := c.once(ctx, r, profile); err != nil {
				return err
			}
		}
	}
	after, err := rig.MemoryOf(daemon.PID) // the same process, or there is none
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\nkey file, %d entries, %d runs of each in turn, whole processes\n", rig.Machine(), entries, runs)
	for _, c := range calls {
		fmt.Fprintf(out, "  o2fa %-7s p10 %s, median %s, p90 %s\n", c.args[0], rig.Millis(c.took.Quantile(0.1)), rig.Millis(c.took.Median()), rig.Millis(c.took.Quantile(0.9)))
	}
	fmt.Fprintf(out, "  daemon before: %v\n  daemon after:  %v\n", before, after)
	return daemon.Stop()
}

func (c *call) once(ctx context.Context, r *rig.Rig, profile rig.Profile) error {
	cmd := exec.CommandContext(ctx, r.Bin("o2fa"), c.args...)
	cmd.Env = profile.Environ()
	start := time.Now()
	out, err := cmd.CombinedOutput()
	c.took = append(c.took, time.Since(start))
	if err != nil {
		return fmt.Errorf("o2fa %v: %w\n%s", c.args, err, out)
	}
	return nil
}
