// Command rate measures how many codes a second the daemon serves on kept
// connections, beside a bare net/http server that answers every request with
// the same bytes. Rounds of the two alternate.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/o2fa/o2fa/bench/rig"
)

const goal = 0.8 // of the bare server's rate

func main() {
	rounds := flag.Int("rounds", 10, "of each server and number of connections")
	length := flag.Duration("round", time.Second, "length of a round")
	entries := flag.Int("entries", 1000, "in the vault")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := measure(ctx, os.Stdout, *rounds, *length, *entries)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "rate:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, out io.Writer, rounds int, length time.Duration, entries int) error {
	r, err := rig.New(ctx, "echo")
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
	defer func() { _ = daemon.Stop() }()
	fmt.Fprintf(out, "%s\n%d entries, %d rounds of %v each, alternating\n\n", rig.Machine(), entries, rounds, length)
	fmt.Fprintf(out, "%-18s %12s %12s   %s\n", "", "o2fad", "bare server", "median of the rounds' ratios")
	for _, accept := range []string{"text/plain", "application/json"} {
		for _, conns := range []int{1, 32} {
			b := bout{daemon: daemon.Socket, bin: r.Bin("echo"), accept: accept, conns: conns, rounds: rounds, length: length}
			if err := b.run(ctx, out); err != nil {
				return fmt.Errorf("%s on %d connections: %w", accept, conns, err)
			}
		}
	}
	return nil
}

// bout is one comparison of the daemon with the bare server.
type bout struct {
	daemon, bin, accept string
	conns, rounds       int
	length              time.Duration
}

func (b *bout) run(ctx context.Context, out io.Writer) error {
	reply, err := rig.Exchange(b.daemon, "POST", rig.CodePath(rig.Name(0)), b.accept)
	if err != nil {
		return err
	}
	bare := filepath.Join(filepath.Dir(b.daemon), "echo.sock")
	echo := exec.CommandContext(ctx, b.bin, bare, string(reply), b.accept)
	if err := echo.Start(); err != nil {
		return err
	}
	defer os.Remove(bare)
	defer func() { _ = echo.Wait() }()
	defer func() { _ = echo.Process.Kill() }()
	err = rig.Await(ctx, rig.Fine, func() (bool, error) { _, err := rig.Exchange(bare, "POST", "/", b.accept); return err == nil, nil })
	if err != nil {
		return err
	}
	var ours, theirs, ratios []float64
	for i := -1; i < b.rounds; i++ { // one round to warm up
		o, err := b.round(ctx, b.daemon)
		if err != nil {
			return err
		}
		t, err := b.round(ctx, bare)
		if err != nil {
			return err
		}
		if i >= 0 {
			ours, theirs, ratios = append(ours, o), append(theirs, t), append(ratios, o/t)
		}
	}
	ratio := median(ratios)
	fmt.Fprintf(out, "%-10.10s %3d conn %10.0f/s %10.0f/s   %.0f %%, goal %.0f %%: %s\n", strings.TrimPrefix(b.accept, "application/"),
		b.conns, median(ours), median(theirs), 100*ratio, 100*goal, rig.Verdict(ratio >= goal))
	return nil
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// round sends requests on all connections, one at a time on each, and returns
// how many replies came per second.
func (b *bout) round(ctx context.Context, socket string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, b.length)
	defer cancel()
	counts, errs := make([]int, b.conns), make([]error, b.conns)
	var group sync.WaitGroup
	start := time.Now()
	for i := range b.conns {
		group.Go(func() { counts[i], errs[i] = b.ask(ctx, socket, rig.Name(i)) })
	}
	group.Wait()
	took := time.Since(start)
	total := 0
	for _, n := range counts {
		total += n
	}
	return float64(total) / took.Seconds(), errors.Join(errs...)
}

// ask repeats the request for one entry on one connection until ctx ends.
func (b *bout) ask(ctx context.Context, socket, name string) (n int, err error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	request := []byte("POST " + rig.CodePath(name) + " HTTP/1.1\r\nHost: o2fa\r\nAccept: " + b.accept + "\r\nContent-Length: 0\r\n\r\n")
	reader := bufio.NewReader(conn)
	for ctx.Err() == nil {
		if _, err := conn.Write(request); err != nil {
			return n, err
		}
		if err := readReply(reader); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// readReply reads one reply with a Content-Length, which must be a success.
func readReply(r *bufio.Reader) error {
	status, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if string(status) != "HTTP/1.1 200 OK\r\n" {
		return fmt.Errorf("answer: %q", status)
	}
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == 2 {
			break
		}
		if value, ok := strings.CutPrefix(string(line), "Content-Length: "); ok {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return err
			}
		}
	}
	_, err = r.Discard(length)
	return err
}
