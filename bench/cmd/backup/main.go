// Command backup measures what a backup of a large vault costs: its time, the
// verification's, memory, and how long a code takes meanwhile.
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
	entries := flag.Int("entries", 100_000, "entries of the vault")
	runs := flag.Int("runs", 5, "backups, each with a verification")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := measure(ctx, os.Stdout, *entries, *runs)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "backup:", err)
		os.Exit(1)
	}
}

// quiet is for how long codes are asked for while nothing else goes on.
const quiet = 2 * time.Second

// phase is one kind of work of the daemon.
type phase struct {
	name   string
	args   []string // of o2fa; none: nothing but codes
	took   rig.Times
	codes  rig.Times
	memory rig.Memory
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
	phases := []*phase{{name: "nothing else"}, {name: "backup create", args: []string{"backup", "create"}}, {name: "backup verify", args: []string{"backup", "verify"}}}
	for range runs {
		for _, p := range phases {
			if err := p.once(ctx, r, profile, daemon); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(out, "%s\nkey file, %d entries, %.1f MB of vault.db, %d runs of each in turn\n", rig.Machine(), entries, float64(profile.VaultSize())/1e6, runs)
	for _, p := range phases {
		fmt.Fprintf(out, "  %-14s median %s; %d codes meanwhile: p50 %s, p99 %s, most %s\n    %v\n", p.name, rig.Millis(p.took.Median()), len(p.codes),
			rig.Millis(p.codes.Median()), rig.Millis(p.codes.Quantile(0.99)), rig.Millis(p.codes.Quantile(1)), p.memory)
	}
	return daemon.Stop()
}

// once asks for one code after the other while the work goes on.
func (p *phase) once(ctx context.Context, r *rig.Rig, profile rig.Profile, daemon *rig.Daemon) error {
	if err := rig.ResetPeak(daemon.PID); err != nil {
		return err
	}
	start, ended := time.Now(), make(chan error, 1)
	go func() { ended <- p.work(ctx, r, profile) }()
	for n := 0; len(ended) == 0; n++ {
		asked := time.Now()
		code, err := rig.Exchange(daemon.Socket, "POST", rig.CodePath(rig.Name(n*7919%10_000)), "text/plain")
		if err != nil || len(code) != 7 {
			return fmt.Errorf("a code while %s: %q, %w", p.name, code, err)
		}
		p.codes = append(p.codes, time.Since(asked))
	}
	p.took = append(p.took, time.Since(start))
	m, err := rig.MemoryOf(daemon.PID)
	if m.Peak > p.memory.Peak {
		p.memory = m
	}
	if workErr := <-ended; workErr != nil {
		return workErr
	}
	return err
}

func (p *phase) work(ctx context.Context, r *rig.Rig, profile rig.Profile) error {
	if len(p.args) == 0 {
		<-time.After(quiet)
		return nil
	}
	cmd := exec.CommandContext(ctx, r.Bin("o2fa"), p.args...)
	cmd.Env = profile.Environ()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("o2fa %v: %w\n%s", p.args, err, out)
	}
	return nil
}
