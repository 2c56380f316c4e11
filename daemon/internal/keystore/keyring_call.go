package keystore

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// dialogDelay is how long a call may take before it is told as waiting for a
// person, where the system shows its dialogs without saying so. An unlocked
// Keychain answers within a tenth of that.
const dialogDelay = 500 * time.Millisecond

// slot is held by the one request to the keyring that runs. go-keyring is one
// per process, has no deadlines and can hang for ever: this keeps the
// goroutines that hang in it to one, whatever the number of stores.
var slot = make(chan struct{}, 1)

func takeSlot() error {
	select {
	case slot <- struct{}{}:
		return nil
	default:
		return fmt.Errorf("%w with an earlier request", ErrBusy)
	}
}

// do makes sure that the keyring is there and unlocked, then runs call, which
// uses go-keyring, under its limit; call's context ends with it.
func (k keyringStore) do(ctx context.Context, call func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err // begun, it would keep the keyring busy for nobody
	}
	if err := takeSlot(); err != nil {
		return err
	}
	bus, err := k.prepare(ctx)
	if err != nil {
		<-slot
		return err
	}
	k.cfg.Reading()
	return k.run(ctx, func() (func(), error) { return attach(bus) }, call)
}

// attachment opens the connection on which go-keyring will work and returns the
// function that closes it, nil where there is none to close.
type attachment func() (detach func(), err error)

// run runs call for a holder of the slot and gives the slot back. A call that
// does not end in time is cut off where it has a connection; where not, it
// keeps the slot until it ends.
func (k keyringStore) run(ctx context.Context, open attachment, call func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, k.limit())
	defer cancel()
	attached, done := make(chan func(), 1), make(chan error, 1)
	go func() {
		err := attachAndRun(limited, open, attached, call)
		<-slot // before done, so that the caller's next request finds it free
		done <- err
	}()
	err := k.wait(limited, attached, done)
	switch {
	case err == nil || !errors.Is(err, limited.Err()):
		return err
	case k.dialogs && ctx.Err() == nil:
		return unanswered(k.limit())
	}
	return k.late(ctx, ErrBusy)
}

// limit bounds one call of go-keyring: a person may have a part in it where the
// system shows its dialogs within.
func (k keyringStore) limit() time.Duration {
	if k.dialogs {
		return max(k.cfg.Timeout, k.cfg.PromptTimeout)
	}
	return k.cfg.Timeout
}

// wait returns what done gives, or cuts the call off when ctx ends. A call that
// may have met a dialog is told to Waiting.
func (k keyringStore) wait(ctx context.Context, attached <-chan func(), done <-chan error) error {
	var slow <-chan time.Time
	if k.dialogs {
		timer := time.NewTimer(dialogDelay)
		defer timer.Stop()
		slow = timer.C
	}
	for {
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return k.cutOff(ctx, attached, done)
		case <-slow: // once: the timer fires but one time
			k.cfg.Waiting(true)
			defer k.cfg.Waiting(false)
		}
	}
}

// cutOff ends a call that is late, if its connection can be closed, and returns
// ctx's error, or nil if the call did its work at the last moment.
func (k keyringStore) cutOff(ctx context.Context, attached <-chan func(), done <-chan error) error {
	select {
	case detach := <-attached:
		detach()
	default:
		return ctx.Err()
	}
	select { // it ends now: wait, so that the caller's next request finds the slot free
	case err := <-done:
		if err == nil {
			return nil
		}
	case <-time.After(k.cfg.Timeout):
	}
	return ctx.Err()
}

// attachAndRun opens the connection of go-keyring, hands the function that
// closes it to attached, and runs call.
func attachAndRun(ctx context.Context, open attachment, attached chan<- func(), call func(context.Context) error) (err error) {
	detach, err := open()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if detach != nil {
		attached <- detach
		defer detach()
	}
	if ctx.Err() != nil { // too late: nobody is there to cut the call off
		return ctx.Err()
	}
	defer func() {
		// go-keyring does not expect its connection to be closed under it. The
		// value is left out: nobody knows what it holds.
		if recover() != nil {
			err = fmt.Errorf("%w: the connection ended while the keyring was asked", ErrUnavailable)
		}
	}()
	return call(ctx)
}

// late returns the error for a keyring that did not answer in time: the
// caller's own reason if ctx has ended, else what the silence means.
func (k keyringStore) late(ctx context.Context, meaning error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("waiting for the keyring: %w", err)
	}
	return fmt.Errorf("%w: it did not answer within %v", meaning, k.cfg.Timeout)
}

// unanswered is the error for a dialog that nobody answered in time.
func unanswered(limit time.Duration) error {
	return fmt.Errorf("%w: nobody answered its dialog within %v; answer it and try again", ErrKeyringLocked, limit)
}
