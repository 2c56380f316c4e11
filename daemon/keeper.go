package daemon

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/atomicfile"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/ipc"
)

// trashLife is how long a deleted entry can be brought back.
const trashLife = 30 * 24 * time.Hour

// keeper owns the vault's life: which state it is in, who moves it to another,
// and that nobody uses it meanwhile. It asks keystores only outside its lock,
// so a keyring that waits for a person never holds up a status or a code.
type keeper struct {
	files  profileFiles
	stores storeFunc
	policy policy
	log    *slog.Logger
	now    func() time.Time
	ready  func() // called, without locks, each time the state becomes ready
	asked  func() // called when a person is being asked

	attempt sync.Mutex // held by the one that opens, creates, unlocks or locks

	mu      sync.RWMutex // guards what follows; held for reading while the vault is in use
	state   ipc.State
	problem *ipc.Error
	vault   *vault.Vault       // nil while there is none, or it cannot be opened
	cancel  context.CancelFunc // of the attempt under way
	settled chan struct{}      // closed when no attempt is under way, or it waits for a person
	open    bool               // settled is still open
}

// profileFiles are the paths that the keeper works on.
type profileFiles struct {
	vault, marker, keyfile string
}

// policy says how a new vault is keyed when a request does not.
type policy struct {
	keystore       string // auto, keyring, passphrase, keyfile
	passphraseFile string // where a passphrase is read from, if anywhere
}

// storeFunc returns the keystore of one type. The passphrase is for that type
// alone; waiting is called with true while a person is asked, then with false.
type storeFunc func(t keystore.Type, pass secret.Bytes, waiting func(bool)) (keystore.Store, error)

func newKeeper(files profileFiles, stores storeFunc, p policy, log *slog.Logger) *keeper {
	if p.keystore == "" {
		p.keystore = keystoreAuto
	}
	return &keeper{files: files, stores: stores, policy: p, log: log, now: time.Now, ready: func() {}, asked: func() {},
		state: ipc.StateWaiting, settled: make(chan struct{}), open: true}
}

// use runs f with the unlocked vault, which stays unlocked until f returns. It
// waits for an attempt that is under way, unless that one waits for a person.
func (k *keeper) use(ctx context.Context, f func(*vault.Vault) error) error {
	k.mu.RLock()
	settled := k.settled
	k.mu.RUnlock()
	select {
	case <-settled:
	case <-ctx.Done():
		return ctx.Err()
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	if err := k.refusal(); err != nil {
		return err
	}
	return f(k.vault)
}

// change is use for a request that may create the vault.
func (k *keeper) change(ctx context.Context, kind string, f func(*vault.Vault) error) error {
	err := k.use(ctx, f)
	if !errors.Is(err, ipc.ErrUninitialized) {
		return err
	}
	if err := k.create(ctx, kind, secret.Bytes{}); err != nil && !errors.Is(err, ipc.ErrInitialized) {
		return err
	}
	return k.use(ctx, f)
}

// refusal returns why the vault cannot be used now; the caller holds mu.
func (k *keeper) refusal() error {
	switch k.state {
	case ipc.StateReady:
		return nil
	case ipc.StateUninitialized:
		if k.problem != nil {
			return &ipc.Error{Code: ipc.CodeUninitialized, Message: "there is no vault yet: " + k.problem.Message, Hint: k.problem.Hint}
		}
		return &ipc.Error{Code: ipc.CodeUninitialized, Message: "there is no vault yet", Hint: "o2fa init"}
	case ipc.StateLocked:
		if k.problem != nil {
			return &ipc.Error{Code: ipc.CodeLocked, Message: "the vault is locked: " + k.problem.Message, Hint: k.problem.Hint}
		}
		return &ipc.Error{Code: ipc.CodeLocked, Message: "the vault is locked", Hint: "o2fa unlock"}
	case ipc.StateWaiting:
		return &ipc.Error{Code: ipc.CodeWaiting, Message: "waiting for the OS keyring",
			Hint: "answer the keyring's dialog, then try again"}
	default:
		return k.problem
	}
}

// begin starts an attempt: until end, users wait. The context it returns ends
// when lock or Close interrupts the attempt.
func (k *keeper) begin(ctx context.Context) context.Context {
	k.attempt.Lock()
	k.mu.Lock()
	defer k.mu.Unlock()
	ctx, k.cancel = context.WithCancel(ctx)
	if !k.open {
		k.settled, k.open = make(chan struct{}), true
	}
	return ctx
}

// end finishes an attempt in the given state.
func (k *keeper) end(state ipc.State, problem *ipc.Error) {
	k.mu.Lock()
	was := k.state
	k.state, k.problem = state, problem
	k.cancel()
	k.settle()
	k.mu.Unlock()
	k.attempt.Unlock()
	if problem != nil {
		k.log.Warn("vault state", "state", string(state), "reason", problem.Message)
	} else if was != state {
		k.log.Info("vault state", "state", string(state))
	}
	if state == ipc.StateReady {
		k.purge()
		k.ready()
	}
}

// settle lets the users go on; the caller holds mu.
func (k *keeper) settle() {
	if k.open {
		close(k.settled)
		k.open = false
	}
}

// waiting is the hook of a keystore that asks a person.
func (k *keeper) waiting(asked bool) {
	if asked {
		k.asked()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if asked && k.state != ipc.StateReady {
		k.state, k.problem = ipc.StateWaiting, nil
		k.settle()
	}
}

// start opens the vault when the daemon starts, with the slots that ask nobody
// but the keyring.
func (k *keeper) start(ctx context.Context) {
	attempt := k.begin(ctx)
	k.end(k.openAndUnlock(attempt))
}

// openAndUnlock opens the file, if that is not done, and tries the slots that
// need no passphrase, or have one in the passphrase file.
func (k *keeper) openAndUnlock(ctx context.Context) (ipc.State, *ipc.Error) {
	if state, problem := k.openFile(); k.vaultNow() == nil {
		return state, problem
	}
	if err := k.tryAutomatic(ctx); err != nil {
		return ipc.StateLocked, k.lockedBy(err)
	}
	if k.vaultNow().Unlocked() {
		return ipc.StateReady, k.doubt()
	}
	return ipc.StateLocked, nil
}

// doubt is what is wrong with a vault although it can be used.
func (k *keeper) doubt() *ipc.Error {
	if !k.vaultNow().Torn() {
		return nil
	}
	return &ipc.Error{Code: ipc.CodeCorrupt, Message: "a first page of " + k.files.vault + " is damaged: its last change may be missing",
		Hint: "o2fa list; the next change mends the page"}
}

// vaultNow returns the vault, for the holder of attempt, who alone replaces it.
func (k *keeper) vaultNow() *vault.Vault {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.vault
}

func (k *keeper) setVault(v *vault.Vault) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.vault = v
}

// openFile opens vault.db, locked. Without the file it tells a fresh profile
// from one whose vault is gone.
func (k *keeper) openFile() (ipc.State, *ipc.Error) {
	if v := k.vaultNow(); v != nil {
		if v.Unlocked() {
			return ipc.StateLocked, nil
		}
		// Meanwhile the file may have been put back, or have become writable.
		k.closeFile(v)
	}
	v, err := vault.Open(k.files.vault, k.options())
	if errors.Is(err, fs.ErrNotExist) {
		if id, err := os.ReadFile(k.files.marker); err == nil {
			return ipc.StateFailed, k.orphan(strings.TrimSpace(string(id)))
		}
		return ipc.StateUninitialized, nil
	}
	if err != nil {
		return ipc.StateFailed, k.problemOf(err)
	}
	k.setVault(v)
	if !v.ReadOnly() {
		k.mark(v)
	}
	return ipc.StateLocked, nil
}

// closeFile locks and closes the vault, after its users have finished.
func (k *keeper) closeFile(v *vault.Vault) {
	k.mu.Lock()
	defer k.mu.Unlock()
	v.Lock()
	if err := v.Close(); err != nil {
		k.log.Warn("closing vault", "error", err.Error())
	}
	k.vault = nil
}

func (k *keeper) options() vault.Options { return vault.Options{Now: k.now} }

// mark writes the marker file, by which a profile whose vault.db has gone is
// told from one that never had a vault.
func (k *keeper) mark(v *vault.Vault) {
	id := v.ID()
	text := []byte(hex.EncodeToString(id[:]) + "\n")
	if old, err := os.ReadFile(k.files.marker); err == nil && string(old) == string(text) {
		return
	}
	if err := atomicfile.WriteFile(k.files.marker, text, 0o600); err != nil {
		k.log.Warn("writing vault marker", "error", err.Error())
	}
}

func (k *keeper) orphan(id string) *ipc.Error {
	return &ipc.Error{Code: ipc.CodeOrphan,
		Message: fmt.Sprintf("%s is gone, but this profile has had the vault %s", k.files.vault, id),
		Hint:    fmt.Sprintf("put a copy of vault.db back and run o2fa unlock; to begin anew instead, remove %s", k.files.marker)}
}

// tryAutomatic unlocks with the first slot that works without asking anybody
// for a passphrase. No such slot is no error.
func (k *keeper) tryAutomatic(ctx context.Context) error {
	pass := secret.Bytes{}
	if k.policy.passphraseFile != "" {
		var err error
		if pass, err = secret.ReadFile(k.policy.passphraseFile); err != nil {
			return err
		}
		defer pass.Wipe()
	}
	err := k.trySlots(ctx, pass, func(h keystore.Header) bool {
		return h.Type != keystore.TypePassphrase || pass.Len() > 0
	})
	if errors.Is(err, ipc.ErrPassphrase) {
		return &ipc.Error{Code: ipc.CodePassphrase, Message: "the passphrase in " + k.policy.passphraseFile + " is wrong",
			Hint: "put the right one there, then o2fa unlock"}
	}
	return err
}

// trySlots tries the slots that want accepts, in order, and returns the last
// error if none opened the vault.
func (k *keeper) trySlots(ctx context.Context, pass secret.Bytes, want func(keystore.Header) bool) error {
	v := k.vaultNow()
	slots, err := v.Slots()
	if err != nil {
		return err
	}
	var last error
	for _, slot := range slots {
		h, err := keystore.ParseHeader(slot.Header)
		if err != nil {
			last = err
			continue
		}
		if !want(h) {
			continue
		}
		if last = k.trySlot(ctx, v, h, pass); last == nil {
			return nil
		}
	}
	return last
}

func (k *keeper) trySlot(ctx context.Context, v *vault.Vault, h keystore.Header, pass secret.Bytes) error {
	store, err := k.stores(h.Type, pass, k.waiting)
	if err != nil {
		return err
	}
	key, err := store.Open(ctx, h)
	if err != nil {
		return err
	}
	defer key.Wipe()
	// Nobody may read the vault while its keys come in.
	k.mu.Lock()
	defer k.mu.Unlock()
	err = v.Unlock(h.ID, key)
	if h.Type == keystore.TypePassphrase && errors.Is(err, vault.ErrWrongKey) {
		return &ipc.Error{Code: ipc.CodePassphrase, Message: "the passphrase is wrong", Hint: "o2fa unlock"}
	}
	return err
}

// unlock opens the vault: with a passphrase its slots alone, without one the
// slots that need none.
func (k *keeper) unlock(ctx context.Context, pass secret.Bytes) error {
	attempt := k.begin(ctx)
	if v := k.vaultNow(); v != nil && v.Unlocked() {
		if k.problemNow() == nil {
			k.end(ipc.StateReady, nil)
			return nil
		}
		k.closeFile(v) // somebody may have put a good one in its place
	}
	if pass.Len() == 0 {
		k.end(k.openAndUnlock(attempt))
		return k.check(ctx)
	}
	if state, problem := k.openFile(); k.vaultNow() == nil {
		k.end(state, problem)
		return k.check(ctx)
	}
	err := k.tryPassphrase(attempt, pass)
	if err != nil {
		k.end(ipc.StateLocked, k.problemNow())
		return err
	}
	k.end(ipc.StateReady, k.doubt())
	return nil
}

// check returns nil when the vault can be used, else why it cannot.
func (k *keeper) check(ctx context.Context) error {
	return k.use(ctx, func(*vault.Vault) error { return nil })
}

func (k *keeper) tryPassphrase(ctx context.Context, pass secret.Bytes) error {
	var any bool
	err := k.trySlots(ctx, pass, func(h keystore.Header) bool {
		any = any || h.Type == keystore.TypePassphrase
		return h.Type == keystore.TypePassphrase
	})
	if err == nil && !any {
		return &ipc.Error{Code: ipc.CodeInvalid, Message: "this vault has no passphrase", Hint: "o2fa unlock, without a passphrase"}
	}
	return err
}

func (k *keeper) problemNow() *ipc.Error {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.state == ipc.StateWaiting {
		return nil
	}
	return k.problem
}

// lock takes the vault key out of memory, after the users of the vault have
// finished. An attempt under way is interrupted.
func (k *keeper) lock() error {
	k.mu.RLock()
	cancel := k.cancel
	k.mu.RUnlock()
	if cancel != nil {
		cancel()
	}
	k.begin(context.Background())
	v := k.vaultNow()
	if v == nil {
		k.mu.RLock()
		state, problem := k.state, k.problem
		k.mu.RUnlock()
		k.end(state, problem)
		return k.check(context.Background())
	}
	k.mu.Lock()
	v.Lock()
	k.mu.Unlock()
	k.end(ipc.StateLocked, nil)
	return nil
}

// close locks and closes the vault for good.
func (k *keeper) close() {
	k.mu.RLock()
	cancel := k.cancel
	k.mu.RUnlock()
	if cancel != nil {
		cancel()
	}
	k.begin(context.Background())
	if v := k.vaultNow(); v != nil {
		k.closeFile(v)
	}
	k.end(ipc.StateFailed, &ipc.Error{Code: ipc.CodeUnavailable, Message: "the daemon is shutting down"})
}

// report keeps a damage that a request met, so that status shows it although
// other entries still work.
func (k *keeper) report(err error) {
	if !errors.Is(err, vault.ErrCorrupt) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.state == ipc.StateReady {
		k.problem = k.problemOf(err)
	}
}

// purge removes what has been in the trash long enough. It runs when the vault
// becomes ready rather than on a timer, which would wake an idle machine.
func (k *keeper) purge() {
	err := k.use(context.Background(), func(v *vault.Vault) error {
		if v.ReadOnly() {
			return nil
		}
		n, err := v.PurgeTrash(k.now().Add(-trashLife))
		if n > 0 {
			k.log.Info("purged the trash", "entries", n)
		}
		return err
	})
	if err != nil {
		k.report(err)
		k.log.Warn("purging the trash", "error", err.Error())
	}
}

func newVaultID() (id [16]byte) {
	_, _ = rand.Read(id[:]) // never fails: crypto/rand ends the program instead
	return id
}
