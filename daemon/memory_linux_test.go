package daemon_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/daemon/internal/seal"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/server/syncapi"
)

// TestNothingIsLeftAfterLock does with the real programs all that brings keys and
// secrets into the daemon's memory, and reads all of that memory, as root can:
// before a lock, where the search must find them, and after it, where nothing of
// them may be.
func TestNothingIsLeftAfterLock(t *testing.T) {
	needRoot(t)
	p := newPrograms(t)
	s := &scene{programs: p}
	s.begin()
	s.slotKeys("first")
	s.look("open", "raw", "base32", "round key", "HMAC pad", "text")
	s.run("lock")
	s.look("locked")

	// The vault is opened by a passphrase, and gets another key.
	s.passphrase()
	s.run("unlock")
	s.run("code", "by hand")
	s.look("open by a passphrase", "raw", "round key", "text")
	s.run("lock")
	s.look("locked again")

	// What is asked in vain while it is locked stays until the next lock.
	s.env = slices.DeleteFunc(s.env, func(v string) bool { return strings.HasPrefix(v, "O2FA_PASSPHRASE_FILE=") })
	if out, err := s.try(s.newEntry("refused")+"\n", "add", "-", "refused"); err == nil {
		t.Fatalf("an entry was added to a locked vault: %s", out)
	}
	s.run("lock")
	s.look("locked after a refused entry")

	// A backup is opened while the vault is locked. What serves after the reply is
	// another image.
	s.passphraseFile()
	pid, file := s.pid(), filepath.Join(s.home, "to.backup")
	if err := os.Rename(s.newestBackup(), file); err != nil {
		t.Fatal(err)
	}
	for _, call := range [][]string{{"backup", "verify", file}, {"backup", "restore", "--yes", file}} {
		s.run(call...)
		if status := s.run("status"); !strings.Contains(status, "State: locked") {
			t.Fatalf("%q: not locked:\n%s", call, status)
		}
		s.look("locked after " + call[1])
	}
	if s.pid() != pid {
		t.Error("another process serves: this shows nothing")
	}
}

// scene is a profile that is used, and all that is known of its secrets.
type scene struct {
	*programs
	known needles
}

// newEntry makes a secret, to be searched for, and returns it in base32.
func (s *scene) newEntry(name string) string {
	raw := make([]byte, 20)
	_, _ = rand.Read(raw)
	s.known.entry("the secret of "+name, raw)
	return base32.StdEncoding.EncodeToString(raw)
}

// begin fills a vault in every way that there is, and asks for all of it.
func (s *scene) begin() {
	s.t.Helper()
	if err := os.Mkdir(filepath.Join(s.home, ".open2fa"), 0o700); err != nil {
		s.t.Fatal(err)
	}
	s.write("secrets.json", fmt.Sprintf(`{"secrets": [{"secret": %q, "name": "from the file"}, {"secret": %q, "name": null}]}`,
		s.newEntry("from the file"), s.newEntry("without a name")))
	uuid := make([]byte, 16)
	_, _ = rand.Read(uuid)
	s.write("open2fa.uuid", hex.EncodeToString(uuid))
	s.account(hex.EncodeToString(uuid))
	s.run("init")
	s.pipe(s.newEntry("by hand")+"\n", "add", "-", "by hand")
	s.run("add", s.newEntry("by argument"), "by argument")
	s.run("add", "otpauth://totp/ACME:me?issuer=ACME&secret="+s.newEntry("by address"))
	s.run("edit", "by argument", "--note", "changed")
	s.run("code", "by hand")
	s.run("list", "-s")
	s.run("show", "-s", "by argument")
	s.run("status", "-s")
	s.run("backup", "create")
	s.run("backup", "verify")
}

// account adds what identifies the user to open2fa's server.
func (s *scene) account(text string) {
	s.t.Helper()
	uuid, err := syncapi.ParseUUID(text)
	if err != nil {
		s.t.Fatal(err)
	}
	raw, _ := hex.DecodeString(text)
	s.known.secret("the UUID", raw)
	s.known.text("text", "the UUID", uuid.Text())
	sum := sha256.Sum256(raw)
	s.known.secret("the account's key", sum[16:])
	_, key := uuid.Open2FA()
	s.known.text("text", "the account's secret", key)
}

// passphrase gives the vault a passphrase and a recovery code, and takes the key
// file away: everything is sealed anew.
func (s *scene) passphrase() {
	s.t.Helper()
	s.run("unlock")
	pass := "canary " + rand.Text()
	s.known.text("text", "the passphrase", pass)
	file := filepath.Join(s.home, "pass")
	if err := os.WriteFile(file, []byte(pass+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.passphraseFile()
	s.run("key", "add", "passphrase")
	code := regexp.MustCompile(`[0-9A-Z]{5}(-[0-9A-Z*~$=]{1,5})+`).FindString(s.run("key", "add", "recovery"))
	if code == "" {
		s.t.Fatal("no recovery code was shown")
	}
	s.known.text("text", "the recovery code", code)
	s.slotKey("second", keystore.TypePassphrase, keystore.NewPassphrase(secret.Copy([]byte(pass)), keystore.DefaultCost()))
	s.run("key", "remove", "keyfile", "--force")
	s.slotKey("third", keystore.TypePassphrase, keystore.NewPassphrase(secret.Copy([]byte(pass)), keystore.DefaultCost()))
	s.slotKey("fourth", keystore.TypeRecovery, keystore.NewRecovery(secret.Copy([]byte(code))))
	s.run("lock")
}

// passphraseFile gives the passphrase to the command line: the daemon runs already.
func (s *scene) passphraseFile() {
	s.env = append(s.env, "O2FA_PASSPHRASE_FILE="+filepath.Join(s.home, "pass"))
}

// newestBackup returns the path of the newest backup.
func (s *scene) newestBackup() string {
	s.t.Helper()
	paths, err := filepath.Glob(s.file("backups/*.backup"))
	if err != nil || len(paths) == 0 {
		s.t.Fatalf("no backup: %v", err)
	}
	return slices.Max(paths)
}

// slotKeys adds the keys of a vault that a key file opens.
func (s *scene) slotKeys(what string) {
	s.t.Helper()
	s.slotKey(what, keystore.TypeKeyfile, keystore.NewKeyfile(s.file("vault.key")))
}

// slotKey adds the key of the slot of one type, and the vault key that it opens.
func (s *scene) slotKey(what string, typ keystore.Type, store keystore.Store) {
	s.t.Helper()
	// A copy: the daemon has the file locked.
	data, err := os.ReadFile(s.file("vault.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	path := filepath.Join(s.t.TempDir(), "vault.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		s.t.Fatal(err)
	}
	v, err := vault.Open(path, vault.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	defer v.Close()
	slots, err := v.Slots()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, slot := range slots {
		h, err := keystore.ParseHeader(slot.Header)
		if err != nil {
			s.t.Fatal(err)
		}
		if h.Type != typ {
			continue
		}
		key, err := store.Open(context.Background(), h)
		if err != nil {
			s.t.Fatal(err)
		}
		s.known.key("the key of the "+what+" slot", key.Reveal())
		s.known.vaultKey("the vault key of the "+what+" slot", vaultKey(s.t, data, v.ID(), slot, key.Reveal()), v.ID())
		return
	}
	s.t.Fatalf("no slot of type %s", typ)
}

// vaultKey returns the vault key, by trying whether it is what stands at some
// place of the file.
func vaultKey(t *testing.T, file []byte, id [16]byte, slot vault.Slot, key []byte) []byte {
	t.Helper()
	sealer, err := seal.NewKey(key)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(slot.Header)
	about := slices.Concat(id[:], slot.ID[:], sum[:])
	const size = seal.Block + seal.Overhead
	for at := 0; at+size <= len(file); at++ {
		if file[at] != 2 {
			continue
		}
		if raw, err := sealer.Open(seal.VaultSlot, about, file[at:at+size]); err == nil {
			return raw
		}
	}
	t.Fatal("the vault key is nowhere in the file")
	return nil
}

// look reads the daemon's memory. With kinds it must find something of each,
// without it must find nothing.
func (s *scene) look(when string, kinds ...string) {
	s.t.Helper()
	var found map[string]string
	var size int64
	pid := s.pid()
	err := frozen(pid, func() (err error) {
		found, size, err = search(pid, newFinder(s.known))
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Logf("%s: %d of %d needles in %d KiB", when, len(found), len(s.known), size>>10)
	for _, kind := range kinds {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(found)), func(what string) bool { return strings.HasPrefix(what, kind+" of ") }) {
			s.t.Errorf("%s: nothing of the kind %q is in memory: the search is blind", when, kind)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(found)) {
		if len(kinds) == 0 {
			s.t.Errorf("%s: %s at %s", when, what, found[what])
		}
	}
}
