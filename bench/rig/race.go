package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/o2fa/o2fa/totp"
)

// Contestant is one way to get the code of Secret.
type Contestant struct {
	Name   string
	Argv   []string
	Env    []string
	Input  string // path of a file that is its standard input; empty: there is none
	Silent bool   // prints nothing, so nothing is compared
	Times  Times  // of the runs so far
}

// ErrWrongCode is the error of a contestant that printed something else than
// the code of Secret.
var ErrWrongCode = errors.New("printed a wrong code")

// Race lets everybody run so often, in random order, after one run each that is
// not measured. All must print the right code each time.
func Race(ctx context.Context, list []*Contestant, runs int) error {
	order := slices.Repeat(list, runs)
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] }) //nolint:gosec // the order of measurements is no secret
	// A file and no pipe: the harness then has nothing to do while it waits.
	stdout, err := os.CreateTemp(memory(), "o2fa-bench-out-")
	if err != nil {
		return err
	}
	defer os.Remove(stdout.Name())
	defer stdout.Close()
	for _, c := range list {
		if _, err := c.once(ctx, stdout); err != nil {
			return err
		}
	}
	for _, c := range order {
		took, err := c.once(ctx, stdout)
		if err != nil {
			return err
		}
		c.Times = append(c.Times, took)
	}
	return nil
}

// Try runs the contestant once, unmeasured.
func (c *Contestant) Try(ctx context.Context) error { return Race(ctx, []*Contestant{c}, 0) }

// once runs one process from its start to its end and checks what it printed.
func (c *Contestant) once(ctx context.Context, stdout *os.File) (time.Duration, error) {
	if err := errors.Join(ctx.Err(), stdout.Truncate(0)); err != nil {
		return 0, err
	}
	if _, err := stdout.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	cmd := exec.Cmd{Path: c.Argv[0], Args: c.Argv, Env: c.Env, Stdout: stdout}
	if c.Input != "" {
		input, err := os.Open(c.Input)
		if err != nil {
			return 0, err
		}
		defer input.Close()
		cmd.Stdin = input
	}
	start := time.Now()
	err := cmd.Run()
	end := time.Now()
	if err != nil {
		return 0, fmt.Errorf("running %s: %w", c.Name, err)
	}
	text, err := os.ReadFile(stdout.Name())
	if err != nil {
		return 0, err
	}
	if c.Silent {
		return end.Sub(start), nil
	}
	return end.Sub(start), c.check(strings.TrimSpace(string(text)), start, end)
}

// check wants the code of a moment between start and end: the time step may
// change while a contestant runs.
func (c *Contestant) check(text string, start, end time.Time) error {
	for step := start.Unix() / 30; step <= end.Unix()/30; step++ {
		want, err := code(uint64(step))
		if err != nil {
			return err
		}
		if text == want {
			return nil
		}
	}
	return fmt.Errorf("%s %w: %q", c.Name, ErrWrongCode, text)
}

// code returns the code of Secret in a time step.
func code(step uint64) (string, error) {
	secret, err := totp.DecodeSecret(Secret)
	if err != nil {
		return "", err
	}
	key, err := totp.NewKey(secret, totp.Options{})
	if err != nil {
		return "", err
	}
	return string(key.AppendCode(nil, step)), nil
}

// Peak returns the most memory, in bytes, that a process of the contestant ever
// had resident: the median of five runs under GNU time. The kernel's own figure
// for a child is of no use here: it starts with the memory of the harness.
func (c *Contestant) Peak(ctx context.Context) (int, error) {
	tool, err := exec.LookPath("time")
	if err != nil {
		return 0, err
	}
	report, err := os.CreateTemp(memory(), "o2fa-bench-peak-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(report.Name())
	defer report.Close()
	under := *c
	under.Argv = slices.Concat([]string{tool, "-q", "-f", "%M", "-o", report.Name()}, c.Argv)
	var peaks []int
	for range 5 {
		if err := under.Try(ctx); err != nil {
			return 0, err
		}
		text, err := os.ReadFile(report.Name())
		if err != nil {
			return 0, err
		}
		kb, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			return 0, err
		}
		peaks = append(peaks, kb*1024)
	}
	slices.Sort(peaks)
	return peaks[len(peaks)/2], nil
}
