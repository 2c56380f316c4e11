// Command locks locks and unlocks the vault of the profile that the environment
// names, twenty times, while others ask the daemon without a pause. Windows has
// another process each time. It fails if anybody is turned away, if the profile's
// lock is free for a moment, or if a lock did not replace the process.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "locks:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	profile, err := socket.Default()
	if err != nil {
		return err
	}
	c := &client.Client{Profile: &profile}
	if _, err := c.Unlock(ctx, ipc.UnlockRequest{}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	ask := func(what string, do func() error) func() {
		return func() {
			for ctx.Err() == nil {
				err := do()
				if err != nil && ctx.Err() == nil && !errors.Is(err, ipc.ErrLocked) {
					cancel(fmt.Errorf("%s: %w", what, err))
				}
			}
		}
	}
	quiet := &client.Client{Profile: &profile, NoStart: true}
	var others sync.WaitGroup
	others.Go(ask("status", func() error { _, err := quiet.Status(ctx); return err }))
	others.Go(ask("entries", func() error { _, err := c.Entries(ctx, "", false); return err }))
	others.Go(ask("find", func() error { _, err := c.Find(ctx, ipc.FindRequest{Name: "x"}); return err }))
	others.Go(ask("the lock", func() error {
		if _, held, err := socket.ReadLock(profile); err != nil || held {
			return err
		}
		return errors.New("nobody holds it")
	}))
	for i := range 20 {
		if err := lockOnce(ctx, c); err != nil {
			cancel(fmt.Errorf("lock %d: %w", i, err))
		}
	}
	cause := context.Cause(ctx)
	cancel(nil)
	others.Wait()
	return cause
}

// lockOnce locks and unlocks.
func lockOnce(ctx context.Context, c *client.Client) error {
	before, err := c.Status(ctx)
	if err != nil {
		return err
	}
	locked, err := c.Lock(ctx)
	if err != nil {
		return err
	}
	if locked.State != ipc.StateLocked || locked.LockedBy != ipc.LockAsked || locked.PID == before.PID || locked.Started != before.Started {
		return fmt.Errorf("%d became %+v", before.PID, locked)
	}
	opened, err := c.Unlock(ctx, ipc.UnlockRequest{})
	if err == nil && (opened.State != ipc.StateReady || opened.PID != locked.PID) {
		err = fmt.Errorf("%d became %+v", locked.PID, opened)
	}
	return err
}
