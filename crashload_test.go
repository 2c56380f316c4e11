package o2fa_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/ipc"
	"github.com/o2fa/o2fa/totp"
)

// crowd is the clients that keep one daemon busy until it is killed.
type crowd struct {
	ledger *ledger
	place  *place
	killed atomic.Bool   // set before the signal is sent
	first  chan struct{} // closed at the first acknowledged change
	once   sync.Once
	all    sync.WaitGroup
}

// worker is one of them.
type worker struct {
	*crowd
	*client.Client
	rng *rand.Rand
}

// begin starts two that change entries, one that takes codes, one that undoes
// and lists, and one that rewrites secrets.json.
func begin(ctx context.Context, l *ledger, p *place, rng *rand.Rand) *crowd {
	b := &crowd{ledger: l, place: p, first: make(chan struct{})}
	for _, act := range []func(*worker, context.Context) bool{
		(*worker).change, (*worker).change, (*worker).step, (*worker).undoOrList,
	} {
		w := &worker{b, p.client, rand.New(rand.NewPCG(rng.Uint64(), 0))}
		b.all.Go(func() {
			for act(w, ctx) {
			}
		})
	}
	w := &worker{b, p.client, rand.New(rand.NewPCG(rng.Uint64(), 0))}
	b.all.Go(w.rewrites)
	return b
}

// do sends one change. It returns false when the daemon is gone; then op stays
// pending. acknowledged runs under the ledger's lock; errors in tolerated are
// answers, too.
func (w *worker) do(op *operation, send func() error, acknowledged func(), tolerated ...error) bool {
	w.ledger.mu.Lock()
	w.ledger.pending[op] = true
	w.ledger.mu.Unlock()
	err := send()
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	switch {
	case err == nil:
		delete(w.ledger.pending, op)
		w.ledger.changes++
		acknowledged()
		w.once.Do(func() { close(w.first) })
	case errors.Is(err, ipc.ErrUnavailable):
		if !w.killed.Load() {
			w.ledger.complain("the daemon is gone before it was killed: %v", err)
		}
		return false
	default:
		delete(w.ledger.pending, op)
		if !slices.ContainsFunc(tolerated, func(target error) bool { return errors.Is(err, target) }) {
			w.ledger.complain("%s %v: %v", op.kind, op.names, err)
		}
	}
	return true
}

func (w *worker) change(ctx context.Context) bool {
	if w.rng.IntN(3) == 0 {
		return w.remove(ctx)
	}
	return w.add(ctx)
}

// newName returns a name that was never used. Names from the file have a ~.
func (l *ledger) newName(kind string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	return fmt.Sprintf("%s%d", kind, l.next)
}

func (w *worker) add(ctx context.Context) bool {
	a := &account{hotp: w.rng.IntN(4) == 0, shown: map[uint64]bool{}}
	request := ipc.AddRequest{Type: "totp"}
	if a.name = w.ledger.newName("t"); a.hotp {
		a.name, request.Type = w.ledger.newName("h"), "hotp"
	}
	request.Name, request.Secret, request.Digits = a.name, derived(w.ledger.seed, a.name), digitsOf(a.name)
	w.ledger.mu.Lock()
	w.ledger.accounts[a.name] = a
	w.ledger.mu.Unlock()
	var reply ipc.AddReply
	return w.do(&operation{kind: "add", names: []string{a.name}}, func() (err error) {
		reply, err = w.Add(ctx, request)
		return err
	}, func() {
		a.added, a.id = true, reply.Entry.ID
		if reply.Existed || reply.Entry.Name != a.name {
			w.ledger.complain("adding %s: %+v", a.name, reply)
		}
	})
}

// remove deletes one to three entries in one request.
func (w *worker) remove(ctx context.Context) bool {
	w.ledger.mu.Lock()
	list := w.ledger.liveAccounts(false)
	w.rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	list = list[:min(len(list), 1+w.rng.IntN(3))]
	op := &operation{kind: "delete"}
	var request ipc.DeleteRequest
	for _, a := range list {
		a.claimed = true
		op.names, request.IDs = append(op.names, a.name), append(request.IDs, a.id)
	}
	w.ledger.mu.Unlock()
	if len(list) == 0 {
		return w.add(ctx)
	}
	// Not found: an undo has just taken back the adding of one of them.
	going := w.do(op, func() error { _, err := w.Delete(ctx, request); return err },
		func() { w.ledger.confirmDelete(op) }, ipc.ErrNotFound)
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	if going {
		for _, a := range list {
			a.claimed = false
		}
	}
	return going
}

// step takes a code of an hotp entry, which must be the right one and new.
func (w *worker) step(ctx context.Context) bool {
	w.ledger.mu.Lock()
	list := w.ledger.liveAccounts(true)
	w.ledger.mu.Unlock()
	if len(list) == 0 {
		return w.add(ctx)
	}
	a := list[w.rng.IntN(len(list))]
	var code ipc.Code
	return w.do(&operation{kind: "step", names: []string{a.name}}, func() (err error) {
		code, err = w.Code(ctx, a.id, 0)
		return err
	}, func() {
		if code.Counter == nil || a.shown[*code.Counter] || code.Code != hotpCode(w.ledger.seed, a.name, *code.Counter) {
			w.ledger.complain("code of %s: %+v, shown before: %t", a.name, code, code.Counter != nil && a.shown[*code.Counter])
			return
		}
		a.shown[*code.Counter] = true
	}, ipc.ErrNotFound)
}

// hotpCode is what an hotp entry shows at a counter.
func hotpCode(seed uint64, name string, counter uint64) string {
	raw, err := totp.DecodeSecret(derived(seed, name))
	if err != nil {
		return err.Error()
	}
	key, err := totp.NewKey(raw, totp.Options{Digits: digitsOf(name)})
	if err != nil {
		return err.Error()
	}
	return key.HOTP(counter)
}

func (w *worker) undoOrList(ctx context.Context) bool {
	if w.rng.IntN(3) == 0 {
		return w.undo(ctx)
	}
	list, err := w.Entries(ctx, "", false)
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	if errors.Is(err, ipc.ErrUnavailable) {
		return false // do of the others tells whether that was right
	}
	if err != nil && !errors.Is(err, ipc.ErrUninitialized) {
		w.ledger.complain("listing: %v", err)
	}
	for _, e := range list.Entries {
		// What was shown to anybody is as good as acknowledged.
		stem, _, fromFile := strings.Cut(e.Name, "~")
		if row := w.ledger.rows[stem]; fromFile && row != nil {
			row.taken = true
		}
	}
	return true
}

func (w *worker) undo(ctx context.Context) bool {
	var undone ipc.UndoReply
	return w.do(&operation{kind: "undo"}, func() (err error) {
		undone, err = w.Undo(ctx)
		return err
	}, func() { w.ledger.undone(undone) }, ipc.ErrNothing, ipc.ErrUninitialized)
}

// rewrites changes secrets.json a few times, in the ways that programs do.
func (w *worker) rewrites() {
	for range 1 + w.rng.IntN(3) {
		if w.killed.Load() {
			return
		}
		w.ledger.rewrite(w.place.profile.SecretsFile(), w.rng)
		<-time.After(time.Duration(w.rng.IntN(60)) * time.Millisecond)
	}
}

// rewrite adds up to two rows, renames one, drops one, and writes the file: a
// new file renamed over it, or the file itself, in two pieces.
func (l *ledger) rewrite(path string, rng *rand.Rand) {
	fresh := make([]string, rng.IntN(3))
	for i := range fresh {
		fresh[i] = l.newName("f")
	}
	l.mu.Lock()
	if n := len(l.file); n > 3 {
		l.file[rng.IntN(n)].version++
		i := rng.IntN(n)
		l.file = slices.Delete(l.file, i, i+1)
	}
	for _, stem := range fresh {
		row := &fileRow{stem: stem}
		l.rows[stem], l.file = row, append(l.file, row)
	}
	data := secretsJSON(l.seed, l.file)
	l.mu.Unlock()
	if err := writeSecrets(path, data, rng.IntN(2) == 0); err != nil {
		l.mu.Lock()
		l.complain("writing secrets.json: %v", err)
		l.mu.Unlock()
	}
}

func secretsJSON(seed uint64, rows []*fileRow) []byte {
	type row struct {
		Secret string `json:"secret"`
		Name   string `json:"name"`
	}
	list := []row{}
	for _, r := range rows {
		list = append(list, row{derived(seed, r.stem), r.name()})
	}
	data, _ := json.Marshal(map[string][]row{"secrets": list}) // strings marshal
	return data
}

func writeSecrets(path string, data []byte, whole bool) error {
	if whole {
		if err := os.WriteFile(path+".tmp", data, 0o600); err != nil {
			return err
		}
		return os.Rename(path+".tmp", path)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, first := f.Write(data[:len(data)/2])
	pause()
	_, second := f.Write(data[len(data)/2:])
	return errors.Join(first, second, f.Close())
}
