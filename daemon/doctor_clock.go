package daemon

import (
	"context"
	"fmt"
	"time"

	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/ipc"
)

// checkTimeService asks whether anybody sets this machine's clock. Codes are wrong
// where it is half a minute off.
func checkTimeService(ctx context.Context, f *findings, getenv func(string) string) {
	const name = "time service"
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	set, known, how := timeIsSet(ctx, getenv)
	switch {
	case !known:
		f.ok(name, "this system does not tell whether its clock is set by the network")
	case set:
		f.ok(name, "the clock is set by the network (%s)", how)
	default:
		f.add(ipc.CheckWarn, name, "the clock is not set by the network ("+how+"): codes are wrong where it is half a minute off", timeHint)
	}
}

// clockSlack is by how much the vault may have been used later than now: clocks
// are set back a little all the time.
const clockSlack = time.Minute

// checkClock compares the clock with what the vault has seen.
func (d *Daemon) checkClock(ctx context.Context, f *findings) {
	const name = "clock"
	now := d.now()
	var last int64
	err := d.keeper.use(ctx, func(v *vault.Vault) (err error) {
		last, err = v.LastUse()
		return err
	})
	shown := now.UTC().Format(time.RFC3339)
	if ahead := time.UnixMilli(last).Sub(now); err == nil && ahead > clockSlack {
		f.add(ipc.CheckWarn, name, fmt.Sprintf("it is %s, but the vault was used at %s: the clock is wrong, or was", shown, time.UnixMilli(last).UTC().Format(time.RFC3339)),
			"date -u, beside another clock")
		return
	}
	f.ok(name, "it is %s", shown)
}
