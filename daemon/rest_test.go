package daemon

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var told []string
		r := newRest(func(resting bool) { told = append(told, fmt.Sprint(time.Since(start), " ", resting)) })
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { r.run(ctx) })
		wait := func(d time.Duration) {
			<-time.After(d)
			synctest.Wait()
		}
		wait(9 * time.Second)
		r.stir()
		wait(12 * time.Second)
		r.stir() // ends the rest that began at 20 s
		r.stir()
		wait(time.Hour)
		cancel()
		running.Wait()
		if got, want := strings.Join(told, ", "), "20s true, 21s false, 41s true, 1h0m21s false"; got != want {
			t.Errorf("told %s; want %s", got, want)
		}
	})
}

// TestRestEndsForEverybody has many stir while rests begin and end, and wants
// each rest to end and none to be told twice.
func TestRestEndsForEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		resting, rests := false, 0
		var r *rest
		r = newRest(func(now bool) {
			if now == resting {
				t.Errorf("told %t twice", now)
			}
			if resting = now; now {
				rests++
				r.stir() // between the look and the rest
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { r.run(ctx) })
		for range 100 {
			<-time.After(3 * restAfter)
			for range 10 {
				running.Go(r.stir)
			}
		}
		cancel()
		running.Wait()
		if resting || rests < 100 {
			t.Errorf("%d rests, in one at the end: %t", rests, resting)
		}
	})
}
