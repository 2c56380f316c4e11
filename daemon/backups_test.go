package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/o2fa/o2fa/daemon/internal/backup"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/ipc"
)

// runBackups runs what makes backups until the test ends.
func runBackups(t *testing.T, d *Daemon) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.backups.run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	synctest.Wait()
}

// backupsOf lists the backups of a daemon.
func backupsOf(t *testing.T, d *Daemon) []backup.Info {
	t.Helper()
	list, err := d.backups.dir.List()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func wantBackups(t *testing.T, d *Daemon, what string, n int) {
	t.Helper()
	synctest.Wait()
	if list := backupsOf(t, d); len(list) != n {
		t.Errorf("%s: %d backups, want %d: %v", what, len(list), n, list)
	}
}

// addNth adds an entry that no other is like.
func addNth(t *testing.T, d *Daemon, n int) {
	t.Helper()
	addInside(t, d, ipc.AddRequest{Secret: "JBSWY3DPEHPK3PXP", Name: fmt.Sprint("entry ", n)})
}

// TestBackupIsMadeOnceForManyChanges: half a minute after the last one, and five
// minutes after the first at the latest.
func TestBackupIsMadeOnceForManyChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInside(t, io.Discard)
		runBackups(t, d)
		<-time.After(time.Hour)
		wantBackups(t, d, "an empty vault", 0)
		for n := range 3 {
			addNth(t, d, n)
			<-time.After(backupQuiet - time.Second)
		}
		wantBackups(t, d, "changes under way", 0)
		<-time.After(time.Second)
		wantBackups(t, d, "after the last", 1)
		<-time.After(24 * time.Hour)
		wantBackups(t, d, "a day without a change", 1)
		began := time.Now()
		for n := 3; time.Since(began) < backupLate; n++ {
			addNth(t, d, n)
			<-time.After(20 * time.Second)
		}
		wantBackups(t, d, "changes all the time", 2)
	})
}

// TestBackupOnlyOfChanges: neither a code nor a restart asks for one, a counter
// that was stepped does.
func TestBackupOnlyOfChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInside(t, io.Discard)
		runBackups(t, d)
		addNth(t, d, 1)
		addInside(t, d, ipc.AddRequest{Secret: "JBSWY3DPEHPK3PXP", Name: "counter", Type: "hotp"})
		<-time.After(time.Minute)
		wantBackups(t, d, "after two entries", 1)
		again := func() {
			if err := d.keeper.lock(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := d.keeper.unlock(t.Context(), secret.Bytes{}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := d.code(t.Context(), "entry 1", validity{}); err != nil {
			t.Fatal(err)
		}
		again()
		<-time.After(time.Hour)
		wantBackups(t, d, "a code and another start", 1)
		if _, err := d.code(t.Context(), "counter", validity{}); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		wantBackups(t, d, "a step of a counter", 2)
		addNth(t, d, 2)
		again() // without a word to the backups, as after a kill
		wantBackups(t, d, "before its time", 2)
		<-time.After(time.Minute)
		wantBackups(t, d, "what was not made before the end", 3)
	})
}

// TestBackupBeforeLock: a lock, and the end, do not leave a change behind.
func TestBackupBeforeLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInside(t, io.Discard)
		runBackups(t, d)
		addNth(t, d, 1)
		if err := d.lock(t.Context(), ipc.LockAsked); err != nil {
			t.Fatal(err)
		}
		wantBackups(t, d, "before a lock", 1)
		if err := d.keeper.unlock(t.Context(), secret.Bytes{}); err != nil {
			t.Fatal(err)
		}
		if err := d.lock(t.Context(), ipc.LockAsked); err != nil {
			t.Fatal(err)
		}
		wantBackups(t, d, "a lock without a change", 1)
		if err := d.keeper.unlock(t.Context(), secret.Bytes{}); err != nil {
			t.Fatal(err)
		}
		addNth(t, d, 2)
		d.backups.atEnd()
		wantBackups(t, d, "at the end", 2)
	})
}

// TestBackupsOff: 0 makes none, and removes none.
func TestBackupsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInside(t, io.Discard)
		var keep atomic.Int64
		keep.Store(20)
		d.backups.keep = func() int { return int(keep.Load()) }
		runBackups(t, d)
		addNth(t, d, 1)
		<-time.After(time.Minute)
		keep.Store(0)
		addNth(t, d, 2)
		<-time.After(time.Hour)
		d.backups.atEnd()
		wantBackups(t, d, "off", 1)
		keep.Store(2)
		for n := range 4 {
			addNth(t, d, 10+n)
			<-time.After(time.Minute)
		}
		wantBackups(t, d, "two are kept", 2)
	})
}

// TestRotationLeavesOthers: only backups of this vault are too many, and the one
// just made stays though the clock says that it is the oldest.
func TestRotationLeavesOthers(t *testing.T) {
	d := newInside(t, io.Discard)
	now := time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
	d.backups.now = func() time.Time { return now }
	d.backups.keep = func() int { return 2 }
	if err := d.backups.dir.Prepare(); err != nil {
		t.Fatal(err)
	}
	others := []string{"20200101T000000Z-00000000.backup", "notes.txt"}
	for _, name := range others {
		if err := os.WriteFile(d.backups.dir.Path(name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	make := func() backup.Info {
		v := d.keeper.openVault()
		made, _, err := d.backups.make(t.Context(), v)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	make()
	make()
	now = now.AddDate(-14, 0, 0)
	last := make()
	list := backupsOf(t, d)
	if len(list) != 3 || !slices.ContainsFunc(list, func(i backup.Info) bool { return i.Name == last.Name }) {
		t.Errorf("there are %v, the last is %s", list, last.Name)
	}
	for _, name := range others {
		if _, err := os.Stat(d.backups.dir.Path(name)); err != nil {
			t.Error(err)
		}
	}
}

// TestBackupFailsAndIsTriedAgain: codes and changes go on, status says why, and
// once there is room the backup is made.
func TestBackupFailsAndIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInside(t, io.Discard)
		runBackups(t, d)
		if err := os.WriteFile(string(d.backups.dir), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		addNth(t, d, 1)
		<-time.After(time.Minute)
		synctest.Wait()
		if list := d.backups.warnings(); len(list) != 1 || list[0].Code != "backup" {
			t.Errorf("warnings: %v", list)
		}
		addNth(t, d, 2)
		if err := os.Remove(string(d.backups.dir)); err != nil {
			t.Fatal(err)
		}
		<-time.After(backupRetry)
		wantBackups(t, d, "tried again", 1)
		if list := d.backups.warnings(); len(list) != 0 {
			t.Errorf("warnings: %v", list)
		}
	})
}

// TestNoBackupOfDamage: a damaged vault is not backed up, and what there is stays.
func TestNoBackupOfDamage(t *testing.T) {
	d := newInside(t, io.Discard)
	for n := range 300 {
		addNth(t, d, n)
	}
	good, _, err := d.backups.make(t.Context(), d.keeper.openVault())
	if err != nil {
		t.Fatal(err)
	}
	damage(t, d.keeper.files.vault)
	_, _, err = d.backups.make(t.Context(), d.keeper.openVault())
	if !errors.Is(err, ipc.ErrCorrupt) || !strings.Contains(err.Error(), "no backup is made of it") {
		t.Errorf("of a damaged vault: %v", err)
	}
	if list := backupsOf(t, d); len(list) != 1 || list[0].Name != good.Name {
		t.Errorf("there are %v", list)
	}
	if list := d.backups.warnings(); len(list) != 1 {
		t.Errorf("warnings: %v", list)
	}
	if _, err := d.verifyBackup(t.Context(), pickFile(d.backups.dir.Path(good.Name)), secret.Bytes{}); err != nil {
		t.Error(err)
	}
}

// damage writes over sealed records in the middle of an open vault.
func damage(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for at := info.Size() / 8; at < info.Size(); at += info.Size() / 8 {
		if _, err := f.WriteAt([]byte("damage"), at+2000); err != nil {
			t.Fatal(err)
		}
	}
}

// TestVerifyTellsWhatIsWrong: another backup under a name, one that was cut, and
// one that no key opens are told apart.
func TestVerifyTellsWhatIsWrong(t *testing.T) {
	d := newInside(t, io.Discard)
	addNth(t, d, 1)
	one, _, err := d.backups.make(t.Context(), d.keeper.openVault())
	if err != nil {
		t.Fatal(err)
	}
	addNth(t, d, 2)
	two, _, err := d.backups.make(t.Context(), d.keeper.openVault())
	if err != nil {
		t.Fatal(err)
	}
	verify := func(path string) (ipc.BackupReport, error) {
		return d.verifyBackup(t.Context(), pickFile(path), secret.Bytes{})
	}
	data, err := os.ReadFile(d.backups.dir.Path(one.Name))
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "mine")
	if err := os.WriteFile(elsewhere, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := verify(elsewhere); err != nil || r.Entries != 1 || r.Codes != 1 || !r.Sealed || r.Problem != nil {
		t.Errorf("under a name of the user's: %+v, %v", r, err)
	}
	if err := os.WriteFile(d.backups.dir.Path(two.Name), data, 0o600); err != nil { // rolled back
		t.Fatal(err)
	}
	if _, err := verify(d.backups.dir.Path(two.Name)); !errors.Is(err, ipc.ErrCorrupt) || !strings.Contains(err.Error(), one.Name) {
		t.Errorf("another backup under this name: %v", err)
	}
	if err := os.WriteFile(d.backups.dir.Path(two.Name), data[:len(data)-20], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := verify(d.backups.dir.Path(two.Name)); !errors.Is(err, ipc.ErrCorrupt) || !strings.Contains(err.Error(), "cut") {
		t.Errorf("one that was cut: %v", err)
	}
	if err := os.WriteFile(elsewhere, data[:len(data)-20], 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := verify(elsewhere); err != nil || r.Sealed || r.Problem == nil {
		t.Errorf("a mere copy: %+v, %v", r, err)
	}
	if _, err := verify(filepath.Join(t.TempDir(), "none")); !errors.Is(err, ipc.ErrNotFound) {
		t.Errorf("no file: %v", err)
	}
	other := newInside(t, io.Discard) // another vault, with another keyring
	if _, err := other.verifyBackup(t.Context(), pickFile(d.backups.dir.Path(one.Name)), secret.Bytes{}); !errors.Is(err, ipc.ErrOrphan) {
		t.Errorf("without its key: %v", err)
	}
}

// TestVerifyWantsCodes: an entry whose record is whole and that yields no code is
// found.
func TestVerifyWantsCodes(t *testing.T) {
	var c codes
	e := vault.Entry{Type: "totp", Algorithm: "SHA1", Digits: 6, Period: 30, Secret: secret.New([]byte("12345678901234567890"))}
	if err := c.take(&e); err != nil || c.made != 1 {
		t.Error(c, err)
	}
	for _, change := range []func(*vault.Entry){
		func(e *vault.Entry) { e.Algorithm = "MD5" },
		func(e *vault.Entry) { e.Digits = 3 },
		func(e *vault.Entry) { e.Secret = secret.Bytes{} },
	} {
		bad := e
		change(&bad)
		if err := c.take(&bad); !errors.Is(err, vault.ErrCorrupt) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	e.Type = "steam"
	if err := c.take(&e); err != nil || c.none != 1 {
		t.Error(c, err)
	}
}
