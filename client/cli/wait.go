package cli

import (
	"context"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/ipc"
)

// waitNotice is how long a person waits without a word.
const waitNotice = 300 * time.Millisecond

// announce tells a person what text returns, unless that is nothing, once a
// request takes a while. The agent that text gets starts no daemon. done ends it.
func (a *agent) announce(ctx context.Context, text func(context.Context, *agent) string) (done func()) {
	ctx, cancel := context.WithCancel(ctx)
	var mu sync.Mutex // guards over, and the terminal until it is set
	over := false
	timer := time.AfterFunc(waitNotice, func() {
		quiet := *a.client
		quiet.NoStart = true
		said := text(ctx, &agent{inv: a.inv, client: &quiet})
		mu.Lock()
		defer mu.Unlock()
		if !over && said != "" {
			a.inv.Note(said)
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

// announceWait tells a person how long the request for a code of at least min, or
// of what the settings say for 0, will take. It only asks for the list: to ask for
// the code would use one up where the entry counts.
func (a *agent) announceWait(ctx context.Context, name string, min time.Duration) (done func()) {
	return a.announce(ctx, func(ctx context.Context, quiet *agent) string {
		if min == 0 {
			min, _ = time.ParseDuration(quiet.setting(ctx, "min_valid")) // 0 if that is not known
		}
		if min == 0 {
			return ""
		}
		list, err := quiet.client.Entries(ctx, "", false)
		if err != nil {
			return ""
		}
		left := untilNext(list.Entries, name, time.Now())
		if left <= 0 || left >= min {
			return ""
		}
		return "waiting " + seconds(left) + " for the next code"
	})
}

// announceDialog tells a person at a terminal that the keyring asks elsewhere.
func (a *agent) announceDialog(ctx context.Context) (done func()) {
	if !command.IsTerminal(a.inv.Err) {
		return func() {}
	}
	return a.announce(ctx, func(ctx context.Context, quiet *agent) string {
		s, err := quiet.client.Status(ctx)
		if err != nil || s.State != ipc.StateWaiting || s.Problem == nil {
			return ""
		}
		return s.Problem.Message
	})
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
