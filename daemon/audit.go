package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/ipc"
)

const (
	// flushAfter is how long a row waits for a change of the vault that takes it
	// along; after that it gets one of its own.
	flushAfter = 30 * time.Second
	// flushPatience bounds one flush, as far as it waits for the vault.
	flushPatience = 5 * time.Second
	// lockPatience is how long a lock waits for a flush.
	lockPatience = time.Second
	// manyWaiting is how many rows wait before they are flushed early, and
	// mostWaiting how many at all, while the vault is locked or its disk full.
	manyWaiting, mostWaiting = 500, 1000
	// repeatAfter is how long the same process may ask for the same without
	// another row.
	repeatAfter = time.Minute
	// maxNoted bounds the ids in one row, maxPath an executable's path.
	maxNoted, maxPath = 20, 256
)

// event is what is noted.
type event struct {
	What   string   `json:"what"` // one of ipc.Log…
	IDs    []string `json:"ids,omitempty"`
	Count  int      `json:"count,omitempty"`
	Detail string   `json:"detail,omitempty"` // no text that a request brought

	PID     int    `json:"pid,omitempty"`
	Started int64  `json:"started,omitempty"` // Unix seconds
	Exe     string `json:"exe,omitempty"`
	Parent  string `json:"parent,omitempty"`
}

// audit is the log of who asked for what. Its rows wait in memory until a change
// of the vault takes them along, since a disk that is synced for each code would
// make codes slow. A timer runs only while rows wait. What a kill takes away is
// the rows of the last half minute.
type audit struct {
	on    func() bool
	now   func() time.Time
	store func(context.Context) error // stores what waits
	log   *slog.Logger

	storing sync.Mutex // one flush at a time

	mu      sync.Mutex // guards what follows
	rows    []vault.LogRow
	before  int // rows that were stored or dropped before the first of rows
	lost    int // rows dropped since the last that was stored
	repeats map[repeat]time.Time
	timer   *time.Timer // runs while armed
	armed   bool
	closed  bool
	wasOn   bool  // at the last look
	failed  error // why the last flush stored nothing
}

// repeat is the same question of the same process.
type repeat struct {
	what, id     string
	pid, started int64
}

func newAudit(on func() bool, store func(context.Context) error, now func() time.Time) *audit {
	return &audit{on: on, store: store, now: now, log: slog.New(slog.DiscardHandler), repeats: map[repeat]time.Time{}, wasOn: true}
}

// note adds a row, unless nothing is to be noted.
func (a *audit) note(e event) {
	if a.on() {
		a.add(e)
	}
}

// noteOnce is note for what a program may ask again and again.
func (a *audit) noteOnce(e event) {
	if !a.on() || a.repeated(e) {
		return
	}
	a.add(e)
}

// repeated says whether a question was noted a moment ago.
func (a *audit) repeated(e event) bool {
	r := repeat{what: e.What, pid: int64(e.PID), started: e.Started}
	if len(e.IDs) > 0 {
		r.id = e.IDs[0]
	}
	now := a.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if at, ok := a.repeats[r]; ok && now.Sub(at).Abs() < repeatAfter {
		return true
	}
	if len(a.repeats) >= mostWaiting {
		clear(a.repeats)
	}
	a.repeats[r] = now
	return false
}

// turned notes that the log was turned on or off, if it was.
func (a *audit) turned(on bool) {
	a.mu.Lock()
	same := a.wasOn == on
	a.wasOn = on
	a.mu.Unlock()
	switch {
	case same:
	case on:
		a.add(event{What: ipc.LogOn})
	default:
		a.add(event{What: ipc.LogOff})
	}
}

// add is note whatever the configuration says.
func (a *audit) add(e event) {
	row := a.row(e)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.rows) >= mostWaiting {
		a.rows = slices.Delete(a.rows, 0, 1)
		a.before++
		a.lost++
	}
	a.rows = append(a.rows, row)
	switch {
	case a.closed:
	case len(a.rows) == manyWaiting:
		a.arm(0)
	case !a.armed:
		a.arm(flushAfter)
	}
}

// row is an event as it is stored.
func (a *audit) row(e event) vault.LogRow {
	if len(e.IDs) > maxNoted {
		e.Count, e.IDs = len(e.IDs), e.IDs[:maxNoted]
	}
	e.Exe, e.Parent = cutPath(e.Exe), cutPath(e.Parent)
	data, _ := json.Marshal(e) // nothing in it can fail
	return vault.LogRow{At: a.now().UnixMilli(), Data: data}
}

// cutPath keeps the end of a long path, where its name is.
func cutPath(path string) string {
	if len(path) > maxPath {
		return "…" + path[len(path)-maxPath:]
	}
	return path
}

// arm has the rows flushed after some time; the caller holds mu.
func (a *audit) arm(after time.Duration) {
	if a.timer != nil {
		a.timer.Stop()
	}
	a.timer, a.armed = time.AfterFunc(after, a.tick), true
}

func (a *audit) tick() {
	a.mu.Lock()
	a.armed = false
	closed := a.closed
	a.mu.Unlock()
	if !closed {
		a.flush(context.Background())
	}
}

// flush stores the rows that wait, if there are any and it can be done. Where it
// cannot, the next row brings the next try.
func (a *audit) flush(ctx context.Context) {
	a.storing.Lock()
	defer a.storing.Unlock()
	a.mu.Lock()
	idle, was := len(a.rows) == 0, a.failed
	a.mu.Unlock()
	if idle {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, flushPatience)
	defer cancel()
	err := a.store(ctx)
	if isShut(err) {
		err = nil // they wait for the vault
	}
	a.mu.Lock()
	a.failed = err
	a.mu.Unlock()
	if err != nil && was == nil {
		a.log.Warn("storing the log of requests", "error", err.Error())
	}
}

// isShut says whether err means that there is no open vault at the moment.
func isShut(err error) bool {
	return errors.Is(err, ipc.ErrLocked) || errors.Is(err, ipc.ErrWaiting) || errors.Is(err, ipc.ErrUninitialized) || errors.Is(err, vault.ErrLocked)
}

// waiting is the vault's way to the rows: see vault.Waiting.
func (a *audit) waiting() (rows []vault.LogRow, stored func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	rows, lost, end := a.pending(), a.lost, a.before+len(a.rows)
	return rows, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.rows = slices.Delete(a.rows, 0, max(0, end-a.before))
		a.before, a.lost, a.failed = max(end, a.before), a.lost-lost, nil
		if len(a.rows) == 0 && a.armed {
			a.timer.Stop()
			a.armed = false
		}
	}
}

// pending returns the rows that wait, and what tells of those that do not any
// more; the caller holds mu.
func (a *audit) pending() []vault.LogRow {
	rows := slices.Clone(a.rows)
	if a.lost > 0 && len(rows) > 0 {
		lost := a.row(event{What: ipc.LogLost, Count: a.lost})
		lost.At = rows[0].At
		rows = slices.Insert(rows, 0, lost)
	}
	return rows
}

// peek returns the rows that wait, and why they could not be stored if that was
// tried.
func (a *audit) peek() ([]vault.LogRow, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pending(), a.failed
}

// drop forgets the rows that wait; undo brings them back, before what came since.
func (a *audit) drop() (undo func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	rows, lost := a.rows, a.lost
	a.rows, a.lost, a.before = nil, 0, a.before+len(rows)
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.rows, a.lost, a.before = append(rows, a.rows...), a.lost+lost, a.before-len(rows)
	}
}

// close stores what waits, for the last time.
func (a *audit) close() {
	a.mu.Lock()
	a.closed = true
	if a.timer != nil {
		a.timer.Stop()
	}
	a.mu.Unlock()
	a.flush(context.Background())
}

// flushBriefly is flush for those who must not wait for a slow disk.
func (a *audit) flushBriefly(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.flush(context.WithoutCancel(ctx))
	}()
	select {
	case <-done:
	case <-time.After(lockPatience):
		a.log.Warn("storing the log of requests takes too long: it is left behind")
	}
}
