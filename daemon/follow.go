package daemon

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/o2fa/o2fa/daemon/internal/secretsfile"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/internal/secret"
)

// follow writes into the file what differs in the vault, and remembers the rows as
// they are then. A crash before that is found by the next look: the rows match
// entries that there are.
func (in *intake) follow(m *mirroring) error {
	after, err := lookAt(m.before.v)
	if err != nil {
		return err
	}
	p := plan{m: m, after: after, edits: map[int]secretsfile.Edit{}}
	defer p.wipe()
	if err := errors.Join(p.editRows(), p.addRows()); err != nil {
		return err
	}
	m.stand = len(p.rows) / seenSize
	if m.data != nil && len(p.edits)+len(p.add) == 0 {
		return nil
	}
	out, err := secretsfile.Rewrite(m.data, p.edits, p.add)
	if err != nil {
		return err
	}
	defer clear(out)
	if err := secretsfile.Replace(in.path, m.data, out, 0o600); err != nil {
		return err
	}
	m.out(p.edits)
	if m.data != nil { // a file that was not there, nobody has read
		in.recent.note(p.was, in.keeper.now())
	}
	in.log.Info("wrote secrets file", "edited", len(p.edits), "added", len(p.add))
	return m.before.v.Update("", func(tx *vault.Tx) error {
		return errors.Join(tx.PutMeta(metaRows, p.rows), tx.PutMeta(metaFile, nil))
	})
}

// plan is what is to be written.
type plan struct {
	m     *mirroring
	after side
	edits map[int]secretsfile.Edit
	add   []secretsfile.Row
	was   []secretsfile.Seen // the rows before
	rows  []byte             // the rows then, as metaRows keeps them
	open  []vault.Entry      // to wipe
}

func (p *plan) wipe() {
	for i := range p.open {
		p.open[i].Wipe()
	}
}

// secret returns an entry's secret, until wipe.
func (p *plan) secret(id vault.ID) (secret.Bytes, error) {
	e, err := p.after.v.Get(id)
	p.open = append(p.open, e)
	return e.Secret, err
}

// editRows brings each row to what its entry is. A row that the vault refused has
// none, or has a name that the vault does not take, and stays as it is.
func (p *plan) editRows() error {
	refused := map[int]bool{}
	for _, r := range p.m.refused {
		refused[r.Position] = true
	}
	for i, row := range p.m.rows {
		id := p.m.entries[i]
		if id == (vault.ID{}) {
			continue
		}
		seen := secretsfile.Seen{Secret: p.m.now[i].Secret, Name: p.m.now[i].Name, Entry: id}
		p.was = append(p.was, seen)
		e := p.after.mirrored(id)
		switch {
		case refused[row.Position]:
		case e == nil:
			p.edits[row.Position] = secretsfile.Edit{Drop: true}
			continue
		default:
			edit, err := p.edit(row, e, &seen)
			if err != nil {
				return err
			}
			if edit.Rename || edit.Secret.Len() > 0 {
				p.edits[row.Position] = edit
			}
		}
		p.rows = appendSeen(p.rows, seen)
	}
	return nil
}

// edit returns how a row differs from its entry, and brings what is remembered of
// it up to date.
func (p *plan) edit(row secretsfile.Row, e *vault.Summary, seen *secretsfile.Seen) (edit secretsfile.Edit, err error) {
	if norm.NFC.String(rowName(row)) != e.Name {
		edit.Rename, edit.Name = true, nameOf(e)
		seen.Name = namePrint(p.after.v, edit.Name)
	}
	if p.after.marks[e.ID] == p.after.v.Mark(row.Secret.Reveal()) {
		return edit, nil
	}
	key, err := p.secret(e.ID)
	if err != nil || key.Equal(row.Secret) {
		return edit, err
	}
	edit.Secret = key
	seen.Secret = secretPrint(p.after.v, key.Reveal())
	return edit, nil
}

// addRows adds the entries that have no row, the oldest first.
func (p *plan) addRows() error {
	rowed := idSet(p.m.entries)
	var missing []*vault.Summary
	for i := range p.after.list {
		if e := &p.after.list[i]; misfit(e) == "" && !rowed[e.ID] {
			missing = append(missing, e)
		}
	}
	slices.SortFunc(missing, func(a, b *vault.Summary) int {
		return cmp.Or(cmp.Compare(a.Created, b.Created), bytes.Compare(a.ID[:], b.ID[:]))
	})
	for _, e := range missing {
		key, err := p.secret(e.ID)
		if errors.Is(err, vault.ErrNotFound) {
			continue // removed just now: its end is told, and looked at
		}
		if err != nil {
			return err
		}
		row := secretsfile.Row{Name: nameOf(e), Secret: key}
		p.add = append(p.add, row)
		p.rows = appendSeen(p.rows, secretsfile.Seen{Secret: secretPrint(p.after.v, key.Reveal()), Name: namePrint(p.after.v, row.Name), Entry: e.ID})
	}
	return nil
}

// nameOf is an entry's name as open2fa keeps it: null for none.
func nameOf(e *vault.Summary) *string {
	if e.Name == "" {
		return nil
	}
	return &e.Name
}

const (
	// staleTime is how long another program may sit on what it has read before it
	// writes: open2fa reads the file, asks for a secret and a name, and writes.
	staleTime = 2 * time.Minute
	// staleRows bounds what is kept for them, in rows of 48 bytes.
	staleRows = 1 << 16
)

// recent remembers the rows as they were before each of our own last writes.
// Another program that had read the file before such a write, and writes it after,
// takes back what we wrote without knowing. That is told from a removal by what
// explains more: such a file differs less from what that program had read.
type recent struct{ bases []recentBase }

type recentBase struct {
	rows  []secretsfile.Seen
	until time.Time
}

// note keeps the rows that a write of ours has changed.
func (r *recent) note(rows []secretsfile.Seen, now time.Time) {
	r.bases = append(r.bases, recentBase{rows, now.Add(staleTime)})
	total := 0
	for i, b := range slices.Backward(r.bases) {
		if total += len(b.rows) + 1; total > staleRows {
			r.bases = slices.Delete(r.bases, 0, i+1)
			break
		}
	}
}

func (r *recent) forget() { r.bases = nil }

// base returns the rows that the file was made from: those of our last write, or
// older ones that differ from it less, and in one way: programs add, remove or
// rename, while a person who edits the file does several things and has seen it
// whole. A file that equals older rows was made by somebody who removed what was
// written since, as nobody writes without a change; and one that keeps none of them
// was made from nothing.
func (r *recent) base(last []secretsfile.Seen, now []secretsfile.Fingerprinted, at time.Time) []secretsfile.Seen {
	r.bases = slices.DeleteFunc(r.bases, func(b recentBase) bool { return at.After(b.until) })
	c := secretsfile.Diff(last, now)
	least := len(c.Rename) + len(c.Add) + len(c.Gone)
	for _, b := range slices.Backward(r.bases) {
		c := secretsfile.Diff(b.rows, now)
		renamed, added, gone := len(c.Rename), len(c.Add), len(c.Gone)
		n := max(renamed, added, gone)
		oneWay := n > 0 && n == renamed+added+gone
		if oneWay && n < least && (n == added || len(c.Keep) > 0) {
			last, least = b.rows, n
		}
	}
	return last
}
