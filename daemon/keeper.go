package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/ipc"
)

// keeper owns the vault's life: which state it is in, and who moves it to
// another. One attempt to open, make, unlock or lock runs at a time, by run; it
// asks keystores and reads the disk without holding anything that a status or a
// code would wait for.
type keeper struct {
	files  profileFiles
	stores storeFunc
	policy func() policy
	log    *slog.Logger
	now    func() time.Time
	rows   vault.Waiting // for the log; set before the first attempt
	// readied holds a notice each time the vault has become ready.
	readied chan struct{}
	// screen names the display on which the keyring shows its dialog; empty if that
	// is not known.
	screen func() string
	// answered holds a notice that a person has answered the keyring's dialog after
	// the attempt that showed it had ended.
	answered chan struct{}
	// moved is told the state before and after each attempt, before anybody else
	// can see the new one.
	moved func(before, after ipc.State)
	// notice is called when the vault has become ready or has changed. It waits
	// for nothing. Set before the first attempt.
	notice func()

	turn chan struct{} // full while an attempt runs

	// held says that something secret may be in this image's memory: a key, or
	// what somebody typed.
	held atomic.Bool

	mu      sync.RWMutex // guards what follows; held for moments only
	state   ipc.State
	problem *ipc.Error   // why not ready, or what is wrong although ready
	vault   *vault.Vault // nil while there is none, or it cannot be opened
	attempt *attempt     // under way; nil if none
	locking int          // requests to lock that wait for their turn
	lost    bool         // the OS keyring had no key for this vault when it was last asked
	closed  bool
}

// attempt is one try to bring the vault into another state.
type attempt struct {
	cancel  context.CancelFunc
	settled chan struct{} // closed when it has ended, or waits for a person
	settle  func()        // closes settled, once
	asking  bool          // a person was asked
}

// outcome is what an attempt ends in: the state, what is wrong with it, and what
// the one who asked for the attempt is told.
type outcome struct {
	state   ipc.State
	problem *ipc.Error
	err     error
}

// profileFiles are the paths that the keeper works on.
type profileFiles struct {
	vault, marker, keyfile string
}

// policy says how a new vault is keyed when a request does not, and how long its
// trash is kept.
type policy struct {
	keystore       string        // auto, keyring, passphrase, keyfile, credential
	passphraseFile string        // where a passphrase is read from, if anywhere
	refusal        *ipc.Error    // why keystore must not be relied on; nil if it may
	onlyTyped      bool          // the vault opens by what a person types alone, if it has a slot for that
	trashLife      time.Duration // how long a deleted entry can be brought back; 0 is for ever
}

// given is what a slot is made or opened with, beside its header.
type given struct {
	pass       secret.Bytes // a passphrase, or a recovery code
	credential string       // the systemd credential of a new slot
	spare      bool         // a new key file goes to the second place: the first is in use
}

// storeFunc returns the keystore of one type. waiting is called with true while a
// person is asked, then with false.
type storeFunc func(t keystore.Type, g given, waiting func(bool)) (keystore.Store, error)

// newKeeper returns a keeper whose first attempt, start, counts as under way:
// requests that come before it wait for it.
func newKeeper(files profileFiles, stores storeFunc, p func() policy, log *slog.Logger, now func() time.Time) *keeper {
	return &keeper{files: files, stores: stores, policy: p, log: log, now: now,
		moved: func(ipc.State, ipc.State) {}, screen: func() string { return "" }, answered: make(chan struct{}, 1),
		notice: func() {}, readied: make(chan struct{}, 1), turn: make(chan struct{}, 1),
		state: ipc.StateWaiting, attempt: newAttempt(func() {})}
}

func newAttempt(cancel context.CancelFunc) *attempt {
	settled := make(chan struct{})
	return &attempt{cancel: cancel, settled: settled, settle: sync.OnceFunc(func() { close(settled) })}
}

// use runs f with the unlocked vault. It waits for an attempt that is under way,
// unless that one waits for a person. A lock meanwhile shows as ErrLocked from
// the vault itself. If a change of the key slots puts another vault in the place
// of the one that f has begun with, f runs again, with that one.
func (k *keeper) use(ctx context.Context, f func(*vault.Vault) error) error {
	v, err := k.usable(ctx)
	for err == nil {
		if err = f(v); !errors.Is(err, vault.ErrReplaced) && !errors.Is(err, vault.ErrLocked) && !errors.Is(err, vault.ErrClosed) {
			break
		}
		next, failed := k.usable(ctx)
		if failed != nil || next == v {
			break
		}
		v, err = next, nil
	}
	return err
}

// usable returns the unlocked vault, or why there is none.
func (k *keeper) usable(ctx context.Context) (*vault.Vault, error) {
	if err := k.settle(ctx); err != nil {
		return nil, err
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.vault, k.refusal()
}

// settle waits until no attempt is under way, or one waits for a person.
func (k *keeper) settle(ctx context.Context) error {
	k.mu.RLock()
	a := k.attempt
	k.mu.RUnlock()
	if a == nil {
		return nil
	}
	select {
	case <-a.settled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// asking reports whether a person is being asked.
func (k *keeper) asking() bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.attempt != nil && k.attempt.asking
}

// ready says whether the vault is open.
func (k *keeper) ready() bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.state == ipc.StateReady
}

// check returns nil when the vault can be used, else why it cannot.
func (k *keeper) check(ctx context.Context) error {
	return k.use(ctx, func(*vault.Vault) error { return nil })
}

// change is use for a request that may create the vault.
func (k *keeper) change(ctx context.Context, kind string, f func(*vault.Vault) error) error {
	err := k.use(ctx, f)
	if !errors.Is(err, ipc.ErrUninitialized) {
		return err
	}
	if err := k.create(ctx, newVault{kind: kind}); err != nil && !errors.Is(err, ipc.ErrInitialized) {
		return err
	}
	return k.use(ctx, f)
}

// refusal returns why the vault cannot be used now; the caller holds mu.
func (k *keeper) refusal() error {
	because := func(code ipc.ErrorCode, text, hint string) error {
		if k.problem != nil {
			return &ipc.Error{Code: code, Message: text + ": " + k.problem.Message, Hint: k.problem.Hint}
		}
		return &ipc.Error{Code: code, Message: text, Hint: hint}
	}
	switch k.state {
	case ipc.StateReady:
		return nil
	case ipc.StateUninitialized:
		return because(ipc.CodeUninitialized, "there is no vault in "+k.dir()+" yet", "o2fa init")
	case ipc.StateLocked:
		return because(ipc.CodeLocked, "the vault is locked", "o2fa unlock")
	case ipc.StateWaiting:
		return k.asked()
	default:
		return k.problem
	}
}

// try runs one attempt, as soon as no other runs, and returns what its outcome
// tells the caller. While another attempt waits for a person the answer comes at
// once. act gets a context that also ends when somebody asks to lock, or for the
// end of the daemon.
func (k *keeper) try(ctx context.Context, act func(context.Context) outcome) error {
	if err := k.take(ctx); err != nil {
		return err
	}
	return k.run(ctx, act)
}

// take waits for the turn.
func (k *keeper) take(ctx context.Context) error {
	for {
		k.mu.RLock()
		var settled <-chan struct{}
		var asked error
		if k.attempt != nil {
			settled = k.attempt.settled
			if k.attempt.asking {
				asked = k.asked()
			}
		}
		k.mu.RUnlock()
		if asked != nil {
			return asked
		}
		select {
		case k.turn <- struct{}{}:
			return nil
		case <-settled: // it has ended, or asks a person by now
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// run makes the attempt of the one who has the turn, and gives the turn back.
func (k *keeper) run(ctx context.Context, act func(context.Context) outcome) error {
	ctx, cancel := context.WithCancel(ctx)
	k.mu.Lock()
	before := outcome{state: k.state, problem: k.problem}
	if k.attempt == nil {
		k.attempt = newAttempt(nil)
	}
	k.attempt.cancel = cancel
	if k.locking > 0 {
		cancel()
	}
	closed := k.closed
	k.mu.Unlock()

	result := outcome{state: ipc.StateFailed, problem: errShuttingDown, err: errShuttingDown}
	if !closed {
		result = k.guarded(ctx, act)
	}
	k.mu.Lock()
	k.moved(before.state, result.state)
	k.state, k.problem = result.state, result.problem
	a := k.attempt
	k.attempt = nil
	k.mu.Unlock()
	a.settle()
	cancel()
	<-k.turn
	if result.problem != errShuttingDown { // the log has that from who ends
		k.announce(before, result)
	}
	return result.err
}

// guarded keeps a panic from taking the turn with it.
func (k *keeper) guarded(ctx context.Context, act func(context.Context) outcome) (result outcome) {
	defer func() {
		if p := recover(); p != nil {
			k.log.Error("panic while changing the vault's state", "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			problem := &ipc.Error{Code: ipc.CodeInternal, Message: "a defect in the daemon; its log has the details", Hint: "o2fa unlock"}
			result = outcome{state: ipc.StateFailed, problem: problem, err: problem}
		}
	}()
	return act(ctx)
}

// announce tells the log, and those who wait for a ready vault.
func (k *keeper) announce(before, after outcome) {
	switch {
	case after.problem != nil && (before.problem == nil || before.problem.Message != after.problem.Message):
		k.log.Warn("vault state", "state", string(after.state), "reason", after.problem.Message)
	case before.state != after.state:
		k.log.Info("vault state", "state", string(after.state))
	}
	if after.state != ipc.StateReady {
		return
	}
	k.notice()
	select {
	case k.readied <- struct{}{}:
	default:
	}
}

// lock takes the vault key out of memory. The file is closed and opened anew,
// locked, so that unlock finds what is there by then. An attempt under way is
// interrupted.
func (k *keeper) lock(ctx context.Context) error {
	if err := k.interrupt(ctx); err != nil {
		return err
	}
	err := k.run(ctx, func(context.Context) outcome {
		k.shut()
		state, problem := k.openFile()
		return outcome{state: state, problem: problem}
	})
	if err == nil {
		err = k.check(ctx)
	}
	if errors.Is(err, ipc.ErrLocked) {
		return nil // as it should be
	}
	return err
}

// unlockedNow says whether the vault key is in memory.
func (k *keeper) unlockedNow() bool {
	v := k.vaultNow()
	return v != nil && v.Unlocked()
}

// interrupt takes the turn, and ends those who have it meanwhile.
func (k *keeper) interrupt(ctx context.Context) error {
	k.mu.Lock()
	k.locking++
	if k.attempt != nil {
		k.attempt.cancel()
	}
	k.mu.Unlock()
	defer func() {
		k.mu.Lock()
		k.locking--
		k.mu.Unlock()
	}()
	select {
	case k.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// interruptAll makes the attempt under way, and those to come, end early.
func (k *keeper) interruptAll() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.locking++
	if k.attempt != nil {
		k.attempt.cancel()
	}
}

var errShuttingDown = &ipc.Error{Code: ipc.CodeUnavailable, Message: "the daemon is shutting down", Hint: "try again"}

// close locks and closes the vault for good.
func (k *keeper) close() {
	_ = k.interrupt(context.Background())
	_ = k.run(context.Background(), func(context.Context) outcome {
		k.shut()
		k.mu.Lock()
		k.closed = true
		k.mu.Unlock()
		return outcome{state: ipc.StateFailed, problem: errShuttingDown}
	})
}

// rest makes an open vault occupy less.
func (k *keeper) rest() {
	k.with((*vault.Vault).Rest)
}

// report keeps a damage that a request met, so that status shows it although
// other entries still work, and the log what exactly it was.
func (k *keeper) report(err error) {
	if !errors.Is(err, vault.ErrCorrupt) && !errors.Is(err, vault.ErrStorage) {
		return
	}
	k.log.Error("using the vault", "error", err.Error())
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.state == ipc.StateReady && errors.Is(err, vault.ErrCorrupt) {
		k.problem = k.problemOf(err)
	}
}

// openVault returns the vault if it is open and unlocked, else nil. A lock meanwhile
// shows as ErrLocked from the vault itself.
func (k *keeper) openVault() *vault.Vault {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.vault == nil || !k.vault.Unlocked() {
		return nil
	}
	return k.vault
}
