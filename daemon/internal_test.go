package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/o2fa/o2fa"
	"github.com/o2fa/o2fa/daemon/internal/backup"
	"github.com/o2fa/o2fa/daemon/internal/keystore"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/ipc/socket"
)

// newInside returns a daemon that serves no socket, with a vault that is ready.
func newInside(t *testing.T, out io.Writer) *Daemon {
	t.Helper()
	dir := t.TempDir()
	profile, err := socket.Resolve(func(name string) string { return map[string]string{"HOME": dir, "USERPROFILE": dir}[name] })
	if err != nil {
		t.Fatal(err)
	}
	d := New(Config{Profile: profile, Log: slog.New(slog.NewTextHandler(out, nil)), Keyring: keystore.NewMemory()})
	d.exe = thisExecutable()
	d.keeper = newKeeper(profileFiles{vault: filepath.Join(dir, "vault.db"), marker: filepath.Join(dir, "vault.id")},
		d.store, d.settings.policy, d.log, d.now)
	d.intake = newIntake(filepath.Join(dir, "secrets.json"), d.keeper, d.log)
	d.audit.log, d.keeper.rows = d.log, d.audit.waiting
	d.backups = d.newBackups()
	d.backups.dir = backup.Dir(filepath.Join(dir, backupsName))
	d.keeper.notice = d.backups.nudge
	d.keeper.start(t.Context())
	if err := d.keeper.create(t.Context(), newVault{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.keeper.close)
	return d
}

func TestMinValidWaitsForTheNextCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInside(t, io.Discard)
		addInside(t, d, ipc.AddRequest{Secret: "JBSWY3DPEHPK3PXP", Name: "github"})
		// The bubble's clock begins at a whole half minute.
		<-time.After(26 * time.Second)
		now, err := d.code(t.Context(), "github", validity{})
		if err != nil || now.SecondsLeft != 4 {
			t.Fatalf("%+v, %v", now, err)
		}
		start := time.Now()
		next, err := d.code(t.Context(), "github", validity{min: 5 * time.Second})
		if err != nil || time.Since(start) != 4*time.Second || next.Code != now.Next || next.SecondsLeft != 30 {
			t.Errorf("after %s: %+v, %v; want %s", time.Since(start), next, err, now.Next)
		}
		<-time.After(26 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := d.code(ctx, "github", validity{min: 5 * time.Second}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a client that leaves: %v", err)
		}
	})
}

// The configuration decides where a request does not, and never refuses a code.
func TestConfiguredMinValid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInside(t, io.Discard)
		addInside(t, d, ipc.AddRequest{Secret: "JBSWY3DPEHPK3PXP", Name: "github"})
		addInside(t, d, ipc.AddRequest{Secret: "JBSWY3DPEHPK3PXP", Name: "fast", Period: 5})
		d.settings.force.MinValid = 5 * time.Second
		for _, tc := range []struct {
			query string
			waits time.Duration
		}{{"name=github", 4 * time.Second}, {"name=github&min_valid=0s", 0}, {"name=github&min_valid=3s", 0}, {"name=fast", 4 * time.Second}} {
			<-time.After(time.Until(time.Now().Truncate(30 * time.Second).Add(56 * time.Second)))
			start := time.Now()
			_, err := d.postCode(httptest.NewRequestWithContext(t.Context(), "POST", "http://o2fa"+ipc.PathCode+"?"+tc.query, nil))
			if took := time.Since(start); err != nil || took != tc.waits {
				t.Errorf("%s: %v, %v; want %v", tc.query, took, err, tc.waits)
			}
		}
	})
}

// Where the system tells nobody of changes, each use of the settings looks.
func TestConfigWithoutAWatch(t *testing.T) {
	d := newInside(t, io.Discard)
	if err := errors.Join(os.MkdirAll(filepath.Dir(d.settings.path), 0o700), os.WriteFile(d.settings.path, []byte("min_valid = '7s'"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if d.settings.minValid() != 0 {
		t.Error("a code waits for a look at the disk")
	}
	d.settings.blind.Store(true)
	if got := d.settings.minValid(); got != 7*time.Second {
		t.Errorf("min_valid is %v", got)
	}
}

// What was deleted stays until the configuration that says how long is known.
func TestPurgeGoesByTheConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInside(t, io.Discard)
		addInside(t, d, ipc.AddRequest{Secret: "JBSWY3DPEHPK3PXP", Name: "github"})
		trashed := func() (n int) {
			_ = d.keeper.use(t.Context(), func(v *vault.Vault) error {
				d.keeper.purge(t.Context())
				_, n = v.Count()
				return nil
			})
			return n
		}
		if err := d.keeper.use(t.Context(), func(v *vault.Vault) error {
			list, err := v.List()
			if err != nil {
				return err
			}
			return v.Update(opDelete, func(tx *vault.Tx) error { return tx.Trash(list[0].ID) })
		}); err != nil {
			t.Fatal(err)
		}
		for range 3 { // a longer way at once counts as a jump of the clock
			<-time.After(20 * 24 * time.Hour)
			addInside(t, d, ipc.AddRequest{Secret: "JBSWY3DPEHPK3PXP", Name: time.Now().String()})
		}
		configure := func(text string) {
			if err := errors.Join(os.MkdirAll(filepath.Dir(d.settings.path), 0o700), os.WriteFile(d.settings.path, []byte(text), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		configure("trash_days = ninety")
		d.settings.sound = false // as after a start with this file
		if n := trashed(); n != 1 {
			t.Errorf("%d in the trash while the configuration is not known", n)
		}
		configure("trash_days = 61")
		if n := trashed(); n != 1 {
			t.Errorf("%d in the trash before the 61 days", n)
		}
		configure("trash_days = 59")
		if n := trashed(); n != 0 {
			t.Errorf("%d in the trash after the 59 days", n)
		}
	})
}

func addInside(t *testing.T, d *Daemon, req ipc.AddRequest) {
	t.Helper()
	err := d.keeper.use(t.Context(), func(v *vault.Vault) error {
		return v.Update(opAdd, func(tx *vault.Tx) error {
			e, err := newEntry(req)
			if err == nil {
				_, _, err = tx.Add(e)
			}
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestPanicIsOneReply(t *testing.T) {
	var log bytes.Buffer
	d := newInside(t, &log)
	h := d.guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("JBSWY3DPEHPK3PXP") }))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "http://o2fa"+ipc.PathStatus, nil))
	if w.Code != 500 || !strings.Contains(w.Body.String(), string(ipc.CodeInternal)) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if s := log.String(); strings.Contains(s, "JBSWY") || !strings.Contains(s, "internal_test.go") {
		t.Errorf("the log should have the stack and not the value:\n%s", s)
	}
	d.requests.Wait() // or the request is still counted
}

// TestEveryFailureHasAName goes through what vault and keystore can answer with.
func TestEveryFailureHasAName(t *testing.T) {
	d := newInside(t, io.Discard)
	for err, want := range map[error]ipc.ErrorCode{
		vault.ErrLocked: ipc.CodeLocked, vault.ErrClosed: ipc.CodeLocked, vault.ErrWrongKey: ipc.CodeOrphan, vault.ErrNotFound: ipc.CodeNotFound,
		vault.ErrNothing: ipc.CodeNothing, vault.ErrNewerFormat: ipc.CodeNewerFormat, vault.ErrCorrupt: ipc.CodeCorrupt,
		vault.ErrNotVault: ipc.CodeCorrupt, vault.ErrExists: ipc.CodeInitialized, vault.ErrReadOnly: ipc.CodeReadOnly,
		vault.ErrDiskFull: ipc.CodeDiskFull, vault.ErrInvalid: ipc.CodeInvalid, vault.ErrBusy: ipc.CodeStorage,
		vault.ErrStorage: ipc.CodeStorage, &vault.AmbiguousError{}: ipc.CodeAmbiguous, &vault.NotFoundError{}: ipc.CodeNotFound,
		keystore.ErrUnavailable: ipc.CodeKeystore, keystore.ErrKeyringLocked: ipc.CodeKeystore, keystore.ErrBusy: ipc.CodeKeystore, keystore.ErrFailed: ipc.CodeKeystore,
		keystore.ErrMissing: ipc.CodeOrphan, keystore.ErrDamaged: ipc.CodeOrphan, keystore.ErrExists: ipc.CodeOrphan,
		keystore.ErrUnsafe: ipc.CodeOrphan, keystore.ErrHeader: ipc.CodeCorrupt, keystore.ErrEmptyPassphrase: ipc.CodeInvalid,
		secret.ErrEmpty: ipc.CodeInvalid, fs.ErrPermission: ipc.CodeStorage, fs.ErrNotExist: ipc.CodeStorage,
		context.Canceled: ipc.CodeWaiting,
		ipc.ErrRefused:   ipc.CodeInternal, // no *ipc.Error: nobody gave it a text
	} {
		wire := d.keeper.problemOf(fmt.Errorf("doing: %w", err))
		if wire.Code != want || wire.Message == "" {
			t.Errorf("%v: %+v, want %s", err, wire, want)
		}
	}
	if wire := d.keeper.problemOf(errors.New("JBSWY")); wire.Code != ipc.CodeInternal || strings.Contains(wire.Message, "JBSWY") {
		t.Errorf("an unknown error: %+v", wire)
	}
}

func TestLogTurnsOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "o2fad.log")
	l := openLog(path)
	defer l.Close()
	line := bytes.Repeat([]byte("x"), 1000)
	for range 5 * logSize / len(line) {
		if n, err := l.Write(line); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) != 1+logsKept {
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil || info.Size() > logSize {
			t.Errorf("%s: %d bytes, %v", f, info.Size(), err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", f, info.Mode())
		}
	}
	// A log that cannot be written stops nobody.
	gone := openLog(filepath.Join(t.TempDir(), "no", "such", "dir"))
	if n, err := gone.Write(line); n != len(line) || err != nil || gone.Close() != nil {
		t.Error(n, err)
	}
}

func TestReplacedExecutable(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in executable is a shell script")
	}
	path := filepath.Join(t.TempDir(), "o2fad")
	install := func(release string) {
		t.Helper()
		script := fmt.Sprintf("#!/bin/sh\n[ \"$*\" = 'version --json' ] && echo '{\"release\":\"%s\",\"api\":1}'\n", release)
		if err := os.WriteFile(path+".new", []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	install(o2fa.Version())
	e := thisExecutable()
	e.path = path
	var err error
	if e.judged, err = os.Stat(path); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	replaced := func(after time.Duration) (yes bool) {
		now = now.Add(after)
		e.look(now, func() { yes = true })
		e.wait()
		return yes
	}
	if replaced(2 * checkEvery) {
		t.Error("unchanged")
	}
	for release, want := range map[string]bool{"99.0.0-dev": false, "0.0.1": false, "rubbish": false, "99.0.0": true} {
		install(release)
		if replaced(checkEvery / 2) {
			t.Error("looked twice within a second")
		}
		if got := replaced(checkEvery); got != want {
			t.Errorf("%s: %t", release, got)
		}
		if replaced(2 * checkEvery) {
			t.Error("looked twice at one file")
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if replaced(2 * checkEvery) {
		t.Error("a missing file took over")
	}
}
