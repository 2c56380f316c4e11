package o2fa_test

import (
	"maps"
	"slices"

	"github.com/o2fa/o2fa/ipc"
)

// world is one thing that may be true of a vault, as far as its clients can
// know: a request that was acknowledged has changed it, one without an answer
// has changed another world and not this one. The next reading tells which of
// them is the real one.
type world struct {
	items   map[int]item        // by number; what was removed for good is not there
	journal []group             // the last is undone first
	taken   map[string]takenRow // rows of secrets.json that the vault has taken, by stem
	gather  bool                // changes join the last group: nobody knows their order
}

// item is an entry, in the trash or not.
type item struct {
	id       string // empty until it was seen
	seed     string // what its secret is derived from
	name     string
	issuer   string
	account  string
	note     string
	tags     string // joined by blanks
	pinned   bool
	hotp     bool
	algo     string
	digits   int
	period   int
	counter  uint64
	fromFile bool
	trashed  bool
}

// takenRow is a row of secrets.json as it was last taken, and its entry.
type takenRow struct{ version, item int }

// group is changes that were made in an order that nobody knows.
type group []made

// made is one change, as undo takes it back.
type made struct {
	kind  string // as ipc.UndoReply has it
	deeds []deedDone
}

// deedDone is what a change did to one entry.
type deedDone struct {
	item   int
	did    string // add, trash, restore, edit
	before item   // of an edit
	after  item
}

// journalKnown is how many changes are remembered; the vault keeps more.
const journalKnown = 40

func newWorld() *world { return &world{items: map[int]item{}, taken: map[string]takenRow{}} }

func (w *world) clone() *world {
	c := &world{items: maps.Clone(w.items), taken: maps.Clone(w.taken), gather: w.gather}
	for _, g := range w.journal {
		c.journal = append(c.journal, slices.Clone(g))
	}
	return c
}

// record puts a change into the journal.
func (w *world) record(kind string, deeds ...deedDone) {
	if len(deeds) == 0 {
		return
	}
	if !w.gather || len(w.journal) == 0 {
		w.journal = append(w.journal, nil)
	}
	last := len(w.journal) - 1
	w.journal[last] = append(w.journal[last], made{kind, deeds})
	if last >= journalKnown {
		w.journal = slices.Delete(w.journal, 0, 1)
	}
}

// begin opens a group for changes whose order nobody knows; end closes it.
func (w *world) begin() { w.journal, w.gather = append(w.journal, nil), true }

func (w *world) end() {
	w.gather = false
	w.tidy()
}

func (w *world) tidy() {
	w.journal = slices.DeleteFunc(w.journal, func(g group) bool { return len(g) == 0 })
}

func (w *world) add(number int, it item) {
	w.items[number] = it
	w.record("add", deedDone{item: number, did: "add"})
}

func (w *world) trash(numbers ...int) {
	var deeds []deedDone
	for _, n := range numbers {
		deeds = append(deeds, w.move(n, true))
	}
	w.record("delete", deeds...)
}

func (w *world) restore(number int) { w.record("restore", w.move(number, false)) }

func (w *world) move(number int, trashed bool) deedDone {
	it := w.items[number]
	it.trashed = trashed
	w.items[number] = it
	if trashed {
		return deedDone{item: number, did: "trash"}
	}
	return deedDone{item: number, did: "restore"}
}

func (w *world) edit(number int, change func(*item)) {
	before := w.items[number]
	after := before
	change(&after)
	w.items[number] = after
	w.record("edit", deedDone{number, "edit", before, after})
}

// purge removes items of the trash for good.
func (w *world) purge(numbers ...int) {
	for _, n := range numbers {
		delete(w.items, n)
	}
}

// take brings the vault up to date with rows of secrets.json, by stem.
func (w *world) take(rows secretsRows) {
	var deeds []deedDone
	for _, stem := range slices.Sorted(maps.Keys(rows)) {
		row := rows[stem]
		last, known := w.taken[stem]
		if known && last.version == row.version {
			continue
		}
		n, more := last.item, []deedDone(nil)
		if _, there := w.items[n]; known && there {
			more = w.rename(n, row.name())
		} else {
			n, more = w.addRow(row)
		}
		deeds = append(deeds, more...)
		w.taken[stem] = takenRow{row.version, n}
	}
	maps.DeleteFunc(w.taken, func(stem string, _ takenRow) bool { _, there := rows[stem]; return !there })
	w.record("secrets-file", deeds...)
}

// rename is a known row with another name. An entry in the trash comes back.
func (w *world) rename(n int, name string) (deeds []deedDone) {
	if w.items[n].trashed {
		deeds = append(deeds, w.move(n, false))
	}
	before := w.items[n]
	if after := before; before.name != name {
		after.name = name
		w.items[n] = after
		deeds = append(deeds, deedDone{n, "edit", before, after})
	}
	return deeds
}

// addRow adds a row, unless the very same entry is there.
func (w *world) addRow(row secretsRow) (int, []deedDone) {
	it := item{seed: row.stem, name: row.name(), algo: "SHA1", digits: 6, period: 30, fromFile: true}
	for other, o := range w.items {
		if !o.trashed && o.seed == it.seed && !o.hotp && o.algo == it.algo && o.digits == 6 && o.period == 30 && o.issuer == "" && o.name == it.name {
			return other, nil
		}
	}
	w.items[row.item] = it
	return row.item, []deedDone{{item: row.item, did: "add"}}
}

// undo returns the worlds that an acknowledged undo may have led to.
func (w *world) undo(reply *ipc.UndoReply) (after []*world) {
	if len(w.journal) == 0 {
		return nil
	}
	for i := range w.journal[len(w.journal)-1] {
		c := w.clone()
		g := &c.journal[len(c.journal)-1]
		if !c.takeBack((*g)[i], reply) {
			continue
		}
		*g = slices.Delete(*g, i, i+1)
		c.tidy()
		after = append(after, c)
	}
	return after
}

// undoNothing returns the worlds after an undo that found nothing to do: all
// that the last change touched was removed meanwhile.
func (w *world) undoNothing() (after []*world) {
	if len(w.journal) == 0 {
		return []*world{w}
	}
	for _, c := range w.undo(nil) {
		if slices.EqualFunc(sortedItems(c), sortedItems(w), func(a, b item) bool { return a == b }) {
			after = append(after, c)
		}
	}
	return after
}

func sortedItems(w *world) (list []item) {
	for _, n := range slices.Sorted(maps.Keys(w.items)) {
		list = append(list, w.items[n])
	}
	return list
}

// takeBack takes a change back, the last deed first, and says whether that is
// what the reply tells, if there was one.
func (w *world) takeBack(m made, reply *ipc.UndoReply) (fits bool) {
	touched := map[int]bool{}
	for _, d := range slices.Backward(m.deeds) {
		if w.takeBackDeed(d) {
			touched[d.item] = true
		}
	}
	if reply == nil {
		return true
	}
	names := map[string]int{}
	for n := range touched {
		names[w.items[n].name]++
	}
	for _, name := range reply.Names {
		if names[name]--; names[name] < 0 {
			return false
		}
	}
	return reply.Undone == m.kind && reply.Count == len(touched) && len(reply.Names) == min(len(touched), 10)
}

// takeBackDeed does the opposite of a deed, and says whether it touched the entry.
func (w *world) takeBackDeed(d deedDone) bool {
	it, there := w.items[d.item]
	if !there {
		return false
	}
	switch d.did {
	case "add", "restore":
		if it.trashed {
			return false
		}
		it.trashed = true
	case "trash":
		it.trashed = false
	case "edit":
		if it.trashed {
			return false
		}
		it.goBack(d.before, d.after)
	}
	w.items[d.item] = it
	return true
}

// goBack gives the fields that an edit changed their values of before.
func (it *item) goBack(before, after item) {
	for _, f := range []struct{ field, before, after *string }{
		{&it.name, &before.name, &after.name}, {&it.issuer, &before.issuer, &after.issuer}, {&it.account, &before.account, &after.account},
		{&it.note, &before.note, &after.note}, {&it.tags, &before.tags, &after.tags}, {&it.seed, &before.seed, &after.seed},
	} {
		if *f.before != *f.after {
			*f.field = *f.before
		}
	}
	if before.seed != after.seed { // secret, algorithm, digits and period are one field
		it.algo, it.digits, it.period = before.algo, before.digits, before.period
	}
	if before.pinned != after.pinned {
		it.pinned = before.pinned
	}
}

// pick returns the numbers of the items that suit, in order.
func (w *world) pick(suits func(item) bool) (numbers []int) {
	for _, n := range slices.Sorted(maps.Keys(w.items)) {
		if suits(w.items[n]) {
			numbers = append(numbers, n)
		}
	}
	return numbers
}
