package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

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

const keystorePassphrase = "passphrase"

// do sends a request. Where it meets a locked vault that has a passphrase, or
// none that could be made, it gets the passphrase and sends the request again.
// It never opens a vault that needs no person: whoever locked it meant that.
func (a *agent) do(ctx context.Context, r client.Request) ([]byte, error) {
	defer a.inv.Reveal() // what follows an answer is done
	return a.attempt(ctx, r)
}

func (a *agent) attempt(ctx context.Context, r client.Request) ([]byte, error) {
	raw, err := a.send(ctx, r)
	switch {
	case errors.Is(err, ipc.ErrLocked) && a.hasPassphrase(ctx):
		status, statusErr := a.client.Status(ctx)
		if statusErr != nil || !hasSlot(status, isPassphrase) {
			return nil, err
		}
		err = a.unlockBy(ctx, askPassphrase)
	case r.Path == ipc.PathEntries && r.Method == "POST" && wantsPassphrase(err) && a.mayChoosePassphrase(ctx):
		err = a.initWithPassphrase(ctx)
	default:
		return raw, err
	}
	if err != nil {
		return nil, err
	}
	return a.send(ctx, r)
}

// send is one exchange with the daemon.
func (a *agent) send(ctx context.Context, r client.Request) ([]byte, error) {
	if a.slow != nil {
		defer a.slow(ctx)()
	}
	return a.client.Do(ctx, r)
}

// hasPassphrase says whether a passphrase can be had: from a person, or from a
// file, which is no question.
func (a *agent) hasPassphrase(ctx context.Context) bool {
	return a.inv.Getenv(envPassphraseFile) != "" || a.canAsk(ctx)
}

// wantsPassphrase says whether err means that a first vault was not made for
// lack of a key.
func wantsPassphrase(err error) bool {
	return errors.Is(err, ipc.ErrKeystore) || errors.Is(err, ipc.ErrUninitialized)
}

// mayChoosePassphrase says whether a passphrase may key a new vault: somebody
// or some file has one, and no other keystore was demanded.
func (a *agent) mayChoosePassphrase(ctx context.Context) bool {
	if !a.hasPassphrase(ctx) {
		return false
	}
	kind := cmp.Or(a.inv.Getenv(envKeystore), a.setting(ctx, "keystore"))
	return isFree(kind) || kind == keystorePassphrase
}

// isFree says whether a way to key a vault leaves open where the key goes.
func isFree(kind string) bool { return kind == "" || kind == "auto" }

// setting returns what the daemon has for a key of config.toml; nothing where it
// cannot be asked.
func (a *agent) setting(ctx context.Context, key string) string {
	c, err := a.client.Config(ctx)
	if err != nil {
		return ""
	}
	for _, s := range c.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// unlock opens the vault. Slots that need nobody come first, unless there is
// none; then the passphrase.
func (a *agent) unlock(ctx context.Context) error {
	status, err := a.client.Status(ctx)
	if err != nil {
		return err
	}
	if status.State == ipc.StateReady && status.Problem == nil {
		return nil
	}
	// The daemon may have a passphrase file of its own.
	if hasSlot(status, isAutomatic) || a.setting(ctx, "passphrase_file") != "" {
		if err = a.open(ctx, ""); err == nil {
			return nil
		}
	}
	switch {
	case hasSlot(status, isPassphrase) && hasSlot(status, isRecovery):
		return a.unlockBy(ctx, askEither)
	case hasSlot(status, isPassphrase):
		return a.unlockBy(ctx, askPassphrase)
	case hasSlot(status, isRecovery) && a.hasPassphrase(ctx):
		if err != nil {
			a.inv.Note(err.Error())
		}
		return a.unlockBy(ctx, askRecovery)
	case err == nil:
		err = a.open(ctx, "") // which says why not
	}
	return err
}

// unlockBy opens the vault with the passphrase from the file that the
// environment names, else from the person, who may try again.
func (a *agent) unlockBy(ctx context.Context, q question) error {
	pass, err := a.passphraseFile()
	if err != nil {
		return err
	}
	if pass != "" {
		return a.open(ctx, pass)
	}
	if !a.canAsk(ctx) {
		return nobody(nil)
	}
	if !a.inv.CanAsk() {
		end, err := a.client.Profile.Turn(ctx)
		if err != nil {
			return err
		}
		defer end()
		if status, err := a.client.Status(ctx); err == nil && status.State == ipc.StateReady {
			return nil // another command has asked meanwhile
		}
	}
	var wrong error
	for try := 1; ; try++ {
		if pass, err = a.askHidden(ctx, q, wrong); err != nil {
			return err
		}
		wrong = errEmpty
		if pass != "" {
			err = a.open(ctx, pass)
			a.inv.Drop()
			if !errors.Is(err, ipc.ErrPassphrase) && !errors.Is(err, ipc.ErrInvalid) {
				return err
			}
			wrong = err
		}
		if try == tries {
			return &ipc.Error{Code: ipc.CodePassphrase, Message: wrong.Error(), Hint: "o2fa unlock"}
		}
	}
}

// open asks the daemon to open the vault. Without a passphrase it may ask the
// keyring of the desktop where the person sits.
func (a *agent) open(ctx context.Context, pass string) error {
	if pass == "" {
		defer a.announceDialog(ctx)()
	}
	_, err := a.client.Unlock(ctx, ipc.UnlockRequest{Passphrase: pass, Desktop: desktop(a.inv)})
	return err
}

// desktop says where the one who gave the command sits.
func desktop(inv *command.Invocation) *ipc.Desktop {
	d := ipc.Desktop{Bus: inv.Getenv("DBUS_SESSION_BUS_ADDRESS"), Display: inv.Getenv("DISPLAY"), Wayland: inv.Getenv("WAYLAND_DISPLAY")}
	if d == (ipc.Desktop{}) {
		return nil
	}
	return &d
}

func hasSlot(s ipc.Status, match func(ipc.Slot) bool) bool {
	return s.Vault != nil && slices.ContainsFunc(s.Vault.Slots, match)
}

func isPassphrase(s ipc.Slot) bool { return s.Type == keystorePassphrase }
func isRecovery(s ipc.Slot) bool   { return s.Type == slotRecovery }
func isAutomatic(s ipc.Slot) bool  { return !isPassphrase(s) && !isRecovery(s) }

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
	var wrong error
	for try := 1; ; try++ {
		first, second, err := a.askTwice(ctx, wrong)
		switch {
		case err != nil:
			return "", err
		case first == "":
			wrong = errEmpty
		case first != second:
			wrong = errDiffer
		default:
			return first, nil
		}
		if try == tries {
			return "", &command.Failure{Exit: command.ExitOther, Code: string(ipc.CodePassphrase),
				Err: errors.New("no passphrase was chosen"), Hint: a.inv.Path}
		}
	}
}

var errDiffer = errors.New("they differ")

// initWithPassphrase makes the vault under a new passphrase.
func (a *agent) initWithPassphrase(ctx context.Context) error {
	if isFree(cmp.Or(a.inv.Getenv(envKeystore), a.setting(ctx, "keystore"))) {
		a.explainPassphrase()
	}
	pass, err := a.newPassphrase(ctx)
	if err != nil {
		return err
	}
	_, err = a.client.Init(ctx, ipc.InitRequest{Keystore: keystorePassphrase, Passphrase: pass, Desktop: desktop(a.inv)})
	if err == nil {
		warnShort(a.inv, pass)
	}
	return err
}

// shortPassphrase is how many characters a new passphrase should have.
const shortPassphrase = 8

// warnShort warns of a new passphrase, unless it is empty, that is easily found.
func warnShort(inv *command.Invocation, pass string) {
	if pass != "" && utf8.RuneCountInString(pass) < shortPassphrase {
		inv.Warn(fmt.Sprintf("the passphrase has fewer than %d characters: whoever has a copy of vault.db can try them all", shortPassphrase),
			"o2fa key change")
	}
}

// explainPassphrase says why a person who asked for none has to choose a
// passphrase now.
func (a *agent) explainPassphrase() {
	if a.inv.Getenv(envPassphraseFile) == "" && a.inv.CanAsk() {
		a.inv.Note("No keyring answers here, so a passphrase will protect the vault.")
		a.inv.Note("Ctrl-C to stop; for other ways: o2fa help init")
	}
}
