// Command stop ends the daemon of the profile that the environment names, and
// returns when it is gone. The tests run it under wine, where they can neither
// send the daemon a signal nor see its lock from outside.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := stop(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "stop:", err)
		os.Exit(1)
	}
}

func stop(ctx context.Context) error {
	profile, err := socket.Default()
	if err != nil {
		return err
	}
	if _, held, err := socket.ReadLock(profile); err != nil || !held {
		return err
	}
	err = (&client.Client{Profile: &profile}).Shutdown(ctx, ipc.ShutdownRequest{})
	if err != nil && !errors.Is(err, ipc.ErrUnavailable) { // that one may be ending already
		return err
	}
	for {
		switch _, held, err := socket.ReadLock(profile); {
		case err != nil:
			return err
		case !held:
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("the daemon does not end")
		case <-time.After(5 * time.Millisecond):
		}
	}
}
