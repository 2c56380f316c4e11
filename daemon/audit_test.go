package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/ipc"
)

// logged returns what the vault has stored.
func logged(t *testing.T, d *Daemon) (events []event) {
	t.Helper()
	err := d.keeper.use(t.Context(), func(v *vault.Vault) error {
		rows, err := v.Log()
		for _, r := range rows {
			events = append(events, readEvent(r))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func askCode(t *testing.T, d *Daemon, name string) {
	t.Helper()
	if _, err := d.postCode(httptest.NewRequestWithContext(t.Context(), "POST", "http://o2fa"+ipc.PathCode+"?name="+name, nil)); err != nil {
		t.Fatal(err)
	}
}

// A code costs no write of the disk: its row waits half a minute, for a change
// that takes it along.
func TestRowsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInside(t, io.Discard)
		addInside(t, d, ipc.AddRequest{Secret: "JBSWY3DPEHPK3PXP", Name: "github"})
		askCode(t, d, "github")
		<-time.After(flushAfter - time.Second)
		synctest.Wait()
		if got := logged(t, d); len(got) != 0 {
			t.Fatalf("%+v", got)
		}
		<-time.After(2 * time.Second)
		synctest.Wait()
		if got := logged(t, d); len(got) != 1 || got[0].What != ipc.LogCode || len(got[0].IDs[0]) != 32 {
			t.Fatalf("%+v", got)
		}
		if d.audit.armed {
			t.Error("a timer runs although nothing waits")
		}
		<-time.After(time.Minute)
		askCode(t, d, "github")
		addInside(t, d, ipc.AddRequest{Secret: "JBSWY3DPEHPK3PXQ", Name: "gitlab"})
		if got := logged(t, d); len(got) != 2 || got[1].What != ipc.LogCode {
			t.Errorf("after a change: %+v", got)
		}
		askCode(t, d, "gitlab")
		d.audit.close()
		if got := logged(t, d); len(got) != 3 {
			t.Errorf("at the end: %+v", got)
		}
	})
}

// What one process asks for again and again is one row a minute; a code by
// counter is one each time.
func TestRepeatsAreOneRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInside(t, io.Discard)
		addInside(t, d, ipc.AddRequest{Secret: "JBSWY3DPEHPK3PXP", Name: "github"})
		addInside(t, d, ipc.AddRequest{Secret: "JBSWY3DPEHPK3PXP", Name: "bank", Type: "hotp"})
		count := func(what string) (n int) {
			d.audit.flush(t.Context())
			for _, e := range logged(t, d) {
				if e.What == what {
					n++
				}
			}
			return n
		}
		for range 10 {
			askCode(t, d, "github")
			if _, err := d.getCodes(httptest.NewRequestWithContext(t.Context(), "GET", "http://o2fa"+ipc.PathCodes, nil)); err != nil {
				t.Fatal(err)
			}
			<-time.After(10 * time.Second)
		}
		if codes, lists := count(ipc.LogCode), count(ipc.LogCodes); codes != 2 || lists != 2 {
			t.Errorf("%d codes, %d lists", codes, lists)
		}
		askCode(t, d, "bank")
		askCode(t, d, "bank")
		if n := count(ipc.LogCode); n != 4 {
			t.Errorf("%d codes", n)
		}
	})
}

// While the vault is locked rows wait, and not without end.
func TestRowsOfALockedVault(t *testing.T) {
	d := newInside(t, io.Discard)
	if err := d.lock(t.Context(), ipc.LockAsked); err != nil {
		t.Fatal(err)
	}
	for range mostWaiting + 5 {
		d.note(t.Context(), event{What: ipc.LogWrong, Detail: "passphrase"})
	}
	d.audit.flush(t.Context())
	if err := d.keeper.unlock(t.Context(), secret.Bytes{}); err != nil {
		t.Fatal(err)
	}
	d.audit.flush(t.Context())
	got := logged(t, d)
	if len(got) != 1+1+mostWaiting || got[0].What != ipc.LogLock || got[0].Detail != "asked" || got[1].What != ipc.LogLost || got[1].Count != 5 || got[2].What != ipc.LogWrong {
		t.Errorf("%d rows: %+v", len(got), got[:3])
	}
	if rows, err := d.audit.peek(); len(rows) != 0 || err != nil {
		t.Errorf("%d rows wait, %v", len(rows), err)
	}
}

// A disk that is full costs the log nothing that can be kept, and is told once.
func TestLogOfAFullDisk(t *testing.T) {
	var log bytes.Buffer
	d := newInside(t, &log)
	full := true
	store := d.audit.store
	d.audit.store = func(ctx context.Context) error {
		if full {
			return fmt.Errorf("writing: %w", vault.ErrDiskFull)
		}
		return store(ctx)
	}
	d.note(t.Context(), event{What: ipc.LogConfig})
	for range 3 {
		d.audit.flush(t.Context())
	}
	if n := strings.Count(log.String(), "storing the log"); n != 1 {
		t.Errorf("told %d times: %s", n, log.String())
	}
	reply, err := d.getLog(httptest.NewRequestWithContext(t.Context(), "GET", "http://o2fa"+ipc.PathLog, nil))
	if l, ok := reply.(ipc.Log); err != nil || !ok || len(l.Rows) != 1 || !strings.HasPrefix(l.Problem, "new rows are not stored: the disk that holds ") {
		t.Errorf("%+v, %v", reply, err)
	}
	full = false
	d.audit.flush(t.Context())
	if rows, err := d.audit.peek(); len(rows) != 0 || err != nil || len(logged(t, d)) != 1 {
		t.Errorf("%d rows wait, %v", len(rows), err)
	}
}

// Clearing takes the rows that wait, too, and brings them back if it fails.
func TestClearingTheLog(t *testing.T) {
	d := newInside(t, io.Discard)
	d.note(t.Context(), event{What: ipc.LogConfig, Detail: "old"})
	undo := d.audit.drop()
	d.note(t.Context(), event{What: ipc.LogConfig, Detail: "new"})
	undo()
	d.audit.flush(t.Context())
	if got := logged(t, d); len(got) != 2 || got[0].Detail != "old" || got[1].Detail != "new" {
		t.Fatalf("%+v", got)
	}
	d.note(t.Context(), event{What: ipc.LogConfig, Detail: "old"})
	if _, err := d.postLogClear(httptest.NewRequestWithContext(t.Context(), "POST", "http://o2fa"+ipc.PathLogClear, http.NoBody)); err != nil {
		t.Fatal(err)
	}
	if got := logged(t, d); len(got) != 1 || got[0].What != ipc.LogCleared {
		t.Errorf("%+v", got)
	}
	if err := d.lock(t.Context(), ipc.LockAsked); err != nil {
		t.Fatal(err)
	}
	if _, err := d.postLogClear(httptest.NewRequestWithContext(t.Context(), "POST", "http://o2fa"+ipc.PathLogClear, http.NoBody)); !errors.Is(err, ipc.ErrLocked) {
		t.Errorf("while locked: %v", err)
	}
}

// Paths and ids are cut to what a row may hold.
func TestRowsAreBounded(t *testing.T) {
	d := newInside(t, io.Discard)
	ids := make([]string, 5000)
	for i := range ids {
		ids[i] = strings.Repeat("a", 32)
	}
	long := strings.Repeat("\x01", 1000) + "directory"
	row := d.audit.row(event{What: ipc.LogDelete, IDs: ids, Exe: long, Parent: long})
	if e := readEvent(row); len(row.Data) > vault.MaxLogRow || len(e.IDs) != maxNoted || e.Count != 5000 || !strings.HasSuffix(e.Exe, "directory") {
		t.Errorf("%d bytes: %.300s", len(row.Data), row.Data)
	}
}
