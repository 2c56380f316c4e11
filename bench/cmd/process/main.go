// Command process measures the whole process of "o2fa code NAME", beside
// oathtool and beside the baseline, in random order.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/o2fa/o2fa/bench/rig"
)

func main() {
	runs := flag.Int("runs", 500, "of each contestant")
	entries := flag.Int("entries", 1000, "in the vault")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := measure(ctx, os.Stdout, *runs, *entries)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "process:", err)
		os.Exit(1)
	}
}

// entrant is a contestant that o2fa has a goal beside, or none.
type entrant struct {
	rig.Contestant
	goal float64 // o2fa's median is at most so many times this one's; 0: no goal
}

func measure(ctx context.Context, out io.Writer, runs, entries int) error {
	r, err := rig.New(ctx, "baseline", "bare", "empty")
	if err != nil {
		return err
	}
	defer r.Close()
	oathtool, err := r.Copy("oathtool")
	if err != nil {
		return fmt.Errorf("finding oathtool (apt install oathtool): %w", err)
	}
	profile, err := r.Profile(entries)
	if err != nil {
		return err
	}
	daemon, _, err := profile.Create(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = daemon.Stop() }()
	env := profile.Environ()
	list := []*entrant{
		{Contestant: rig.Contestant{Name: "o2fa code", Argv: []string{r.Bin("o2fa"), "code", rig.Name(0)}, Env: env}},
		{Contestant: rig.Contestant{Name: "oathtool", Argv: []string{oathtool, "--totp", "-b", rig.Secret}, Env: env}, goal: 1.8},
		{Contestant: rig.Contestant{Name: "baseline", Argv: []string{r.Bin("baseline"), daemon.Socket, rig.Name(0)}, Env: env}, goal: 1.5},
		{Contestant: rig.Contestant{Name: "bare calls", Argv: []string{r.Bin("bare"), daemon.Socket, rig.Name(0)}, Env: env}},
		{Contestant: rig.Contestant{Name: "empty Go main", Argv: []string{r.Bin("empty")}, Env: env, Silent: true}},
	}
	fmt.Fprintf(out, "%s\n%d entries, %d runs each, random order\n\n", rig.Machine(), entries, runs)
	var all []*rig.Contestant
	for _, e := range list {
		all = append(all, &e.Contestant)
	}
	if err := rig.Race(ctx, all, runs); err != nil {
		return err
	}
	report(out, list)
	return nil
}

func report(out io.Writer, list []*entrant) {
	first := list[0].Times
	fmt.Fprintf(out, "%-15s %12s %12s   o2fa is\n", "", "median", "p95")
	for _, c := range list {
		fmt.Fprintf(out, "%-15s %12s %12s", c.Name, rig.Millis(c.Times.Median()), rig.Millis(c.Times.Quantile(0.95)))
		ratio := float64(first.Median()) / float64(c.Times.Median())
		switch {
		case c == list[0]:
			fmt.Fprintln(out)
		case c.goal > 0:
			fmt.Fprintf(out, "   %.2fx, goal %.1fx: %s\n", ratio, c.goal, rig.Verdict(ratio <= c.goal))
		default:
			fmt.Fprintf(out, "   %.2fx\n", ratio)
		}
	}
}
