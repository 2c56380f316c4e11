package daemon

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/o2fa/o2fa/daemon/internal/secretsfile"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/ipc"
)

const (
	// sourceSecretsFile marks entries that came from open2fa's secrets.json.
	sourceSecretsFile = "secrets.json"
	// metaRows is the record that remembers the rows last taken.
	metaRows = "secrets-file/rows"
	// metaFile is the record that remembers the file as a whole, see unchanged.
	metaFile = "secrets-file/whole"
	// maxProblems bounds what status lists of bad rows.
	maxProblems = 100
)

// intake keeps open2fa's secrets.json and the vault together, as the mode says:
// the rows are taken into the vault, by their difference to the rows taken last;
// then the file is left as it is, emptied, or brought to be equal. It looks at the
// start, when the file changes, when the vault becomes ready and, in mode mirror,
// when an entry changes; what changes while the vault is locked is remembered as
// "look again", never by content.
type intake struct {
	path   string
	uuid   identity
	keeper *keeper
	log    *slog.Logger
	mode   func() string
	again  chan struct{} // holds one request to look
	begun  chan struct{} // closed after the first look
	stir   func()        // called when a look begins
	took   func(n int)   // called when a look has changed so many entries

	looking sync.Mutex // one look at a time; guards what follows
	recent  recent
	tries   int // writes in a row that another program came in between of

	mu      sync.Mutex // guards what follows
	seen    ipc.SecretsFileStatus
	uuidErr string // why open2fa.uuid was left as it is
	pending bool   // there are rows, and no vault yet to take them into
	failed  bool   // the vault, or the file, could not store the last look
}

// order is what a look does beside the usual.
type order struct {
	create bool // it may make the vault
	accept bool // it takes what a mirror holds, see ipc.SecretsFileRequest
	anew   bool // it begins a mirror anew: nothing counts as removed from either side
}

func newIntake(path string, k *keeper, log *slog.Logger) *intake {
	return &intake{path: path, uuid: identity{filepath.Join(filepath.Dir(path), "open2fa.uuid")}, keeper: k, log: log,
		mode: func() string { return ipc.ModeWatch }, again: make(chan struct{}, 1), begun: make(chan struct{}), stir: func() {}, took: func(int) {},
		seen: ipc.SecretsFileStatus{Path: path, Mode: ipc.ModeWatch}}
}

// run looks until ctx ends. Where the system offers no watching it still looks
// whenever the vault becomes ready, and says so in status.
func (in *intake) run(ctx context.Context) {
	var tasks sync.WaitGroup
	defer tasks.Wait()
	for _, path := range []string{in.path, in.uuid.path} {
		tasks.Go(func() {
			watcher := secretsfile.New(path, secretsfile.Config{})
			if err := watcher.Run(ctx, in.nudge); err != nil && ctx.Err() == nil {
				in.log.Warn("watching secrets file", "error", err.Error())
				in.update(func() { in.seen.Problem = "changes are not noticed: " + err.Error() })
			}
		})
	}
	in.look(ctx, order{})
	close(in.begun)
	for {
		select {
		case <-ctx.Done():
			return
		case <-in.keeper.readied:
			in.keeper.purge(ctx)
		case <-in.again:
		}
		in.look(ctx, order{})
	}
}

// changed is told when an entry has changed: a mirror follows.
func (in *intake) changed() {
	if in.mode() == ipc.ModeMirror {
		in.nudge()
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
		in.look(ctx, order{create: true})
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
