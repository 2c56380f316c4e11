package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/atomicfile"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/ipc"
)

// The ways to key a new vault, as O2FA_KEYSTORE and "o2fa init --keystore" name them.
const (
	keystoreAuto       = "auto"
	keystoreKeyring    = string(keystore.TypeKeyring)
	keystorePassphrase = string(keystore.TypePassphrase)
	keystoreKeyfile    = string(keystore.TypeKeyfile)
	keystoreCredential = string(keystore.TypeCredential)
)

// newVault is what a vault is made with. kind is one of the ways above, or none
// for the daemon's own policy; pass is for a passphrase vault; code, if there is
// one, gives the vault a second slot from the beginning.
type newVault struct {
	kind       string
	pass, code secret.Bytes
}

// create makes the vault.
func (k *keeper) create(ctx context.Context, n newVault) error {
	if n.kind == "" {
		p := k.policy()
		if p.refusal != nil {
			return p.refusal
		}
		n.kind = p.keystore
	}
	if n.pass.Len() > 0 && (n.kind == keystoreKeyring || n.kind == keystoreKeyfile || n.kind == keystoreCredential) {
		return &ipc.Error{Code: ipc.CodeInvalid, Message: "a passphrase goes with the keystore passphrase, not with " + n.kind,
			Hint: "o2fa init --keystore passphrase"}
	}
	return k.try(ctx, func(ctx context.Context) outcome {
		if met, exists := k.existing(ctx); exists {
			return met
		}
		v, err := k.makeVault(ctx, n)
		if errors.Is(err, vault.ErrCreated) {
			// The vault was made, and only what came after that failed.
			k.log.Warn("making the vault", "error", err.Error())
			return k.openAndUnlock(ctx)
		}
		if err != nil {
			wire := k.problemOf(err)
			return outcome{state: ipc.StateUninitialized, problem: wire, err: wire}
		}
		k.setVault(v)
		return outcome{state: ipc.StateReady}
	})
}

// existing is the outcome of a create that meets a vault, or the trace of one.
func (k *keeper) existing(ctx context.Context) (outcome, bool) {
	k.mu.RLock()
	met := outcome{state: k.state, problem: k.problem}
	open := k.vault != nil
	k.mu.RUnlock()
	if !open {
		state, problem := k.openFile()
		switch state {
		case ipc.StateUninitialized:
			return outcome{}, false
		case ipc.StateFailed:
			return outcome{state: state, problem: problem, err: problem}, true
		}
		met = k.openAndUnlock(ctx)
	}
	met.err = &ipc.Error{Code: ipc.CodeInitialized, Message: "this profile has a vault already: " + k.files.vault, Hint: "o2fa status"}
	return met, true
}

// slotKey is a key slot in the making.
type slotKey struct {
	store  keystore.Store
	header keystore.Header
	key    secret.Bytes
}

// asNew is the slot as the vault takes it.
func (s slotKey) asNew() vault.NewSlot {
	return vault.NewSlot{ID: s.header.ID, Header: s.header.Encode(), Key: s.key}
}

// makeVault makes a slot key in the keystore first and the file second: a
// failure between the two leaves a key that nothing uses, never a vault that
// nothing opens. The key goes again only while there is no file.
func (k *keeper) makeVault(ctx context.Context, n newVault) (*vault.Vault, error) {
	id := newVaultID()
	slot, err := k.makeSlot(ctx, n, id)
	if err != nil {
		return nil, err
	}
	defer slot.key.Wipe()
	slots := []vault.NewSlot{slot.asNew()}
	if n.code.Len() > 0 {
		second, err := k.createIn(ctx, keystore.TypeRecovery, given{pass: n.code}, id) // which stores nothing
		if err != nil {
			return nil, k.unmake(ctx, slot, err)
		}
		defer second.key.Wipe()
		slots = append(slots, second.asNew())
	}
	// The directory may be new, and its name in the one above not yet durable.
	if err := atomicfile.SyncDir(filepath.Dir(k.dir())); err != nil {
		k.log.Warn("making the profile's name durable", "error", err.Error())
	}
	v, err := vault.Create(k.files.vault, id, slots, k.options())
	if err == nil || errors.Is(err, vault.ErrCreated) {
		return v, err
	}
	return nil, k.unmake(ctx, slot, err)
}

// unmake removes the key of a vault that was not made for the reason err.
func (k *keeper) unmake(ctx context.Context, slot slotKey, err error) error {
	if removeErr := slot.store.Remove(context.WithoutCancel(ctx), slot.header); removeErr != nil {
		k.log.Warn("removing the key of a vault that was not made", "error", removeErr.Error())
	}
	return err
}

// makeSlot makes the first slot key by the way that n names.
func (k *keeper) makeSlot(ctx context.Context, n newVault, id [16]byte) (slotKey, error) {
	with := given{pass: n.pass, credential: keystore.DefaultCredential}
	if file := k.policy().passphraseFile; with.pass.Len() == 0 && file != "" && (n.kind == keystoreAuto || n.kind == keystorePassphrase) {
		var err error
		k.held.Store(true)
		if with.pass, err = secret.ReadFile(file); err != nil {
			return slotKey{}, err
		}
		defer with.pass.Wipe()
	}
	switch n.kind {
	case keystoreKeyring, keystoreCredential:
		return k.createIn(ctx, keystore.Type(n.kind), with, id)
	case keystoreAuto:
		slot, err := k.createIn(ctx, keystore.TypeKeyring, with, id)
		if errors.Is(err, keystore.ErrUnavailable) && with.pass.Len() > 0 {
			// A passphrase was given for just this case, so this is no silent fallback.
			return k.createIn(ctx, keystore.TypePassphrase, with, id)
		}
		return slot, err
	case keystorePassphrase:
		if with.pass.Len() == 0 {
			return slotKey{}, &ipc.Error{Code: ipc.CodeKeystore, Message: "a passphrase is needed to make the vault",
				Hint: "o2fa init --keystore passphrase, on a terminal or with O2FA_PASSPHRASE_FILE set"}
		}
		return k.createIn(ctx, keystore.TypePassphrase, with, id)
	case keystoreKeyfile:
		if err := k.setAside(k.files.keyfile); err != nil {
			return slotKey{}, err
		}
		return k.createIn(ctx, keystore.TypeKeyfile, with, id)
	}
	return slotKey{}, &ipc.Error{Code: ipc.CodeInvalid, Message: fmt.Sprintf("unknown keystore %.40q", n.kind),
		Hint: "o2fa init --keystore auto|keyring|passphrase|keyfile|credential"}
}

func (k *keeper) createIn(ctx context.Context, t keystore.Type, with given, id [16]byte) (slotKey, error) {
	store, err := k.stores(t, with, k.waiting)
	if err != nil {
		return slotKey{}, err
	}
	header, key, err := store.Create(ctx, id)
	if err == nil {
		k.found(header, nil)
	}
	return slotKey{store: store, header: header, key: key}, err
}

// unusedSuffix stands in the name of a key file that was set aside, before the time.
const unusedSuffix = ".unused-"

// setAside renames a key file that no slot of a vault has: what an init, or a
// change of slots, left that was interrupted between key and vault. It is kept,
// in case it is more.
func (k *keeper) setAside(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	kept := fmt.Sprintf("%s%s%s", path, unusedSuffix, k.now().UTC().Format("20060102T150405.000"))
	if err := os.Rename(path, kept); err != nil {
		return fmt.Errorf("setting aside %s: %w", path, err)
	}
	k.log.Warn("a key file that opens nothing was set aside", "path", kept)
	return nil
}
