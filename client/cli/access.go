package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/internal/command"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/ipc"
)

// The environment that concerns the vault's key; see also package socket.
const (
	envKeystore       = "O2FA_KEYSTORE"
	envPassphraseFile = "O2FA_PASSPHRASE_FILE"
)

// tries is how often a new passphrase is asked for that was typed differently
// the second time.
const tries = 3

// do sends a request. Where it meets a locked vault, or none that could be
// made, and a person can be asked, it asks once and sends the request again.
func (a *agent) do(ctx context.Context, r client.Request) ([]byte, error) {
	raw, err := a.client.Do(ctx, r)
	switch {
	case errors.Is(err, ipc.ErrLocked) && a.inv.CanAsk():
		err = a.unlock(ctx)
	case r.Path == ipc.PathEntries && r.Method == "POST" && wantsPassphrase(err) && a.mayChoosePassphrase():
		err = a.initWithPassphrase(ctx)
	default:
		return raw, err
	}
	if err != nil {
		return nil, err
	}
	return a.client.Do(ctx, r)
}

// wantsPassphrase says whether err means that a first vault was not made for
// lack of a key.
func wantsPassphrase(err error) bool {
	return errors.Is(err, ipc.ErrKeystore) || errors.Is(err, ipc.ErrUninitialized)
}

// mayChoosePassphrase says whether a passphrase may key a new vault: somebody
// or some file has one, and no other keystore was demanded.
func (a *agent) mayChoosePassphrase() bool {
	kind := a.inv.Getenv(envKeystore)
	free := kind == "" || kind == "auto" || kind == "passphrase"
	return free && (a.inv.CanAsk() || a.inv.Getenv(envPassphraseFile) != "")
}

// unlock opens the vault. Slots that need nobody come first, unless there is
// none; then the passphrase is asked for, once.
func (a *agent) unlock(ctx context.Context) error {
	status, err := a.client.Status(ctx)
	if err != nil {
		return err
	}
	if status.State == ipc.StateReady && status.Problem == nil {
		return nil
	}
	if !hasSlot(status, isPassphrase) {
		_, err = a.client.Unlock(ctx, ipc.UnlockRequest{})
		return err
	}
	if hasSlot(status, isAutomatic) {
		if _, err = a.client.Unlock(ctx, ipc.UnlockRequest{}); err == nil {
			return nil
		}
	}
	pass, err := a.passphrase(ctx)
	if err != nil {
		return err
	}
	_, err = a.client.Unlock(ctx, ipc.UnlockRequest{Passphrase: pass})
	return err
}

func hasSlot(s ipc.Status, match func(ipc.Slot) bool) bool {
	return s.Vault != nil && slices.ContainsFunc(s.Vault.Slots, match)
}

func isPassphrase(s ipc.Slot) bool { return s.Type == "passphrase" }
func isAutomatic(s ipc.Slot) bool  { return !isPassphrase(s) }

// passphrase returns the vault's passphrase: from the file that the
// environment names, else from the person. Without either it is empty, and the
// daemon says what is missing.
func (a *agent) passphrase(ctx context.Context) (string, error) {
	if pass, err := a.passphraseFile(); pass != "" || err != nil {
		return pass, err
	}
	if !a.inv.CanAsk() {
		return "", nil
	}
	return a.inv.AskHidden(ctx, "Passphrase of the vault: ")
}

// passphraseFile returns the passphrase in O2FA_PASSPHRASE_FILE; empty where
// that is not set.
func (a *agent) passphraseFile() (string, error) {
	path := a.inv.Getenv(envPassphraseFile)
	if path == "" {
		return "", nil
	}
	pass, err := secret.ReadFile(path)
	if err != nil {
		return "", err
	}
	defer pass.Wipe()
	return string(pass.Reveal()), nil
}

// newPassphrase returns a passphrase for a vault to be made: from the file, or
// typed twice.
func (a *agent) newPassphrase(ctx context.Context) (string, error) {
	if pass, err := a.passphraseFile(); pass != "" || err != nil {
		return pass, err
	}
	for range tries {
		first, err := a.inv.AskHidden(ctx, "New passphrase for the vault: ")
		if err != nil {
			return "", err
		}
		if first == "" {
			a.inv.Warn("an empty passphrase protects nothing", "")
			continue
		}
		second, err := a.inv.AskHidden(ctx, "The same once more: ")
		if err != nil {
			return "", err
		}
		if first == second {
			return first, nil
		}
		a.inv.Warn("the two are not the same", "")
	}
	return "", &command.Failure{Exit: command.ExitOther, Code: "passphrase", Err: errors.New("no passphrase was chosen"), Hint: "o2fa init"}
}

// initWithPassphrase makes the vault under a new passphrase.
func (a *agent) initWithPassphrase(ctx context.Context) error {
	pass, err := a.newPassphrase(ctx)
	if err != nil {
		return err
	}
	_, err = a.client.Init(ctx, ipc.InitRequest{Keystore: "passphrase", Passphrase: pass})
	return err
}
