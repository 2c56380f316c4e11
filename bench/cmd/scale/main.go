// Command scale measures what each thing costs that o2fa does, with 10 to 100,000
// entries, and by which factor it grows with ten times the entries.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/o2fa/o2fa/bench/rig"
)

func main() {
	sizes := flag.String("sizes", "10,100,1000,10000,100000", "numbers of entries, each ten times the one before")
	rounds := flag.Int("rounds", 3, "new vaults of each size; a figure is the least of all")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := measure(ctx, os.Stdout, *sizes, *rounds)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, out io.Writer, list string, rounds int) error {
	var sizes []int
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 10 || len(sizes) > 0 && n != 10*sizes[len(sizes)-1] {
			return errors.New("-sizes wants numbers from 10, each ten times the one before")
		}
		sizes = append(sizes, n)
	}
	r, err := rig.New(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	fmt.Fprintf(out, "%s\nkey file; the least of %d vaults of each size, and of several runs in each\n\n", rig.Machine(), rounds)
	var t table
	for round := range rounds { // sizes in turn, so that a noisy minute spoils no size alone
		for column, n := range sizes {
			if err := run(ctx, r, n, t.column(column), round == 0); err != nil {
				return fmt.Errorf("%d entries: %w", n, err)
			}
		}
	}
	t.print(out, sizes)
	return nil
}

// table holds the least figure of each kind and size.
type table struct{ rows []*row }

// row is one kind of figure: times, or bytes.
type row struct {
	name  string
	flat  bool // is to cost the same whatever the number of entries
	bytes bool
	least []float64 // by size; seconds or bytes
}

// noter takes one figure.
type noter func(k kind, value float64)

// kind is what a row says of itself.
type kind struct {
	name        string
	flat, bytes bool
}

// column returns what notes the figures of one size.
func (t *table) column(i int) noter {
	return func(k kind, value float64) {
		at := slices.IndexFunc(t.rows, func(r *row) bool { return r.name == k.name })
		if at < 0 {
			at = len(t.rows)
			t.rows = append(t.rows, &row{name: k.name, flat: k.flat, bytes: k.bytes})
		}
		r := t.rows[at]
		for len(r.least) <= i {
			r.least = append(r.least, value)
		}
		r.least[i] = min(r.least[i], value)
	}
}

// Goals: ten times the entries cost at most so many times as much. A fifth more
// than ten is granted to sorting, to what no longer fits a cache of the
// processor, and to noise.
const (
	goalLinear = 12.0
	goalFlat   = 1.5 // over all sizes
)

func (t *table) print(out io.Writer, sizes []int) {
	w := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	defer w.Flush()
	fmt.Fprint(w, "|\t")
	for _, n := range sizes {
		fmt.Fprintf(w, "| %d\t", n)
	}
	fmt.Fprintln(w, "| largest step\t|")
	fmt.Fprintln(w, strings.Repeat("|---\t", len(sizes)+2)+"|")
	for _, r := range t.rows {
		fmt.Fprintf(w, "| %s\t", r.name)
		for i, value := range r.least {
			fmt.Fprintf(w, "| %s", r.format(value))
			if i > 0 {
				fmt.Fprintf(w, " (x%.1f)", value/r.least[i-1])
			}
			fmt.Fprint(w, "\t")
		}
		fmt.Fprintf(w, "| %s\t|\n", r.verdict())
	}
}

func (r *row) format(value float64) string {
	switch {
	case r.bytes:
		return fmt.Sprintf("%.1f MB", value/1e6)
	case value < 1e-3:
		return fmt.Sprintf("%.0f µs", value*1e6)
	case value < 1:
		return fmt.Sprintf("%.1f ms", value*1e3)
	}
	return fmt.Sprintf("%.2f s", value)
}

// verdict says how it grew, and whether that keeps to the goal.
func (r *row) verdict() string {
	if r.flat {
		all := slices.Max(r.least) / r.least[0]
		return fmt.Sprintf("x%.1f over all, goal %.1f: %s", all, goalFlat, rig.Verdict(all <= goalFlat))
	}
	var most float64
	for i := 1; i < len(r.least); i++ {
		most = max(most, r.least[i]/r.least[i-1])
	}
	return fmt.Sprintf("x%.1f: %s", most, rig.Verdict(most <= goalLinear))
}

// timed notes the least time of several runs of f, which is given their numbers.
func timed(note noter, k kind, runs int, f func(i int) error) error {
	for i := range runs {
		start := time.Now()
		if err := f(i); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		note(k, time.Since(start).Seconds())
	}
	return nil
}
