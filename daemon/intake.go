package daemon

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
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
	// metaFile is the record that remembers the file as a whole, see unchanged.
	metaFile = "secrets-file/whole"
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
	begun  chan struct{} // closed after the first look
	stir   func()        // called when a look begins

	looking sync.Mutex // one look at a time

	mu      sync.Mutex // guards what follows
	seen    ipc.SecretsFileStatus
	pending bool // there are rows, and no vault yet to take them into
	failed  bool // the vault could not store the last look
}

func newIntake(path string, k *keeper, log *slog.Logger) *intake {
	return &intake{path: path, keeper: k, log: log, again: make(chan struct{}, 1), begun: make(chan struct{}), stir: func() {},
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
			in.update(func() { in.seen.Problem = "changes are not noticed: " + err.Error() })
		}
	})
	in.look(ctx, false)
	close(in.begun)
	for {
		select {
		case <-ctx.Done():
			return
		case <-in.keeper.readied:
			in.keeper.purge(ctx)
		case <-in.again:
		}
		in.look(ctx, false)
	}
}

// nudge asks for a look and returns at once.
func (in *intake) nudge() {
	select {
	case in.again <- struct{}{}:
	default:
	}
}

// retry asks for a look if the vault could not store the last one, for want of
// space perhaps. It is called after a change that worked: so may a look by now.
func (in *intake) retry() {
	in.mu.Lock()
	failed := in.failed
	in.mu.Unlock()
	if failed {
		in.nudge()
	}
}

// first takes the file in where it waits for a vault to be made: asking for
// entries is what makes one, not a status.
func (in *intake) first(ctx context.Context) {
	in.mu.Lock()
	pending := in.pending
	in.mu.Unlock()
	if pending {
		in.look(ctx, true)
	}
}

// report returns what was last seen.
func (in *intake) report() *ipc.SecretsFileStatus {
	in.mu.Lock()
	defer in.mu.Unlock()
	s := in.seen
	return &s
}

func (in *intake) update(f func()) {
	in.mu.Lock()
	defer in.mu.Unlock()
	f()
}

// look reads the file and takes in what is new; create says whether it may make
// the vault for it.
func (in *intake) look(ctx context.Context, create bool) {
	in.looking.Lock()
	defer in.looking.Unlock()
	in.stir()
	data, err := secretsfile.Read(in.path)
	defer clear(data)
	if err != nil {
		in.refuse(err)
		return
	}
	if rows, same := in.unchanged(ctx, data); same {
		in.conclude(rows, nil, nil)
		return
	}
	file, err := secretsfile.Parse(data)
	defer file.Wipe()
	if err != nil {
		in.refuse(fmt.Errorf("reading secrets file: %w", err))
		return
	}
	var t taking
	work := func(v *vault.Vault) (err error) {
		t, err = take(v, file, data)
		return err
	}
	if create && len(file.Rows) > 0 {
		err = in.keeper.change(ctx, "", work)
	} else {
		err = in.keeper.use(ctx, work)
	}
	in.conclude(len(file.Rows)-len(t.refused), append(file.Problems, t.refused...), err)
	if t.changed > 0 {
		in.log.Info("took secrets file in", "changed", t.changed, "rows", len(file.Rows), "rejected", len(file.Problems))
	}
}

// unchanged says whether the file is, byte by byte, the one that was last taken
// with all its rows, and how many they are. Then no secret in it needs to be
// decoded, and a start with 100,000 rows does not wait for them.
func (in *intake) unchanged(ctx context.Context, data []byte) (rows int, same bool) {
	err := in.keeper.use(ctx, func(v *vault.Vault) error {
		record, err := v.Meta(metaFile)
		if err != nil || len(record) != fileSize {
			return err
		}
		rows = int(binary.BigEndian.Uint64(record))
		same = bytes.Equal(record, fileRecord(v, data, rows))
		return nil
	})
	return rows, err == nil && same
}

// refuse notes a file that is not there or cannot be used as a whole. Neither
// changes anything in the vault.
func (in *intake) refuse(err error) {
	in.update(func() {
		s := &in.seen
		s.Present, s.Rows, s.Rejected, s.NeedLook, s.Problem = false, 0, nil, false, ""
		in.pending, in.failed = false, false
		if !errors.Is(err, fs.ErrNotExist) {
			s.Present, s.Problem = true, err.Error()
			in.log.Warn("reading secrets file", "error", err.Error())
		}
	})
}

// conclude notes how a look at a good file ended.
func (in *intake) conclude(rows int, problems []secretsfile.Problem, err error) {
	in.update(func() {
		s := &in.seen
		s.Present, s.Rows, s.Problem, s.NeedLook = true, rows, "", false
		in.pending, in.failed = false, false
		s.Rejected = make([]ipc.RowProblem, 0, min(len(problems), maxProblems))
		for _, p := range problems[:min(len(problems), maxProblems)] {
			s.Rejected = append(s.Rejected, ipc.RowProblem{Position: p.Position, Reason: p.Reason})
		}
		if err == nil {
			s.TakenAt = in.keeper.now().UTC().Format(time.RFC3339)
			return
		}
		switch wire := in.keeper.problemOf(err); wire.Code {
		case ipc.CodeLocked, ipc.CodeWaiting:
			s.NeedLook = true
		case ipc.CodeUninitialized, ipc.CodeKeystore:
			in.pending, s.Problem = true, "there is no vault yet to take it into"
		default:
			in.keeper.report(err)
			in.log.Warn("taking secrets file in", "error", err.Error())
			in.failed, s.Problem = true, wire.Message
		}
	})
}

// taking is what became of the rows.
type taking struct {
	changed int                   // entries added or renamed
	refused []secretsfile.Problem // rows that the vault refused
}

// take brings the vault up to date with the rows of the file that is data, in one
// change. Rows that left the file are only forgotten: in watch mode the file
// takes nothing away.
func take(v *vault.Vault, file secretsfile.File, data []byte) (taking, error) {
	rows := file.Rows
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
	record, err := v.Meta(metaRows)
	if err != nil {
		return taking{}, err
	}
	last := parseRows(record)
	c := secretsfile.Diff(last, now)
	if len(c.Add)+len(c.Rename)+len(c.Gone) == 0 {
		return taking{}, nil
	}
	// The rows last taken cannot change between the look above and the change
	// below: looks are made one at a time, and nobody else writes that record.
	var done applied
	err = v.Update(opSecretsFile, func(tx *vault.Tx) error {
		done = applied{tx: tx, rows: rows, now: now, last: last}
		if err := done.apply(c); err != nil {
			return err
		}
		if bytes.Equal(done.record, record) {
			return nil // rows that are refused again and again cost no write
		}
		var whole []byte
		if len(file.Problems)+len(done.refused) == 0 {
			whole = fileRecord(v, data, len(rows))
		}
		return errors.Join(tx.PutMeta(metaRows, done.record), tx.PutMeta(metaFile, whole))
	})
	if err != nil {
		return taking{}, err
	}
	return done.taking, nil
}

// applied is the work of one change.
type applied struct {
	taking
	tx     *vault.Tx
	rows   []secretsfile.Row
	now    []secretsfile.Fingerprinted
	last   []secretsfile.Seen
	record []byte // the rows as taken now, see seenSize
}

// apply makes the changes and remembers which row is which entry. A new row
// that the vault refuses is left out, and tried again at the next look; a
// rename that it refuses leaves the row as it was last taken.
func (a *applied) apply(c secretsfile.Changes) error {
	for _, pair := range c.Keep {
		a.remember(a.now[pair.Row].Secret, a.now[pair.Row].Name, pair.Entry)
	}
	for _, pair := range c.Rename {
		id, err := rename(a.tx, pair.Entry, a.rows[pair.Row])
		if ok, err := a.settle(pair.Row, err); err != nil {
			return err
		} else if !ok {
			i := slices.IndexFunc(a.last, func(s secretsfile.Seen) bool { return s.Entry == pair.Entry })
			a.remember(a.last[i].Secret, a.last[i].Name, pair.Entry)
			continue
		}
		a.changed++
		a.remember(a.now[pair.Row].Secret, a.now[pair.Row].Name, id)
	}
	for _, row := range c.Add {
		id, existed, err := a.tx.Add(rowEntry(a.rows[row]))
		if ok, err := a.settle(row, err); err != nil {
			return err
		} else if !ok {
			continue
		}
		if !existed {
			a.changed++
		}
		a.remember(a.now[row].Secret, a.now[row].Name, id)
	}
	return nil
}

// settle tells a row that the vault took from one that it refused, and both
// from a failure.
func (a *applied) settle(row int, err error) (ok bool, failure error) {
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, vault.ErrInvalid):
		a.refused = append(a.refused, secretsfile.Problem{Position: a.rows[row].Position, Reason: err.Error()})
		return false, nil
	}
	return false, fmt.Errorf("taking row %d: %w", a.rows[row].Position, err)
}

func (a *applied) remember(secret, name secretsfile.Fingerprint, entry vault.ID) {
	a.record = append(a.record, secret[:]...)
	a.record = append(a.record, name[:]...)
	a.record = append(a.record, entry[:]...)
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
	defer e.Secret.Wipe()
	e.Name = rowName(row)
	if err := e.Valid(); err != nil {
		return id, err
	}
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

// fileSize is the record metaFile: the number of rows, then the keyed
// fingerprint of the file.
const fileSize = 8 + 16

func fileRecord(v *vault.Vault, data []byte, rows int) []byte {
	sum := v.Fingerprint("secrets-file/whole", data)
	return append(binary.BigEndian.AppendUint64(nil, uint64(rows)), sum[:]...)
}

func parseRows(record []byte) []secretsfile.Seen {
	seen := make([]secretsfile.Seen, 0, len(record)/seenSize)
	for ; len(record) >= seenSize; record = record[seenSize:] {
		seen = append(seen, secretsfile.Seen{
			Secret: [16]byte(record[:16]), Name: [16]byte(record[16:32]), Entry: [16]byte(record[32:48]),
		})
	}
	return seen
}

// countInFile returns how many of the entries the file was last seen to hold.
func countInFile(tx *vault.Tx, ids []vault.ID) (int, error) {
	record, err := tx.Meta(metaRows)
	if err != nil {
		return 0, err
	}
	held := map[vault.ID]bool{}
	for _, s := range parseRows(record) {
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
