// Command peers measures the whole process that prints one code: "o2fa code
// NAME" beside the tools for the same that are installed, in random order. It
// prints tables for README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"

	"github.com/o2fa/o2fa/bench/rig"
)

func main() {
	runs := flag.Int("runs", 200, "of each tool, for each number of entries")
	entries := flag.String("entries", "1,100,1000", "how many each tool holds")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := measure(ctx, os.Stdout, *runs, *entries)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, out io.Writer, runs int, entries string) error {
	r, err := rig.New(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	found, missing, err := find(r.Copy, peers())
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\n%d runs each, random order\n", rig.Machine(), runs)
	for word := range strings.SplitSeq(entries, ",") {
		n, err := strconv.Atoi(word)
		if err != nil {
			return fmt.Errorf("reading -entries: %w", err)
		}
		if err := compare(ctx, out, round{r, found, n, runs}); err != nil {
			return fmt.Errorf("with %d entries: %w", n, err)
		}
	}
	describe(ctx, out, found)
	for _, p := range missing {
		fmt.Fprintf(out, "not installed: %s (%s)\n", p.name, p.from)
	}
	return nil
}

// find tells the peers that are installed from those that are not; locate
// returns where a program is.
func find(locate func(name string) (string, error), all []peer) (found, missing []peer, err error) {
	for _, p := range all {
		switch p.bin, err = locate(p.name); {
		case err == nil:
			found = append(found, p)
		case errors.Is(err, exec.ErrNotFound):
			missing = append(missing, p)
		default:
			return nil, nil, err
		}
	}
	return found, missing, nil
}

// round is one number of entries, with all that are compared.
type round struct {
	rig     *rig.Rig
	peers   []peer
	entries int
	runs    int
}

// compare sets everybody up with the same entries, lets them race and reports.
func compare(ctx context.Context, out io.Writer, now round) error {
	profile, err := now.rig.Profile(now.entries)
	if err != nil {
		return err
	}
	daemon, _, err := profile.Create(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = daemon.Stop() }()
	list := []*rig.Contestant{{Name: "o2fa code", Argv: []string{now.rig.Bin("o2fa"), "code", rig.Name(0)}, Env: profile.Environ()}}
	for _, p := range now.peers {
		h, err := newHome(now.rig, p, profile)
		if err != nil {
			return err
		}
		defer h.close(ctx)
		switch c, err := enter(ctx, p, h); {
		case errors.Is(err, rig.ErrWrongCode):
			return err
		case err != nil:
			fmt.Fprintf(out, "\nnot measured: %s: %v\n", p.name, err)
		default:
			list = append(list, c)
		}
	}
	if err := rig.Race(ctx, list, now.runs); err != nil {
		return err
	}
	return report(ctx, out, now.entries, list)
}

// enter sets one peer up and tries it.
func enter(ctx context.Context, p peer, h home) (*rig.Contestant, error) {
	argv, input, err := p.setUp(ctx, h)
	if err != nil {
		return nil, fmt.Errorf("setting up: %w", err)
	}
	c := &rig.Contestant{Name: p.title(), Argv: argv, Env: h.env, Input: input}
	return c, c.Try(ctx)
}

// report prints one table. Beside each time stands how many times that of o2fa
// it is: the least depend less than the medians on what else the machine does.
func report(ctx context.Context, out io.Writer, entries int, list []*rig.Contestant) error {
	fmt.Fprintf(out, "\n| entries: %d | least | beside o2fa | median | beside o2fa | p95 | peak memory |\n|---|---|---|---|---|---|---|\n", entries)
	for _, c := range list {
		peak, err := c.Peak(ctx)
		memory := fmt.Sprintf("%.1f MB", float64(peak)/1e6)
		if errors.Is(err, exec.ErrNotFound) {
			memory = "(needs GNU time)"
		} else if err != nil {
			return err
		}
		fmt.Fprintf(out, "| %s ", c.Name)
		for _, q := range []float64{0, 0.5} {
			t := c.Times.Quantile(q)
			fmt.Fprintf(out, "| %s | %.2fx ", rig.Millis(t), float64(t)/float64(list[0].Times.Quantile(q)))
		}
		fmt.Fprintf(out, "| %s | %s |\n", rig.Millis(c.Times.Quantile(0.95)), memory)
	}
	return nil
}

// describe prints what the figures cannot say.
func describe(ctx context.Context, out io.Writer, found []peer) {
	fmt.Fprint(out, "\n| tool | protects the secret at rest | asks for a password each time | does for a code |\n|---|---|---|---|\n")
	for _, p := range append([]peer{ours()}, found...) {
		fmt.Fprintf(out, "| %s | %s | %s | %s |\n", strings.TrimSpace(p.title()+" "+p.versionNumber(ctx)), p.atRest, p.asks, p.work)
	}
	fmt.Fprintln(out)
}
