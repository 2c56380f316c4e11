package secretsfile

import (
	"fmt"
	"maps"
	mathrand "math/rand"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"testing/quick"
)

func fp(b byte) Fingerprint { return Fingerprint{b} }

// seen and fileRows build inputs from pairs of letters: secret, name. Entries are
// numbered from 1, rows from 0.
func seen(pairs ...string) (rows []Seen) {
	for i, p := range pairs {
		rows = append(rows, Seen{Secret: fp(p[0]), Name: fp(p[1]), Entry: [16]byte{byte(i + 1)}})
	}
	return rows
}

func fileRows(pairs ...string) (rows []Fingerprinted) {
	for i, p := range pairs {
		rows = append(rows, Fingerprinted{Secret: fp(p[0]), Name: fp(p[1]), Row: i})
	}
	return rows
}

func TestDiff(t *testing.T) {
	gone := func(entries ...byte) (all []Seen) {
		for _, e := range entries {
			all = append(all, Seen{Entry: [16]byte{e}})
		}
		return all
	}
	pair := func(entry byte, row int) Pair { return Pair{Last: Seen{Entry: [16]byte{entry}}, Row: row} }
	tests := map[string]struct {
		last []Seen
		now  []Fingerprinted
		want Changes
	}{
		"nothing":               {nil, nil, Changes{}},
		"first look":            {nil, fileRows("Aa", "Bb"), Changes{Add: []int{0, 1}}},
		"no change":             {seen("Aa", "Bb"), fileRows("Aa", "Bb"), Changes{Keep: []Pair{pair(1, 0), pair(2, 1)}}},
		"other order":           {seen("Aa", "Bb"), fileRows("Bb", "Aa"), Changes{Keep: []Pair{pair(2, 0), pair(1, 1)}}},
		"file emptied":          {seen("Aa", "Bb"), nil, Changes{Gone: gone(1, 2)}},
		"renamed":               {seen("Aa", "Bb"), fileRows("Ax", "Bb"), Changes{Keep: []Pair{pair(2, 1)}, Rename: []Pair{pair(1, 0)}}},
		"second name":           {seen("Aa"), fileRows("Ax", "Aa"), Changes{Keep: []Pair{pair(1, 1)}, Add: []int{0}}},
		"duplicate came":        {seen("Aa"), fileRows("Aa", "Aa"), Changes{Keep: []Pair{pair(1, 0)}, Add: []int{1}}},
		"duplicate left":        {seen("Aa", "Aa"), fileRows("Aa"), Changes{Keep: []Pair{pair(1, 0)}, Gone: gone(2)}},
		"one of two renamed":    {seen("Aa", "Ab"), fileRows("Ab", "Ax"), Changes{Keep: []Pair{pair(2, 0)}, Rename: []Pair{pair(1, 1)}}},
		"duplicate renamed":     {seen("Aa", "Aa"), fileRows("Aa", "Ax"), Changes{Keep: []Pair{pair(1, 0)}, Rename: []Pair{pair(2, 1)}}},
		"two names merged":      {seen("Aa", "Ab"), fileRows("Ax"), Changes{Rename: []Pair{pair(1, 0)}, Gone: gone(2)}},
		"names swapped":         {seen("Aa", "Bb"), fileRows("Ab", "Ba"), Changes{Rename: []Pair{pair(1, 0), pair(2, 1)}}},
		"same name, new secret": {seen("Aa"), fileRows("Ba"), Changes{Add: []int{0}, Gone: gone(1)}},
	}
	for name, test := range tests {
		for _, pairs := range [][]Pair{test.want.Keep, test.want.Rename} {
			for i := range pairs { // entry n is row n of last
				pairs[i].Last = test.last[pairs[i].Last.Entry[0]-1]
			}
		}
		for i := range test.want.Gone {
			test.want.Gone[i] = test.last[test.want.Gone[i].Entry[0]-1]
		}
		if got := Diff(test.last, test.now); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, test.want)
		}
	}
}

// inputs is a random pair of inputs. Few different fingerprints make duplicates
// and renames common.
type inputs struct {
	last []Seen
	now  []Fingerprinted
}

func (inputs) Generate(r *mathrand.Rand, _ int) reflect.Value {
	var c inputs
	for i := range r.Intn(12) {
		c.last = append(c.last, Seen{Secret: fp(byte(r.Intn(4))), Name: fp(byte(r.Intn(3))), Entry: [16]byte{1, byte(i)}})
	}
	for i := range r.Intn(12) {
		c.now = append(c.now, Fingerprinted{Secret: fp(byte(r.Intn(4))), Name: fp(byte(r.Intn(3))), Row: i})
	}
	return reflect.ValueOf(c)
}

// apply does to the rows last taken what a caller does: entries for additions
// are numbered on.
func apply(t *testing.T, c inputs, d Changes) []Seen {
	t.Helper()
	byRow := map[int]Fingerprinted{}
	for _, n := range c.now {
		byRow[n.Row] = n
	}
	var next []Seen
	take := func(row int, entry [16]byte) {
		n, ok := byRow[row]
		if !ok {
			t.Errorf("row %d is used twice or does not exist", row)
		}
		delete(byRow, row)
		next = append(next, Seen{n.Secret, n.Name, entry})
	}
	for _, p := range slices.Concat(d.Keep, d.Rename) {
		take(p.Row, p.Last.Entry)
	}
	for _, row := range d.Add {
		take(row, [16]byte{2, byte(row)})
	}
	if len(byRow) > 0 {
		t.Errorf("%d rows are lost", len(byRow))
	}
	return next
}

// count makes a multiset of secret and name.
func count(rows []Seen) map[[2]Fingerprint]int {
	m := map[[2]Fingerprint]int{}
	for _, r := range rows {
		m[[2]Fingerprint{r.Secret, r.Name}]++
	}
	return m
}

func TestDiffProperties(t *testing.T) {
	property := func(c inputs) bool {
		d := Diff(c.last, c.now)
		if !reflect.DeepEqual(d, Diff(c.last, c.now)) {
			t.Error("not deterministic")
		}
		next := apply(t, c, d)
		var want []Seen
		for _, n := range c.now {
			want = append(want, Seen{Secret: n.Secret, Name: n.Name})
		}
		if !maps.Equal(count(next), count(want)) {
			t.Error("applying the changes does not reach the new file")
		}
		if again := Diff(next, c.now); len(again.Rename)+len(again.Add)+len(again.Gone) > 0 {
			t.Errorf("not stable: %+v", again)
		}
		checkEntries(t, c, d)
		checkMinimal(t, c, d)
		checkPieces(t, c, d)
		return !t.Failed()
	}
	if err := quick.Check(property, &quick.Config{MaxCount: 3000}); err != nil {
		t.Error(err)
	}
}

// checkEntries fails unless each entry of last is used exactly once, and only
// for rows of its own secret.
func checkEntries(t *testing.T, c inputs, d Changes) {
	t.Helper()
	left := map[[16]byte]Seen{}
	for _, s := range c.last {
		left[s.Entry] = s
	}
	for i, p := range slices.Concat(d.Keep, d.Rename) {
		s, ok := left[p.Last.Entry]
		n := c.now[p.Row]
		if !ok || s != p.Last || s.Secret != n.Secret || (s.Name == n.Name) != (i < len(d.Keep)) {
			t.Errorf("pair %+v is wrong", p)
		}
		delete(left, p.Last.Entry)
	}
	for _, s := range d.Gone {
		if left[s.Entry] != s {
			t.Errorf("row %v is gone twice or was never there", s)
		}
		delete(left, s.Entry)
	}
	if len(left) > 0 {
		t.Errorf("%d entries are lost", len(left))
	}
}

// checkPieces fails unless the changes can be made in pieces: whoever stops
// after any of them, and compares what is taken by then, finds those that are
// left and no others.
func checkPieces(t *testing.T, c inputs, d Changes) {
	t.Helper()
	var taken []Seen
	take := func(row int, entry [16]byte) { taken = append(taken, Seen{c.now[row].Secret, c.now[row].Name, entry}) }
	for _, p := range d.Keep {
		take(p.Row, p.Last.Entry)
	}
	d.Keep, d.Gone = nil, nil
	for {
		record := slices.Clone(taken)
		for _, p := range d.Rename {
			record = append(record, p.Last)
		}
		left := Diff(record, c.now)
		left.Keep = nil
		if !sameChanges(c, left, d) {
			t.Errorf("with %d rows taken: %+v, want %+v", len(taken), left, d)
		}
		switch {
		case len(d.Rename) > 0:
			take(d.Rename[0].Row, d.Rename[0].Last.Entry)
			d.Rename = d.Rename[1:]
		case len(d.Add) > 0:
			take(d.Add[0], [16]byte{2, byte(d.Add[0])})
			d.Add = d.Add[1:]
		default:
			return
		}
	}
}

// sameChanges says whether two changes do the same: among equal rows it does not
// matter which is meant.
func sameChanges(c inputs, a, b Changes) bool {
	what := func(d Changes) (all []string) {
		for _, p := range d.Rename {
			all = append(all, fmt.Sprint("rename ", p.Last, c.now[p.Row].Name))
		}
		for _, row := range d.Add {
			all = append(all, fmt.Sprint("add ", c.now[row].Secret, c.now[row].Name))
		}
		for _, s := range d.Gone {
			all = append(all, fmt.Sprint("gone ", s.Entry))
		}
		slices.Sort(all)
		return all
	}
	return slices.Equal(what(a), what(b))
}

// checkMinimal fails if more was changed than had to be: as many rows are kept
// as both sides share, and no secret both comes and goes.
func checkMinimal(t *testing.T, c inputs, d Changes) {
	t.Helper()
	var now []Seen
	for _, n := range c.now {
		now = append(now, Seen{Secret: n.Secret, Name: n.Name})
	}
	shared, counted := 0, count(now)
	for k, n := range count(c.last) {
		shared += min(n, counted[k])
	}
	if len(d.Keep) != shared {
		t.Errorf("%d rows kept of %d shared", len(d.Keep), shared)
	}
	added := map[Fingerprint]bool{}
	for _, row := range d.Add {
		added[c.now[row].Secret] = true
	}
	for _, s := range c.last {
		if slices.Contains(d.Gone, s) && added[s.Secret] {
			t.Error("a secret was added and gone at once: that is a rename")
		}
	}
}

// TestDiffIgnoresOrder: a file whose rows were only shuffled has not changed.
func TestDiffIgnoresOrder(t *testing.T) {
	property := func(c inputs) bool {
		d := Diff(c.last, c.now)
		shuffled := slices.Clone(c.now)
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		s := Diff(c.last, shuffled)
		return len(s.Keep) == len(d.Keep) && len(s.Rename) == len(d.Rename) &&
			len(s.Add) == len(d.Add) && len(s.Gone) == len(d.Gone)
	}
	if err := quick.Check(property, nil); err != nil {
		t.Error(err)
	}
}

// TestDiffIsLinear: 100,000 equal rows must not take a square of steps.
func TestDiffIsLinear(t *testing.T) {
	const n = 100_000
	last, now := make([]Seen, n), make([]Fingerprinted, n)
	for i := range n {
		last[i].Entry = [16]byte{byte(i), byte(i >> 8), byte(i >> 16)}
		now[i] = Fingerprinted{Name: fp(byte(i % 2)), Row: i}
	}
	d := Diff(last, now)
	if len(d.Keep) != n/2 || len(d.Rename) != n/2 {
		t.Errorf("%d kept, %d renamed", len(d.Keep), len(d.Rename))
	}
}
