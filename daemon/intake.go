package daemon

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/o2fa/o2fa/daemon/internal/secretsfile"
	"github.com/o2fa/o2fa/daemon/internal/vault"
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
	took   func(n int)   // called when a look has changed so many entries

	looking sync.Mutex // one look at a time

	mu      sync.Mutex // guards what follows
	seen    ipc.SecretsFileStatus
	pending bool // there are rows, and no vault yet to take them into
	failed  bool // the vault could not store the last look
}

func newIntake(path string, k *keeper, log *slog.Logger) *intake {
	return &intake{path: path, keeper: k, log: log, again: make(chan struct{}, 1), begun: make(chan struct{}), stir: func() {}, took: func(int) {},
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
	if err := in.keeper.check(ctx); errors.Is(err, ipc.ErrLocked) || errors.Is(err, ipc.ErrWaiting) {
		in.postpone()
		return
	}
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
		t, err = take(v, file, data, pieceRows)
		return err
	}
	if create && len(file.Rows) > 0 {
		err = in.keeper.change(ctx, "", work)
	} else {
		err = in.keeper.use(ctx, work)
	}
	in.conclude(len(file.Rows)-len(t.refused), append(file.Problems, t.refused...), err)
	if t.changed > 0 {
		in.took(t.changed)
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

// postpone notes that the file is to be read as soon as the vault is open. Until
// then its secrets have no business in memory.
func (in *intake) postpone() {
	_, err := os.Stat(in.path)
	in.update(func() {
		in.seen.Present = err == nil
		in.seen.NeedLook = in.seen.Present
	})
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
