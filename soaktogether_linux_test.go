package o2fa_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/o2fa/o2fa/client"
)

// together lets several clients ask at once for changes of different entries,
// and at times kills the daemon meanwhile.
func (s *soak) together(kill bool) {
	if len(s.worlds) > 1 {
		s.read()
	}
	requests := s.several(1 + s.rng.IntN(4))
	if kill && s.odds(6) && s.file.settled() && len(s.world().journal) > 0 {
		requests = []request{s.undoRequest(s.staying())}
	}
	s.unlocked()
	alone := s.world().gather || len(requests) == 1 // in a group already, or none is needed
	if !alone {
		s.each((*world).begin)
	}
	ctx, cancel := shortly(s.T)
	defer cancel()
	errs := make([]error, len(requests))
	var all sync.WaitGroup
	for i, r := range requests {
		all.Go(func() { errs[i] = r.send(ctx) })
	}
	if kill {
		<-time.After(time.Duration(s.rng.ExpFloat64() * float64(1500*time.Microsecond)))
		s.kill()
	}
	all.Wait()
	for i, r := range requests {
		s.settle(r, errs[i], kill)
	}
	if !alone {
		s.each((*world).end)
	}
	if kill {
		s.ensure()
		s.read()
	}
}

// staying returns a client that starts no daemon: one that is killed stays dead
// until all answers are in.
func (s *soak) staying() *client.Client {
	c := *s.client
	c.NoStart = true
	return &c
}

// several are requests that touch different entries.
func (s *soak) several(most int) (requests []request) {
	c := s.staying()
	numbers := s.free(item.live)
	s.rng.Shuffle(len(numbers), func(i, j int) { numbers[i], numbers[j] = numbers[j], numbers[i] })
	for len(requests) < most {
		if len(numbers) == 0 || s.odds(3) {
			requests = append(requests, s.addRequest(c))
			continue
		}
		n := numbers[0]
		numbers = numbers[1:]
		switch {
		case s.world().items[n].hotp && s.odds(2):
			requests = append(requests, s.counterRequest(c, n))
		case s.odds(2):
			requests = append(requests, s.deleteRequest(c, []int{n}))
		default:
			requests = append(requests, s.editRequest(c, n))
		}
	}
	return requests
}

// stopAndGo stops the daemon while a client waits for it.
func (s *soak) stopAndGo() {
	s.unlocked()
	r := s.several(1)[0]
	s.signal(syscall.SIGSTOP)
	await(s.T, "the daemon to stop", func() bool {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", s.pid))
		return !slices.ContainsFunc(threads, func(path string) bool {
			status, _ := os.ReadFile(path)
			return !bytes.Contains(status, []byte("State:\tT"))
		})
	})
	answered := make(chan error, 1)
	ctx, cancel := shortly(s.T)
	defer cancel()
	go func() { answered <- r.send(ctx) }()
	select {
	case err := <-answered:
		s.fail("%s: a daemon that is stopped has answered: %v", r.what, err)
	case <-time.After(time.Duration(s.rng.IntN(40)) * time.Millisecond):
	}
	killed := !s.calm && s.odds(3)
	if killed {
		s.kill()
	} else {
		s.signal(syscall.SIGCONT)
	}
	s.settle(r, <-answered, killed)
	if killed {
		s.read()
	}
}
