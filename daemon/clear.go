package daemon

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/internal/atomicfile"
	"github.com/o2fa/o2fa/ipc"
)

// keyringTime bounds how long a reset waits for the keyring, and for a person
// before its dialog.
const keyringTime = time.Minute

// certainty says how much is known of something.
type certainty int

const (
	excluded certainty = iota
	possible
	certain
)

// holding is what is known of the vault in the profile, or of the one that was
// there.
type holding struct {
	id     [16]byte
	known  bool            // id is
	opened bool            // the file told it
	inFile bool            // there is a key file, so the vault may do without a keyring
	item   certainty       // that the vault has an item in the keyring
	header keystore.Header // by which the item is found
}

// holding asks the open file, and where there is none the marker.
func (k *keeper) holding() holding {
	k.mu.RLock()
	defer k.mu.RUnlock() // no one closes the file meanwhile
	if v := k.vault; v != nil {
		h := holding{id: v.ID(), known: true, opened: true}
		slots, err := v.Slots()
		if err != nil {
			h.item, h.header = possible, keystore.Header{Type: keystore.TypeKeyring, Vault: h.id}
		}
		for _, slot := range slots {
			header, err := keystore.ParseHeader(slot.Header)
			if err == nil && (header.Type == keystore.TypeKeyring || header.Type == keystore.TypeMemory) {
				h.item, h.header = certain, header
			}
		}
		return h
	}
	var h holding
	text, markErr := os.ReadFile(k.files.marker)
	id, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if h.known = err == nil && len(id) == len(h.id); h.known {
		copy(h.id[:], id)
	}
	_, vaultErr := os.Lstat(k.files.vault)
	h.inFile = len(k.keyFiles()) > 0
	if markErr == nil || vaultErr == nil {
		h.item, h.header = possible, keystore.Header{Type: keystore.TypeKeyring, Vault: h.id}
	}
	return h
}

// check makes sure that this is the vault that somebody saw, and decided upon.
func (h holding) check(seen string) error {
	id := ""
	if h.known {
		id = hex.EncodeToString(h.id[:])
	}
	if seen == id || seen == "" && !h.opened {
		return nil
	}
	return &ipc.Error{Code: ipc.CodeReplaced, Message: "the vault is not the one that was seen: nothing was removed", Hint: "o2fa status"}
}

// itemText names the vault's item in the keyring.
func (h holding) itemText() string {
	service, user := keystore.Item(h.id)
	return fmt.Sprintf("the key in the OS keyring (%s, %s)", service, user)
}

// itemHint is what a person can type to remove it.
func (h holding) itemHint() string {
	service, user := keystore.Item(h.id)
	switch runtime.GOOS {
	case "windows":
		return fmt.Sprintf("cmdkey /delete:%s:%s", service, user)
	case "darwin":
		return fmt.Sprintf("security delete-generic-password -s %s -a %s", service, user)
	}
	return fmt.Sprintf("secret-tool clear service %s username %s", service, user)
}

// reset removes the vault that somebody saw, in whatever state it is, and ends
// the keeper: no other vault is made by this process.
func (k *keeper) reset(ctx context.Context, seen string, c *clearing) error {
	if err := k.interrupt(ctx); err != nil {
		return err
	}
	return k.run(ctx, func(ctx context.Context) outcome {
		k.mu.RLock()
		now := outcome{state: k.state, problem: k.problem}
		k.mu.RUnlock()
		if v := k.vaultNow(); v == nil || v.Replaced() {
			k.shut()
			now.state, now.problem = k.openFile()
		}
		h := k.holding()
		if now.err = h.check(seen); now.err != nil {
			return now
		}
		k.shut()
		if err := k.clear(ctx, h, c); err != nil {
			return k.uncleared(ctx, now.state, err)
		}
		k.mu.Lock()
		k.closed = true
		k.mu.Unlock()
		return outcome{state: ipc.StateFailed, problem: errShuttingDown}
	})
}

// uncleared is the outcome of a reset that could not remove the vault, and so
// removed nothing: all is as it was.
func (k *keeper) uncleared(ctx context.Context, was ipc.State, err error) outcome {
	var result outcome
	if was == ipc.StateReady {
		result = k.openAndUnlock(ctx)
	} else {
		result.state, result.problem = k.openFile()
	}
	result.err = err
	return result
}

// clear removes the vault first, then its item in the keyring, and then the
// marker, by which a reset that was interrupted finds the item again: until that
// is gone the profile counts as one whose vault is lost, and no other is made
// there. Key files go last. They open nothing any more, and tell until then that
// a keyring that does not answer here need not have been asked. Only where the
// vault itself cannot be removed there is an error, and nothing has changed.
func (k *keeper) clear(ctx context.Context, h holding, c *clearing) error {
	if h.known {
		k.mark(h.id)
	}
	target, _ := os.Readlink(k.files.vault)
	switch err := os.Remove(k.files.vault); {
	case err == nil:
		c.removed(k.files.vault)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("removing vault: %w", err)
	}
	if target != "" {
		c.leave(target, k.files.vault+" was a link to it", true)
	}
	k.settleDir()
	k.removeItem(ctx, h, c)
	c.remove(k.files.marker)
	k.settleDir()
	for _, path := range k.keyFiles() {
		c.remove(path)
	}
	if err := atomicfile.RemoveLeftovers(k.dir()); err != nil {
		k.log.Warn("removing what was left of writing", "error", err.Error())
	}
	k.settleDir()
	return nil
}

// settleDir makes removals durable, as far as the disk lets it.
func (k *keeper) settleDir() {
	if err := atomicfile.SyncDir(k.dir()); err != nil {
		k.log.Warn("making removals durable", "error", err.Error())
	}
}

// keyFiles returns the paths of the vault's key file and of those that were set
// aside, as far as they are there.
func (k *keeper) keyFiles() (paths []string) {
	entries, err := os.ReadDir(k.dir())
	if err != nil || k.files.keyfile == "" {
		return nil
	}
	for _, place := range []string{k.files.keyfile, keystore.SpareKeyfile(k.files.keyfile)} {
		name := filepath.Base(place)
		for _, e := range entries {
			if e.Name() == name || strings.HasPrefix(e.Name(), name+unusedSuffix) {
				paths = append(paths, filepath.Join(k.dir(), e.Name()))
			}
		}
	}
	return paths
}

// removeItem removes the vault's item from the keyring. One that cannot be
// reached keeps the item, and nobody from anything else.
func (k *keeper) removeItem(ctx context.Context, h holding, c *clearing) {
	if h.item == excluded {
		return
	}
	if !h.known {
		if !h.inFile {
			c.leave("the key in the OS keyring, if the vault had one", "nothing tells the vault's id: look for items of o2fa", false)
		}
		return
	}
	ctx, cancel := context.WithTimeout(ctx, keyringTime)
	defer cancel()
	store, err := k.stores(h.header.Type, given{}, k.waiting)
	if err == nil {
		err = store.Remove(ctx, h.header)
	}
	switch {
	case err == nil:
		c.removed(h.itemText())
	case errors.Is(err, keystore.ErrMissing): // an earlier reset was interrupted, or it never was there
	case h.item == possible && h.inFile && errors.Is(err, keystore.ErrUnavailable): // no keyring here, and none was needed
	case h.item == certain:
		c.leave(h.itemText(), fmt.Sprintf("%v; to remove it: %s", err, h.itemHint()), true)
	default:
		c.leave(h.itemText()+", if the vault had one", fmt.Sprintf("%v; to remove it: %s", err, h.itemHint()), false)
	}
}
