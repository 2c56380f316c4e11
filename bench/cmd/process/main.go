// Command process measures the whole process of "o2fa code NAME", beside
// oathtool and beside the baseline, in random order.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"time"

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

// contestant is one way to get the code of one secret.
type contestant struct {
	name  string
	argv  []string
	goal  float64 // o2fa's median is at most so many times this one's; 0: no goal
	times rig.Times
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
	list := []*contestant{
		{name: "o2fa code", argv: []string{r.Bin("o2fa"), "code", rig.Name(0)}},
		{name: "oathtool", argv: []string{oathtool, "--totp", "-b", rig.Secret}, goal: 1.8},
		{name: "baseline", argv: []string{r.Bin("baseline"), daemon.Socket, rig.Name(0)}, goal: 1.5},
		{name: "bare calls", argv: []string{r.Bin("bare"), daemon.Socket, rig.Name(0)}},
		{name: "empty Go main", argv: []string{r.Bin("empty")}},
	}
	fmt.Fprintf(out, "%s\n%d entries, %d runs each, random order\n\n", rig.Machine(), entries, runs)
	if err := run(ctx, list, runs, profile.Environ()); err != nil {
		return err
	}
	report(out, list)
	return nil
}

// run lets everybody run so often, in random order. All must print the same
// code, unless the time step has changed between two runs.
func run(ctx context.Context, list []*contestant, runs int, env []string) error {
	var order []*contestant
	for _, c := range list {
		for range runs {
			order = append(order, c)
		}
	}
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] }) //nolint:gosec // the order of measurements is no secret
	// A file and no pipe: the harness then has nothing to do while it waits.
	stdout, err := os.CreateTemp("", "o2fa-bench-out-")
	if err != nil {
		return err
	}
	defer os.Remove(stdout.Name())
	defer stdout.Close()
	codes := map[int64]string{}
	for i := -len(list); i < len(order); i++ {
		c := list[(i+len(list))%len(list)] // once each, unmeasured, to warm up
		if i >= 0 {
			c = order[i]
		}
		step := time.Now().Unix() / 30
		took, text, err := once(ctx, c.argv, env, stdout)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if code, known := codes[step]; step == time.Now().Unix()/30 && text != "" {
			if known && code != text {
				return fmt.Errorf("%s printed %q, others %q", c.name, text, code)
			}
			codes[step] = text
		}
		if i >= 0 {
			c.times = append(c.times, took)
		}
	}
	return nil
}

// once runs one process from its start to its end.
func once(ctx context.Context, argv, env []string, stdout *os.File) (time.Duration, string, error) {
	if err := stdout.Truncate(0); err != nil {
		return 0, "", err
	}
	if _, err := stdout.Seek(0, io.SeekStart); err != nil {
		return 0, "", err
	}
	if err := ctx.Err(); err != nil {
		return 0, "", err
	}
	cmd := exec.Cmd{Path: argv[0], Args: argv, Env: env, Stdout: stdout}
	start := time.Now()
	err := cmd.Run()
	took := time.Since(start)
	if err != nil {
		return 0, "", err
	}
	text, err := os.ReadFile(stdout.Name())
	return took, strings.TrimSpace(string(text)), err
}

func report(out io.Writer, list []*contestant) {
	first := list[0].times
	fmt.Fprintf(out, "%-15s %12s %12s   o2fa is\n", "", "median", "p95")
	for _, c := range list {
		fmt.Fprintf(out, "%-15s %12s %12s", c.name, rig.Millis(c.times.Median()), rig.Millis(c.times.Quantile(0.95)))
		ratio := float64(first.Median()) / float64(c.times.Median())
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
