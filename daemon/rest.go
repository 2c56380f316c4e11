package daemon

import (
	"context"
	"sync/atomic"
	"time"
)

// restAfter is how long nobody must have asked for anything.
const restAfter = 10 * time.Second

// rest notices when the daemon begins and ends to have nothing to do. A busy
// daemon pays an atomic store for a request, an idle one has no timer.
type rest struct {
	tell    func(resting bool)
	stirred atomic.Bool   // since the last look
	resting atomic.Bool   // until somebody stirs
	woken   chan struct{} // holds the end of a rest, sent by who has set resting to false
}

func newRest(tell func(resting bool)) *rest {
	return &rest{tell: tell, woken: make(chan struct{}, 1)}
}

// stir says that there is something to do. It does not wait for the rest to end.
func (r *rest) stir() {
	r.stirred.Store(true)
	if r.resting.Load() && r.resting.CompareAndSwap(true, false) {
		r.woken <- struct{}{}
	}
}

// run tells until ctx ends.
func (r *rest) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(restAfter):
		}
		if r.stirred.Swap(false) {
			continue
		}
		r.tell(true)
		r.resting.Store(true)
		if r.stirred.Load() { // before resting was set, so that nobody was told
			r.stir()
		}
		select {
		case <-ctx.Done():
		case <-r.woken:
		}
		r.tell(false)
	}
}
