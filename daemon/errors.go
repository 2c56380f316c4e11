package daemon

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"syscall"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/ipc"
)

// problemOf turns any error of the daemon's inside into one for the wire: the
// only place where the two vocabularies meet. An error without a code of its
// own keeps its text in the log alone.
func (k *keeper) problemOf(err error) *ipc.Error {
	if wire := (*ipc.Error)(nil); errors.As(err, &wire) {
		return wire
	}
	if a := (*vault.AmbiguousError)(nil); errors.As(err, &a) {
		return &ipc.Error{Code: ipc.CodeAmbiguous, Message: "several entries match", Hint: "name one of them in full, or by its id",
			Candidates: wireEntries(a.Candidates[:min(len(a.Candidates), ipc.MaxCandidates)]), Matches: len(a.Candidates)}
	}
	if n := (*vault.NotFoundError)(nil); errors.As(err, &n) {
		return &ipc.Error{Code: ipc.CodeNotFound, Message: "no entry matches", Hint: "o2fa list", Candidates: wireEntries(n.Near)}
	}
	if wire := k.meaningOf(err); wire != nil {
		return wire
	}
	if fault := syscall.Errno(0); errors.As(err, &fault) {
		// A key file lies on the same disk, which may be full or read-only.
		return k.meaningOf(vault.Classify(err))
	}
	return &ipc.Error{Code: ipc.CodeInternal, Message: "an unexpected failure; the daemon's log has the details"}
}

// meaningOf returns err as the wire knows it, nil if it has no sentinel.
func (k *keeper) meaningOf(err error) *ipc.Error {
	for _, m := range k.meanings() {
		if errors.Is(err, m.sentinel) {
			return &ipc.Error{Code: m.code, Message: m.message(err), Hint: m.hint}
		}
	}
	return nil
}

// meaning says what a sentinel of the daemon's inside is to a user.
type meaning struct {
	sentinel error
	code     ipc.ErrorCode
	message  func(error) string
	hint     string
}

func (k *keeper) meanings() []meaning {
	fixed := func(text string) func(error) string { return func(error) string { return text } }
	own := func(err error) string { return err.Error() }
	path := k.files.vault
	return []meaning{
		{vault.ErrLocked, ipc.CodeLocked, fixed("the vault is locked"), "o2fa unlock"},
		{vault.ErrClosed, ipc.CodeLocked, fixed("the vault was locked meanwhile"), "o2fa unlock"},
		{vault.ErrNotFound, ipc.CodeNotFound, fixed("no entry matches"), "o2fa list"},
		{vault.ErrNothing, ipc.CodeNothing, own, ""},
		{vault.ErrInvalid, ipc.CodeInvalid, own, ""},
		{vault.ErrNewerFormat, ipc.CodeNewerFormat, own, "install the o2fa that wrote it, or a later one"},
		{vault.ErrCorrupt, ipc.CodeCorrupt, fixed(path + " is damaged"),
			"o2fa backup list, then o2fa backup restore NAME, which keeps the damaged file"},
		{vault.ErrNotVault, ipc.CodeCorrupt, fixed(path + " is not a vault"), "put the vault back in its place, then o2fa unlock"},
		{vault.ErrExists, ipc.CodeInitialized, fixed("there is a vault already: " + path), "o2fa unlock"},
		{vault.ErrReadOnly, ipc.CodeReadOnly, fixed(path + " is on a read-only file system: nothing was changed"),
			"make it writable, then o2fa lock and o2fa unlock"},
		{vault.ErrDiskFull, ipc.CodeDiskFull, fixed("the disk that holds " + path + " is full: nothing was changed"),
			"free some space there, then try again"},
		{vault.ErrReplaced, ipc.CodeReplaced, fixed(path + " was replaced while the daemon had it open: nothing was changed"),
			"o2fa unlock, which opens the file that is there now"},
		{vault.ErrBusy, ipc.CodeStorage, fixed("another program holds " + path), "end it, then o2fa unlock"},
		{vault.ErrStorage, ipc.CodeStorage, own, "see the disk's own messages, and o2fa list for what is there"},
		{vault.ErrWrongKey, ipc.CodeOrphan, fixed("the key that was found does not open this vault"), "put back the key, or the vault, that belongs to the other, then o2fa unlock"},
		{keystore.ErrNoCredential, ipc.CodeOrphan, own, "start o2fad by its unit, with LoadCredentialEncrypted=, then o2fa unlock"},
		{keystore.ErrMissing, ipc.CodeOrphan, own, putBack},
		{keystore.ErrDamaged, ipc.CodeOrphan, own, putBack},
		{keystore.ErrExists, ipc.CodeOrphan, own, "o2fa status"},
		{keystore.ErrUnsafe, ipc.CodeOrphan, own, "give the key file to this user alone (chmod 600), then o2fa unlock"},
		{keystore.ErrHeader, ipc.CodeCorrupt, fixed("a key slot of " + path + " is damaged"), "o2fa backup list, then o2fa backup restore NAME"},
		{keystore.ErrEmptyPassphrase, ipc.CodeInvalid, own, ""},
		{keystore.ErrRecoveryCode, ipc.CodeInvalid, own, "o2fa unlock"},
		{vault.ErrLastSlot, ipc.CodeInvalid, fixed("nothing else would open the vault: its last key slot stays"), "o2fa key add recovery, then remove this one"},
		{secret.ErrEmpty, ipc.CodeInvalid, own, ""},
		{keystore.ErrUnavailable, ipc.CodeKeystore, noKeyring, noKeyringHint},
		{keystore.ErrKeyringLocked, ipc.CodeKeystore, own, "unlock the keyring, then o2fa unlock; without one: " + noKeyringHint},
		{keystore.ErrFailed, ipc.CodeKeystore, own, "see what the keyring says, then o2fa unlock"},
		{keystore.ErrBusy, ipc.CodeKeystore, own, "answer the keyring's dialog, then o2fa unlock"},
		{fs.ErrPermission, ipc.CodeStorage, own, "let this user read and write it, then o2fa unlock"},
		{fs.ErrNotExist, ipc.CodeStorage, own, "put it in its place, then o2fa unlock"},
		{context.DeadlineExceeded, ipc.CodeWaiting, fixed("it took too long"), "o2fa status"},
		{context.Canceled, ipc.CodeWaiting, fixed("it was interrupted"), "o2fa status"},
	}
}

// putBack is the way out where a key is gone and nothing replaces it.
const putBack = "put the key back from a backup, then o2fa unlock"

// noKeyring says why no keyring can be used, without the steps that led there.
func noKeyring(err error) string {
	text := err.Error()
	if _, why, ok := strings.Cut(text, keystore.ErrUnavailable.Error()+": "); ok {
		text = why
	}
	return "no keyring answers here: " + text
}

// noKeyringHint names the two ways on where no keyring answers.
const noKeyringHint = "o2fa init --keystore passphrase, or o2fa init --keystore keyfile"

// noKeyringSlotHint names them where there is a vault.
const noKeyringSlotHint = "o2fa key add passphrase, or o2fa key add keyfile"

func wireEntries(list []vault.Summary) []ipc.Entry {
	entries := make([]ipc.Entry, 0, len(list))
	for _, s := range list {
		entries = append(entries, wireEntry(s))
	}
	return entries
}
