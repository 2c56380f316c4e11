package o2fa_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/o2fa/o2fa/ipc"
)

// ledger is what the clients of a daemon know for certain: what was
// acknowledged, and what was asked for without an answer. Every name is used
// once, so what has happened to an entry can be counted without knowing in
// which order.
type ledger struct {
	seed uint64

	mu       sync.Mutex // guards what follows
	next     int        // number of the next name
	accounts map[string]*account
	rows     map[string]*fileRow // by stem
	file     []*fileRow          // secrets.json as it is
	pending  map[*operation]bool // asked for, not answered
	deletes  []*operation        // acknowledged
	changes  int                 // acknowledged
	wrong    []string            // what must never happen, and did
}

// account is an entry that came through the API.
type account struct {
	name     string
	id       string
	hotp     bool
	added    bool // for certain
	deleted  int  // how often
	restored int  // by undo
	revoked  bool // its adding was undone, for good
	claimed  bool // a delete is on its way
	shown    map[uint64]bool
}

func (a *account) live() bool { return a.added && !a.revoked && a.deleted == a.restored }

// fileRow is a row that is, or was, in secrets.json. Its secret follows from
// its stem, its name from stem and version.
type fileRow struct {
	stem    string
	version int
	taken   bool // seen in the vault
	loose   bool // an undo has touched it: live or not, under any of its names
}

func (r *fileRow) name() string { return fmt.Sprintf("%s~%d", r.stem, r.version) }

// hadVersion reports whether the row's name ever ended in that version.
func (r *fileRow) hadVersion(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n >= 0 && n <= r.version
}

// operation is one request that changes something.
type operation struct {
	kind   string // add, delete, undo, step
	names  []string
	undone bool // for delete: an acknowledged undo took it back
}

func newLedger(seed uint64) *ledger {
	return &ledger{seed: seed, accounts: map[string]*account{}, rows: map[string]*fileRow{}, pending: map[*operation]bool{}}
}

func (l *ledger) complain(format string, args ...any) {
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}

// unanswered returns the pending operations of one kind.
func (l *ledger) unanswered(kind string) (ops []*operation) {
	for op := range l.pending {
		if op.kind == kind {
			ops = append(ops, op)
		}
	}
	return ops
}

// undone notes an acknowledged undo.
func (l *ledger) undone(u ipc.UndoReply) {
	if u.Count != len(u.Names) {
		l.complain("undo of %s touched %d entries and names %d", u.Undone, u.Count, len(u.Names))
	}
	for _, name := range u.Names {
		stem, _, _ := strings.Cut(name, "~")
		a, row := l.accounts[name], l.rows[stem]
		switch {
		case u.Undone == "secrets-file" && row != nil:
			row.loose = true
		case u.Undone == "add" && a != nil:
			a.revoked = true
		case u.Undone == "delete" && a != nil:
			a.restored++
		default:
			l.complain("undo of %s names %s", u.Undone, name)
		}
	}
	if u.Undone == "delete" {
		if op := l.deletion(u.Names); op != nil {
			op.undone = true
		} else {
			l.complain("undo takes back a delete of %v that nobody asked for", u.Names)
		}
	}
}

// deletion returns the last delete of exactly these names that stands, also one
// without an answer.
func (l *ledger) deletion(names []string) *operation {
	names = slices.Sorted(slices.Values(names))
	for _, op := range slices.Backward(append(slices.Clone(l.deletes), l.unanswered("delete")...)) {
		if !op.undone && slices.Equal(slices.Sorted(slices.Values(op.names)), names) {
			return op
		}
	}
	return nil
}

// reconcile compares what a restarted daemon holds with what is known, and
// takes over what the unanswered requests left open. All that it holds against
// the daemon is in l.wrong.
func (l *ledger) reconcile(now map[string]ipc.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range now {
		l.check(e)
	}
	for _, op := range l.unanswered("delete") {
		if op.undone { // so it was carried out before
			l.confirmDelete(op)
			delete(l.pending, op)
		}
	}
	for _, op := range l.unanswered("add") {
		a := l.accounts[op.names[0]]
		_, there := now[a.name]
		switch {
		case there:
			a.added, a.id = true, now[a.name].ID
		case a.revoked:
			a.added = true
		default: // it was never added, or it was and the unanswered undo took it back
			delete(l.accounts, a.name)
		}
	}
	for _, op := range l.unanswered("delete") {
		l.settleDelete(op, now)
	}
	l.settleUndo(l.flipped(now), len(l.unanswered("undo")))
	l.checkRows(now, len(l.unanswered("undo")) > 0)
	clear(l.pending)
	for _, a := range l.accounts {
		a.claimed = false
	}
}

// check holds one entry against what every entry of its name has to be.
func (l *ledger) check(e ipc.Entry) {
	stem, version, fromFile := strings.Cut(e.Name, "~")
	a, row := l.accounts[e.Name], l.rows[stem]
	switch {
	case fromFile && row == nil, !fromFile && a == nil:
		l.complain("an entry %s that nobody added, or that was not there before", e.Name)
		return
	case e.Secret != derived(l.seed, stem):
		l.complain("the secret of %s is another one", e.Name)
	case fromFile && (e.Source != "secrets.json" || !row.hadVersion(version)):
		l.complain("the entry %s is not what the file had: %+v", e.Name, e)
	case !fromFile && e.Digits != digitsOf(e.Name), !fromFile && (e.Type == "hotp") != a.hotp:
		l.complain("the entry %s is not what was added: %+v", e.Name, e)
	}
	if a == nil || !a.hotp {
		return
	}
	for counter := range a.shown {
		if e.Counter == nil || *e.Counter <= counter {
			l.complain("the code %d of %s was shown and comes again", counter, e.Name)
		}
	}
}

// digitsOf gives entries different shapes.
func digitsOf(name string) int { return 6 + len(name)%3 }

// flipped returns the accounts that are there and should not be, or the reverse.
func (l *ledger) flipped(now map[string]ipc.Entry) (names []string) {
	for name, a := range l.accounts {
		if _, there := now[name]; there != a.live() {
			names = append(names, name)
		}
	}
	return slices.Sorted(slices.Values(names))
}

// settleDelete decides whether an unanswered delete was carried out: all of it,
// or nothing. Names for which neither holds stay flipped.
func (l *ledger) settleDelete(op *operation, now map[string]ipc.Entry) {
	var gone int
	for _, name := range op.names {
		if _, there := now[name]; !there && l.accounts[name].live() {
			gone++
		}
	}
	if gone == len(op.names) {
		l.confirmDelete(op)
	}
}

func (l *ledger) confirmDelete(op *operation) {
	for _, name := range op.names {
		l.accounts[name].deleted++
	}
	l.deletes = append(l.deletes, op)
}

// settleUndo explains what has flipped by an unanswered undo: it takes back one
// change, an add or a delete, as a whole.
func (l *ledger) settleUndo(flipped []string, undos int) {
	if len(flipped) == 0 {
		return
	}
	op, first := l.deletion(flipped), l.accounts[flipped[0]]
	switch {
	case undos > 0 && op != nil && !first.live():
		op.undone = true
		for _, name := range flipped {
			l.accounts[name].restored++
		}
	case undos > 0 && len(flipped) == 1 && first.live():
		first.revoked = true
	default:
		l.complain("acknowledged and not kept, with %d undos under way: %s", undos, l.describe(flipped))
	}
}

func (l *ledger) describe(names []string) string {
	var b strings.Builder
	for _, name := range names {
		a := l.accounts[name]
		fmt.Fprintf(&b, "%s (added %t, deleted %d, restored %d, revoked %t) ", name, a.added, a.deleted, a.restored, a.revoked)
	}
	return b.String()
}

// checkRows holds the entries from secrets.json against the file: what is in it
// is there once, under its name; so is what was seen before.
func (l *ledger) checkRows(now map[string]ipc.Entry, undo bool) {
	names := map[string][]string{}
	for name := range now {
		if stem, _, fromFile := strings.Cut(name, "~"); fromFile {
			names[stem] = append(names[stem], name)
		}
	}
	var missing []*fileRow
	for stem, row := range l.rows {
		found := names[stem]
		row.taken = row.taken || len(found) > 0
		inFile := slices.Contains(l.file, row)
		switch {
		case len(found) > 1:
			l.complain("one row of the file became %v", found)
		case row.loose:
		case len(found) == 0 && (inFile || row.taken):
			missing = append(missing, row)
		case inFile && found[0] != row.name():
			missing = append(missing, row)
		}
	}
	if len(missing) > 0 && !undo {
		slices.SortFunc(missing, func(a, b *fileRow) int { return cmp.Compare(a.stem, b.stem) })
		l.complain("rows of secrets.json, taken or in it, are not in the vault: %s and %d more", missing[0].name(), len(missing)-1)
	}
	for _, row := range missing {
		row.loose = true
	}
}

// liveAccounts returns the accounts that are there and that nobody deletes.
func (l *ledger) liveAccounts(hotp bool) []*account {
	var list []*account
	for _, name := range slices.Sorted(maps.Keys(l.accounts)) {
		if a := l.accounts[name]; a.live() && !a.claimed && (a.hotp || !hotp) {
			list = append(list, a)
		}
	}
	return list
}
