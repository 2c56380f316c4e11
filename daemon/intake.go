package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/o2fa/o2fa/daemon/internal/secretsfile"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/secret"
	"github.com/o2fa/o2fa/ipc"
)

const (
	// modeWatch takes new and changed rows in and never writes the file.
	modeWatch = "watch"
	// sourceSecretsFile marks entries that came from open2fa's secrets.json.
	sourceSecretsFile = "secrets.json"
	// metaRows is the record that remembers the rows last taken.
	metaRows = "secrets-file/rows"
	// maxProblems bounds what status lists of bad rows.
	maxProblems = 100
)

// intake takes the rows of secrets.json into the vault, by their difference to
// the rows taken last. It looks at the start, when the file changes and when the
// vault becomes ready; what changes while the vault is locked is remembered as
// "look again", never by content.
type intake struct {
	path   string
	keeper *keeper
	log    *slog.Logger
	again  chan struct{} // holds one request to look

	// begun is closed once a start has come as far as it can by itself: the file
	// was looked at, or a person is being asked. The first request of a user
	// with a secrets.json shall find what is in it.
	begun chan struct{}
	begin func()

	looking sync.Mutex // one look at a time

	mu   sync.Mutex // guards seen
	seen ipc.SecretsFileStatus
}

func newIntake(path string, k *keeper, log *slog.Logger) *intake {
	begun := make(chan struct{})
	return &intake{path: path, keeper: k, log: log, again: make(chan struct{}, 1),
		begun: begun, begin: sync.OnceFunc(func() { close(begun) }),
		seen: ipc.SecretsFileStatus{Path: path, Mode: modeWatch}}
}

// run looks until ctx ends. Where the system offers no watching it still looks
// whenever the vault becomes ready, and says so in status.
func (in *intake) run(ctx context.Context) {
	var tasks sync.WaitGroup
	defer tasks.Wait()
	tasks.Go(func() {
		watcher := secretsfile.New(in.path, secretsfile.Config{})
		if err := watcher.Run(ctx, in.nudge); err != nil && ctx.Err() == nil {
			in.log.Warn("watching secrets file", "error", err.Error())
			in.update(func(s *ipc.SecretsFileStatus) { s.Problem = "changes are not noticed: " + err.Error() })
		}
	})
	in.look(ctx)
	in.begin()
	for {
		select {
		case <-ctx.Done():
			return
		case <-in.again:
			in.look(ctx)
		}
	}
}

// nudge asks for a look and returns at once.
func (in *intake) nudge() {
	select {
	case in.again <- struct{}{}:
	default:
	}
}

// retry asks for a look if the last one met a failure of the vault, such as a
// full disk. It is called after a change that worked: so may a look by now.
func (in *intake) retry() {
	if s := in.report(); s.NeedLook && s.Problem != "" {
		in.nudge()
	}
}

// report returns what was last seen.
func (in *intake) report() *ipc.SecretsFileStatus {
	in.mu.Lock()
	defer in.mu.Unlock()
	s := in.seen
	return &s
}

func (in *intake) update(f func(*ipc.SecretsFileStatus)) {
	in.mu.Lock()
	defer in.mu.Unlock()
	f(&in.seen)
}

// look reads the file and takes in what is new. It returns the number of
// entries that were added or renamed.
func (in *intake) look(ctx context.Context) int {
	in.looking.Lock()
	defer in.looking.Unlock()
	file, err := secretsfile.Read(in.path)
	defer file.Wipe()
	if err != nil {
		in.refuse(err)
		return 0
	}
	var taken int
	use := in.keeper.use
	if len(file.Rows) > 0 {
		use = func(ctx context.Context, f func(*vault.Vault) error) error { return in.keeper.change(ctx, "", f) }
	}
	err = use(ctx, func(v *vault.Vault) (err error) {
		var refused []secretsfile.Problem
		taken, refused, err = take(v, file.Rows)
		file.Problems = append(file.Problems, refused...)
		return err
	})
	in.conclude(file, err)
	if taken > 0 {
		in.log.Info("took secrets file in", "changed", taken, "rows", len(file.Rows), "rejected", len(file.Problems))
	}
	return taken
}

// refuse notes a file that is not there or cannot be used as a whole. Neither
// changes anything in the vault.
func (in *intake) refuse(err error) {
	in.update(func(s *ipc.SecretsFileStatus) {
		s.Present, s.Rows, s.Rejected, s.NeedLook, s.Problem = false, 0, nil, false, ""
		if !errors.Is(err, fs.ErrNotExist) {
			s.Present, s.Problem = true, err.Error()
			in.log.Warn("reading secrets file", "error", err.Error())
		}
	})
}

// conclude notes how a look ended.
func (in *intake) conclude(file secretsfile.File, err error) {
	in.update(func(s *ipc.SecretsFileStatus) {
		s.Present, s.Rows, s.Problem, s.NeedLook = true, len(file.Rows), "", false

		s.Rejected = make([]ipc.RowProblem, 0, min(len(file.Problems), maxProblems))
		for _, p := range file.Problems[:min(len(file.Problems), maxProblems)] {
			s.Rejected = append(s.Rejected, ipc.RowProblem{Position: p.Position, Reason: p.Reason})
		}
		wire := in.keeper.problemOf(err)
		switch {
		case err == nil:
			s.TakenAt = in.keeper.now().UTC().Format(time.RFC3339)
		case wire.Code == ipc.CodeLocked || wire.Code == ipc.CodeWaiting || wire.Code == ipc.CodeUninitialized:
			s.NeedLook = true
		default:
			in.keeper.report(err)
			in.log.Warn("taking secrets file in", "error", err.Error())
			s.Problem, s.NeedLook = wire.Message, true
		}
	})
}

// take brings the vault up to date with the rows, in one change, and returns how
// many entries it added or renamed, and the rows that the vault refused. Rows
// that left the file are only forgotten: in watch mode the file takes nothing
// away.
func take(v *vault.Vault, rows []secretsfile.Row) (changed int, problems []secretsfile.Problem, err error) {
	now := make([]secretsfile.Fingerprinted, len(rows))
	for i, row := range rows {
		now[i] = secretsfile.Fingerprinted{Row: i}
		now[i].Secret = v.Fingerprint("secrets-file/secret", row.Secret.Reveal())
		if row.Name == nil {
			now[i].Name = v.Fingerprint("secrets-file/no-name", nil)
		} else {
			now[i].Name = v.Fingerprint("secrets-file/name", []byte(*row.Name))
		}
	}
	last, err := lastTaken(v)
	if err != nil {
		return 0, nil, err
	}
	c := secretsfile.Diff(last, now)
	if len(c.Add)+len(c.Rename)+len(c.Gone) == 0 {
		return 0, nil, nil
	}
	// The rows last taken cannot change between the look above and the change
	// below: looks are made one at a time, and nobody else writes that record.
	err = v.Update(opSecretsFile, func(tx *vault.Tx) (err error) {
		changed, problems, err = apply(tx, c, rows, now)
		return err
	})
	return changed, problems, err
}

// apply makes the changes and stores which row is which entry. A row that the
// vault refuses is left out of that record, and so tried again at the next look.
func apply(tx *vault.Tx, c secretsfile.Changes, rows []secretsfile.Row, now []secretsfile.Fingerprinted) (changed int, problems []secretsfile.Problem, err error) {
	entry := make([]vault.ID, len(rows))
	for _, pair := range c.Keep {
		entry[pair.Row] = pair.Entry
	}
	settle := func(i int, id vault.ID, unchanged bool, err error) error {
		switch {
		case errors.Is(err, vault.ErrInvalid):
			problems = append(problems, secretsfile.Problem{Position: rows[i].Position, Reason: err.Error()})
			return nil
		case err != nil:
			return fmt.Errorf("taking row %d: %w", rows[i].Position, err)
		case !unchanged:
			changed++
		}
		entry[i] = id
		return nil
	}
	for _, pair := range c.Rename {
		id, err := rename(tx, pair.Entry, rows[pair.Row])
		if err := settle(pair.Row, id, false, err); err != nil {
			return 0, nil, err
		}
	}
	for _, i := range c.Add {
		id, existed, err := tx.Add(rowEntry(rows[i]))
		if err := settle(i, id, existed, err); err != nil {
			return 0, nil, err
		}
	}
	record := make([]byte, 0, len(rows)*seenSize)
	for i, n := range now {
		if entry[i] == (vault.ID{}) {
			continue
		}
		record = append(record, n.Secret[:]...)
		record = append(record, n.Name[:]...)
		record = append(record, entry[i][:]...)
	}
	return changed, problems, tx.PutMeta(metaRows, record)
}

// rename gives the entry of a known secret the row's new name. An entry that
// was deleted meanwhile comes back: its line in the file has changed.
func rename(tx *vault.Tx, id vault.ID, row secretsfile.Row) (vault.ID, error) {
	e, err := tx.Get(id)
	if errors.Is(err, vault.ErrNotFound) {
		id, _, err := tx.Add(rowEntry(row))
		return id, err
	}
	if err != nil {
		return id, err
	}
	e.Secret.Wipe()
	if e.Trashed != 0 {
		if err := tx.Restore(id); err != nil {
			return id, err
		}
	}
	return id, tx.Edit(id, func(e *vault.Entry) error {
		e.Name = rowName(row)
		return nil
	})
}

// rowEntry is a row as an entry: open2fa knows SHA-1, six digits and 30 seconds.
func rowEntry(row secretsfile.Row) vault.Entry {
	return vault.Entry{Type: "totp", Name: rowName(row), Algorithm: "SHA1", Digits: 6, Period: 30,
		Secret: secret.Copy(row.Secret.Reveal()), Source: sourceSecretsFile}
}

func rowName(row secretsfile.Row) string {
	if row.Name == nil {
		return ""
	}
	return *row.Name
}

// seenSize is one row in the record metaRows: the keyed fingerprints of secret
// and name, and the entry's id, 16 bytes each.
const seenSize = 48

// metaReader is what reads a sealed record: the vault, or a transaction.
type metaReader interface {
	Meta(key string) ([]byte, error)
}

func lastTaken(r metaReader) ([]secretsfile.Seen, error) {
	record, err := r.Meta(metaRows)
	if err != nil {
		return nil, err
	}
	seen := make([]secretsfile.Seen, 0, len(record)/seenSize)
	for ; len(record) >= seenSize; record = record[seenSize:] {
		seen = append(seen, secretsfile.Seen{
			Secret: [16]byte(record[:16]), Name: [16]byte(record[16:32]), Entry: [16]byte(record[32:48]),
		})
	}
	return seen, nil
}

// countInFile returns how many of the entries the file was last seen to hold.
func countInFile(r metaReader, ids []vault.ID) (int, error) {
	seen, err := lastTaken(r)
	if err != nil {
		return 0, err
	}
	held := make(map[vault.ID]bool, len(seen))
	for _, s := range seen {
		held[s.Entry] = true
	}
	var n int
	for _, id := range ids {
		if held[id] {
			n++
		}
	}
	return n, nil
}
