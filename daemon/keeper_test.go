package daemon

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/ipc"
)

// slowStore is a keystore whose Open a test decides about.
type slowStore struct {
	keystore.Store
	open func(context.Context) error
}

func (s *slowStore) Open(ctx context.Context, h keystore.Header) (secret.Bytes, error) {
	if s.open != nil {
		if err := s.open(ctx); err != nil {
			return secret.Bytes{}, err
		}
	}
	return s.Store.Open(ctx, h)
}

// withSlowStore returns a daemon with a ready vault and the store that keeps its key.
func withSlowStore(t *testing.T) (*Daemon, *slowStore) {
	t.Helper()
	d := newInside(t, io.Discard)
	s := &slowStore{Store: d.cfg.Keyring}
	d.cfg.Keyring = s
	return d, s
}

func nothing(*vault.Vault) error { return nil }

func TestPanicInAnAttemptWedgesNothing(t *testing.T) {
	d, store := withSlowStore(t)
	if err := d.keeper.lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	store.open = func(context.Context) error { panic("boom") }
	if err := d.keeper.unlock(t.Context(), secret.Bytes{}); !errors.Is(err, ipc.ErrInternal) {
		t.Errorf("%v", err)
	}
	if state, problem, _ := d.keeper.status(); state != ipc.StateFailed || problem == nil {
		t.Errorf("%s, %v", state, problem)
	}
	store.open = nil
	if err := d.keeper.unlock(t.Context(), secret.Bytes{}); err != nil {
		t.Errorf("the next try: %v", err)
	}
}

// While a person stands before a dialog everybody else is told so at once, and
// a lock ends the wait.
func TestNobodyWaitsForAPerson(t *testing.T) {
	d, store := withSlowStore(t)
	if err := d.keeper.lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{})
	store.open = func(ctx context.Context) error {
		d.keeper.waiting(true)
		close(asked)
		<-ctx.Done()
		return ctx.Err()
	}
	first := make(chan error, 1)
	go func() { first <- d.keeper.unlock(t.Context(), secret.Bytes{}) }()
	<-asked
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for what, err := range map[string]error{
		"use":    d.keeper.use(ctx, nothing),
		"unlock": d.keeper.unlock(ctx, secret.Bytes{}),
		"create": d.keeper.create(ctx, newVault{}),
	} {
		if !errors.Is(err, ipc.ErrWaiting) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if state, _, _ := d.keeper.status(); state != ipc.StateWaiting {
		t.Errorf("state %s", state)
	}
	if err := d.keeper.lock(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-first; !errors.Is(err, ipc.ErrLocked) {
		t.Errorf("the one who asked: %v", err)
	}
	store.open = nil
	if err := d.keeper.unlock(ctx, secret.Bytes{}); err != nil {
		t.Error(err)
	}
}

// A caller that leaves does not wait for the turn.
func TestTurnKnowsItsCallersContext(t *testing.T) {
	d, store := withSlowStore(t)
	if err := d.keeper.lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	entered, leave := make(chan struct{}), make(chan struct{})
	store.open = func(context.Context) error {
		close(entered)
		<-leave
		return nil
	}
	first := make(chan error, 1)
	go func() { first <- d.keeper.unlock(t.Context(), secret.Bytes{}) }()
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.keeper.unlock(ctx, secret.Bytes{}); !errors.Is(err, context.Canceled) {
		t.Errorf("unlock: %v", err)
	}
	if err := d.keeper.use(ctx, nothing); !errors.Is(err, context.Canceled) {
		t.Errorf("use: %v", err)
	}
	close(leave)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

// A status or a code never waits for a change that is being stored.
func TestReadersDoNotWaitForAWriter(t *testing.T) {
	d := newInside(t, io.Discard)
	writing, done := make(chan struct{}), make(chan struct{})
	finished := make(chan error, 1)
	go func() {
		finished <- d.keeper.use(t.Context(), func(v *vault.Vault) error {
			return v.Update(opAdd, func(*vault.Tx) error {
				close(writing)
				<-done
				return nil
			})
		})
	}()
	<-writing
	for what, err := range map[string]error{
		"use":    d.keeper.use(t.Context(), nothing),
		"unlock": d.keeper.unlock(t.Context(), secret.Bytes{}),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	d.keeper.report(vault.ErrCorrupt)
	if state, _, vs := d.keeper.status(); state != ipc.StateReady || vs == nil {
		t.Errorf("state %s", state)
	}
	close(done)
	if err := <-finished; err != nil {
		t.Error(err)
	}
}

func TestNothingOpensAfterTheEnd(t *testing.T) {
	d := newInside(t, io.Discard)
	d.keeper.close()
	for what, err := range map[string]error{
		"use":    d.keeper.use(t.Context(), nothing),
		"unlock": d.keeper.unlock(t.Context(), secret.Bytes{}),
		"create": d.keeper.create(t.Context(), newVault{}),
	} {
		if !errors.Is(err, ipc.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What fails after vault.db is in place must not take its key away.
func TestKeyStaysWithAVaultThatWasMade(t *testing.T) {
	d := newInside(t, io.Discard)
	if err := d.keeper.lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := d.keeper.create(t.Context(), newVault{}); !errors.Is(err, ipc.ErrInitialized) {
		t.Errorf("create over a locked vault: %v", err)
	}
	if err := d.keeper.unlock(t.Context(), secret.Bytes{}); err != nil {
		t.Errorf("the key is gone: %v", err)
	}
}
