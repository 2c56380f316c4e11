package cli

import (
	"context"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/o2fa/o2fa/ipc"
)

// waitNotice is how long a person waits without a word.
const waitNotice = 300 * time.Millisecond

// announceWait tells a person how long the request for a code of at least min, or
// of what the settings say for 0, will take, once it takes a while. It only asks
// for the list: to ask for the code would use one up where the entry counts. done
// ends it.
func (a *agent) announceWait(ctx context.Context, name string, min time.Duration) (done func()) {
	ctx, cancel := context.WithCancel(ctx)
	var mu sync.Mutex // guards over, and the terminal until it is set
	over := false
	timer := time.AfterFunc(waitNotice, func() {
		quiet := *a.client
		quiet.NoStart = true
		if min == 0 {
			min, _ = time.ParseDuration((&agent{inv: a.inv, client: &quiet}).setting(ctx, "min_valid")) // 0 if that is not known
		}
		if min == 0 {
			return
		}
		list, err := quiet.Entries(ctx, "", false)
		if err != nil {
			return
		}
		left := untilNext(list.Entries, name, time.Now())
		mu.Lock()
		defer mu.Unlock()
		if !over && left > 0 && left < min {
			a.inv.Note("waiting " + seconds(left) + " for the next code")
		}
	})
	return func() {
		timer.Stop()
		cancel()
		mu.Lock()
		defer mu.Unlock()
		over = true
	}
}

// seconds rounds up: a wait is never shorter than announced.
func seconds(d time.Duration) string {
	return plural(int(math.Ceil(d.Seconds())), "s", "s")
}

// untilNext returns how long the codes live that name may mean, and 0 where
// they differ in that or name means none: the daemon alone resolves names.
func untilNext(entries []ipc.Entry, name string, now time.Time) time.Duration {
	period := 0
	for _, e := range entries {
		if !mayMean(e, strings.ToLower(name)) {
			continue
		}
		if e.Period <= 0 || period != 0 && period != e.Period {
			return 0
		}
		period = e.Period
	}
	if period == 0 {
		return 0
	}
	step := time.Duration(period) * time.Second
	return step - time.Duration(now.UnixNano()%int64(step))
}

func mayMean(e ipc.Entry, lower string) bool {
	if strings.HasPrefix(e.ID, lower) {
		return true
	}
	for _, text := range []string{e.Name, e.Issuer, e.Account} {
		if strings.Contains(strings.ToLower(text), lower) {
			return true
		}
	}
	return false
}
