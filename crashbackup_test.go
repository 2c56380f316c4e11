package o2fa_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/o2fa/o2fa/ipc"
)

// entriesBackingUp make a backup and a restore long enough to be killed in.
const entriesBackingUp = 2000

// crashBackingUp kills daemons that make a backup, remove old ones, or restore
// one: afterwards the vault is the old one or the restored one, whole, and every
// backup that there is verifies. Half of the kills come at a random instant, the
// others as soon as a file has got its name.
func crashBackingUp(t *testing.T, rng *rand.Rand, kills int) {
	p, l := newPlace(t), newLedger(rng.Uint64())
	for range entriesBackingUp {
		row := &fileRow{stem: l.newName("f")}
		l.rows[row.stem], l.file = row, append(l.file, row)
	}
	if err := p.profile.MakeDir(); err != nil {
		t.Fatal(err)
	}
	if err := writeSecrets(p.profile.SecretsFile(), secretsJSON(l.seed, l.file), true); err != nil {
		t.Fatal(err)
	}
	o := p.launch(t)
	p.status(t, o)
	if _, err := p.client.Entries(t.Context(), "", false); err != nil {
		t.Fatal(err)
	}
	if _, err := p.client.Configure(t.Context(), ipc.ConfigRequest{Set: map[string]string{"backups": "3"}}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	made, err := p.client.CreateBackup(t.Context(), ipc.BackupCreateRequest{})
	if err != nil {
		t.Fatal(err)
	}
	whole := time.Since(began)
	outcomes := map[string]int{}
	for n := range kills {
		p.add(t, derived(l.seed, l.newName("t")), l.newName("t")) // so that each backup is another
		before := p.status(t, o).Vault.Entries
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		restores := n%2 == 1
		answered, renamed := make(chan error, 1), p.renamed(t, restores)
		go func() { answered <- p.backupOrRestore(ctx, restores, made.Backup.Path) }()
		most := 2 * whole
		if restores {
			most *= 6 // compares, backs up what is there, verifies, replaces
		}
		if n%4 < 2 {
			<-time.After(time.Duration(rng.Int64N(int64(most))))
		} else {
			for len(answered) == 0 && !renamed() { // without a pause: the answer is near
				runtime.Gosched()
			}
		}
		o.kill()
		err := <-answered
		cancel()
		o = p.launch(t)
		s := p.status(t, o)
		after := s.Vault.Entries
		switch {
		case s.State != ipc.StateReady || after != before && (!restores || after != entriesBackingUp):
			t.Fatalf("state %s (%v), %d entries after %d; log:\n%s", s.State, s.Problem, after, before, p.log())
		case err == nil && restores && after != entriesBackingUp:
			t.Fatal("a restore that was acknowledged is not there")
		case err == nil:
			outcomes["acknowledged"]++
		case renamed():
			outcomes["renamed, and nobody heard"]++
		case after == before:
			outcomes["as it was"]++
		default:
			t.Fatal("the vault is the restored one, and the file is that of before")
		}
		if list, err := p.client.Entries(t.Context(), "", true); err != nil || len(list.Entries) != after {
			t.Fatalf("%d entries open, %v", len(list.Entries), err)
		}
		p.allVerify(t)
		if made, err = p.client.CreateBackup(t.Context(), ipc.BackupCreateRequest{}); err != nil {
			t.Fatal(err)
		}
		if after != entriesBackingUp { // back to the start, so that a restore shows
			p.goBack(t, &made)
		}
	}
	if kills >= killsBackups && outcomes["renamed, and nobody heard"] == 0 {
		t.Error("no kill came between a file's name and the answer")
	}
	settings := filepath.Join(p.profile.Dir, "config.toml") // the test's own
	if left := slices.DeleteFunc(p.leftovers(t), func(path string) bool { return path == settings }); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
	o.stop(t)
	t.Logf("a backup of %d entries takes %v; after %d kills: %v", entriesBackingUp, whole, kills, outcomes)
}

// renamed returns what says whether, since now, a backup has got its name, or
// another file that of the vault.
func (p *place) renamed(t *testing.T, restores bool) func() bool {
	t.Helper()
	newest := func() string {
		list, err := filepath.Glob(filepath.Join(p.profile.Dir, "backups", "2*.backup"))
		if err != nil || len(list) == 0 {
			return ""
		}
		return slices.Max(list)
	}
	vault, err := os.Stat(p.profile.VaultFile())
	if err != nil {
		t.Fatal(err)
	}
	last := newest()
	return func() bool {
		if !restores {
			return newest() != last
		}
		now, err := os.Stat(p.profile.VaultFile())
		return err == nil && !os.SameFile(vault, now)
	}
}

// goBack deletes what was added, for good, and backs that up.
func (p *place) goBack(t *testing.T, made *ipc.BackupCreated) {
	t.Helper()
	list, err := p.client.Entries(t.Context(), "", false)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, e := range list.Entries {
		if e.Source == "added" {
			ids = append(ids, e.ID)
		}
	}
	if _, err := p.client.Delete(t.Context(), ipc.DeleteRequest{IDs: ids}); err != nil {
		t.Fatal(err)
	}
	if *made, err = p.client.CreateBackup(t.Context(), ipc.BackupCreateRequest{}); err != nil {
		t.Fatal(err)
	}
}

// backupOrRestore makes a backup, or restores one.
func (p *place) backupOrRestore(ctx context.Context, restores bool, path string) error {
	if !restores {
		_, err := p.client.CreateBackup(ctx, ipc.BackupCreateRequest{})
		return err
	}
	named := ipc.BackupRequest{Path: path}
	plan, err := p.client.CompareBackup(ctx, named)
	if err != nil {
		return err
	}
	_, err = p.client.RestoreBackup(ctx, ipc.BackupRestoreRequest{BackupRequest: named, Seen: plan.Seen})
	return err
}

// allVerify wants every backup that there is to be good, and one to be there.
func (p *place) allVerify(t *testing.T) {
	t.Helper()
	reply, err := p.client.VerifyBackup(t.Context(), ipc.BackupVerifyRequest{All: true})
	if err != nil || len(reply.Backups) == 0 || len(reply.Backups) > 4 {
		t.Fatalf("%d backups, %v", len(reply.Backups), err)
	}
	for _, b := range reply.Backups {
		if b.Problem != nil || !b.Sealed {
			t.Errorf("%s: %v", b.Name, b.Problem)
		}
	}
}
