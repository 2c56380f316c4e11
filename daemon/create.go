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
)

// create makes the vault. kind is one of the ways above, or none for the
// daemon's own policy; pass is for a passphrase vault.
func (k *keeper) create(ctx context.Context, kind string, pass secret.Bytes) error {
	if kind == "" {
		kind = k.policy.keystore
	}
	attempt := k.begin(ctx)
	state, problem := k.openFile()
	if state != ipc.StateUninitialized {
		return k.endExisting(attempt, problem)
	}
	v, err := k.makeVault(attempt, kind, pass)
	if err != nil {
		wire := k.problemOf(err)
		k.end(ipc.StateUninitialized, wire)
		return wire
	}
	k.setVault(v)
	k.mark(v)
	k.end(ipc.StateReady, nil)
	return nil
}

// endExisting ends a create that met a vault, or the trace of one.
func (k *keeper) endExisting(attempt context.Context, problem *ipc.Error) error {
	v := k.vaultNow()
	switch {
	case v == nil:
		k.end(ipc.StateFailed, problem)
		return problem
	case v.Unlocked():
		k.end(ipc.StateReady, k.problemNow())
	default:
		k.end(k.openAndUnlock(attempt))
	}
	return &ipc.Error{Code: ipc.CodeInitialized, Message: "this profile has a vault already: " + k.files.vault, Hint: "o2fa status"}
}

// makeVault makes a slot key in the keystore first and the file second: a
// failure between the two leaves a key that nothing uses, never a vault that
// nothing opens.
func (k *keeper) makeVault(ctx context.Context, kind string, pass secret.Bytes) (*vault.Vault, error) {
	id := newVaultID()
	store, header, key, err := k.makeSlot(ctx, kind, pass, id)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	// The directory may be new, and its name in the one above not yet durable.
	if err := atomicfile.SyncDir(filepath.Dir(filepath.Dir(k.files.vault))); err != nil {
		k.log.Warn("making the profile's name durable", "error", err.Error())
	}
	slots := []vault.NewSlot{{ID: header.ID, Header: header.Encode(), Key: key}}
	v, err := vault.Create(k.files.vault, id, slots, k.options())
	if err != nil {
		if removeErr := store.Remove(context.WithoutCancel(ctx), header); removeErr != nil {
			k.log.Warn("removing the key of a vault that was not made", "error", removeErr.Error())
		}
		return nil, err
	}
	return v, nil
}

// makeSlot makes the first slot key by the way that kind names.
func (k *keeper) makeSlot(ctx context.Context, kind string, pass secret.Bytes, id [16]byte) (keystore.Store, keystore.Header, secret.Bytes, error) {
	fail := func(err error) (keystore.Store, keystore.Header, secret.Bytes, error) {
		return nil, keystore.Header{}, secret.Bytes{}, err
	}
	if pass.Len() == 0 && k.policy.passphraseFile != "" && kind != keystoreKeyring && kind != keystoreKeyfile {
		var err error
		if pass, err = secret.ReadFile(k.policy.passphraseFile); err != nil {
			return fail(err)
		}
		defer pass.Wipe()
	}
	t := keystore.TypeKeyring
	switch kind {
	case keystoreAuto, keystoreKeyring:
	case keystorePassphrase:
		if pass.Len() == 0 {
			return fail(&ipc.Error{Code: ipc.CodeKeystore, Message: "a passphrase is needed to make the vault",
				Hint: "o2fa init --keystore passphrase, on a terminal or with O2FA_PASSPHRASE_FILE set"})
		}
		t = keystore.TypePassphrase
	case keystoreKeyfile:
		if err := k.setAside(k.files.keyfile); err != nil {
			return fail(err)
		}
		t = keystore.TypeKeyfile
	default:
		return fail(&ipc.Error{Code: ipc.CodeInvalid, Message: fmt.Sprintf("unknown keystore %q", kind),
			Hint: "o2fa init --keystore auto|keyring|passphrase|keyfile"})
	}
	store, header, key, err := k.createIn(ctx, t, pass, id)
	if err != nil && kind == keystoreAuto && pass.Len() > 0 && keyringUnusable(err) {
		// A passphrase was given for just this case, so this is no silent fallback.
		return k.createIn(ctx, keystore.TypePassphrase, pass, id)
	}
	return store, header, key, err
}

func (k *keeper) createIn(ctx context.Context, t keystore.Type, pass secret.Bytes, id [16]byte) (keystore.Store, keystore.Header, secret.Bytes, error) {
	store, err := k.stores(t, pass, k.waiting)
	if err != nil {
		return nil, keystore.Header{}, secret.Bytes{}, err
	}
	header, key, err := store.Create(ctx, id)
	return store, header, key, err
}

func keyringUnusable(err error) bool {
	return errors.Is(err, keystore.ErrUnavailable) || errors.Is(err, keystore.ErrKeyringLocked) || errors.Is(err, keystore.ErrBusy)
}

// setAside renames a key file that has no vault beside it: what an init left
// that was interrupted between key and vault. It is kept, in case it is more.
func (k *keeper) setAside(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	kept := fmt.Sprintf("%s.unused-%s", path, k.now().UTC().Format("20060102T150405.000"))
	if err := os.Rename(path, kept); err != nil {
		return fmt.Errorf("setting aside %s: %w", path, err)
	}
	k.log.Warn("a key file without a vault was set aside", "path", kept)
	return nil
}
