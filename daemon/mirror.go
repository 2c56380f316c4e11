package daemon

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/o2fa/o2fa/daemon/internal/secretsfile"
	"github.com/o2fa/o2fa/daemon/internal/vault"
	"github.com/o2fa/o2fa/ipc"
)

// metaMirror is there while file and vault were once brought to be equal and are
// kept so since. Without it neither side can have removed anything.
const metaMirror = "secrets-file/mirror"

// heldError says that the file has changed in a way that would remove too much.
type heldError struct {
	held    string // ipc.HeldMissing and its like
	dropped int    // entries that would go
	cause   string
}

func (e *heldError) Error() string { return e.cause + ": nothing was changed, here or there" }

// side is the vault as a mirror sees it.
type side struct {
	v     *vault.Vault
	list  []vault.Summary
	live  map[vault.ID]*vault.Summary
	marks map[vault.ID][16]byte // of their secrets
}

func lookAt(v *vault.Vault) (s side, err error) {
	s.v = v
	if s.list, err = v.List(); err != nil {
		return s, err
	}
	s.live = make(map[vault.ID]*vault.Summary, len(s.list))
	for i := range s.list {
		s.live[s.list[i].ID] = &s.list[i]
	}
	s.marks, err = v.Marks()
	return s, err
}

// misfit says why open2fa has no place for an entry; empty if it has one.
func misfit(e *vault.Summary) string {
	switch {
	case e.Type == "hotp":
		return "its codes go by a counter (hotp)"
	case e.Type != "totp":
		return "its type is " + e.Type
	case e.Algorithm != "SHA1":
		return "its algorithm is " + e.Algorithm
	case e.Digits != 6:
		return fmt.Sprintf("its codes have %d digits", e.Digits)
	case e.Period != 30:
		return fmt.Sprintf("its codes change after %d seconds", e.Period)
	}
	return ""
}

// mirrored returns the live entry of that id, nil if there is none that open2fa
// has a place for.
func (s side) mirrored(id vault.ID) *vault.Summary {
	if e := s.live[id]; e != nil && misfit(e) == "" {
		return e
	}
	return nil
}

// edited says whether a live entry is another than the row that it was last.
func (s side) edited(e *vault.Summary, row secretsfile.Seen) (bool, error) {
	named := namePrint(s.v, &e.Name) == row.Name || e.Name == "" && namePrint(s.v, nil) == row.Name
	if !named {
		return true, nil
	}
	var same bool
	err := s.v.OpenSecret(e.ID, func(e *vault.Entry) error {
		same = secretPrint(s.v, e.Secret.Reveal()) == row.Secret
		return nil
	})
	return !same, err
}

// mirroring brings a file and the vault to be equal: first what changed in the
// file goes into the vault, then what differs still into the file. A change on
// both sides leaves the name of the file and the secret of the vault, whose earlier
// versions are kept; a row or an entry that was changed on one side is not removed
// by the other.
type mirroring struct {
	*taker
	before side
	file   secretsfile.File
	data   []byte // nil where there is no file
}

// mirror makes one reconciliation. It returns what became of the rows, also with
// an error.
func (in *intake) mirror(v *vault.Vault, data []byte, file secretsfile.File, o order) (*taker, error) {
	m := &mirroring{taker: newTaker(v, file), file: file, data: data}
	mark, err := v.Meta(metaMirror)
	if err != nil {
		return m.taker, err
	}
	begins := mark == nil || o.anew
	if data == nil && !begins && !o.accept {
		return m.taker, &heldError{held: ipc.HeldMissing, cause: "the file is missing"}
	}
	if m.before, err = lookAt(v); err != nil {
		return m.taker, err
	}
	last, err := lastRows(v)
	if err != nil {
		return m.taker, err
	}
	if begins {
		in.recent.forget()
		last, err = m.stillThere(last)
	} else {
		last = in.recent.base(last, m.now, in.keeper.now())
	}
	if err == nil {
		m.compare(last)
		err = m.weigh(begins, o.accept)
	}
	if err != nil {
		return m.taker, err
	}
	m.match()
	err = m.store(v, pieceRows, func() []byte { return nil })
	if err == nil {
		err = in.follow(m)
	}
	if err == nil && mark == nil {
		// Now they are equal. A crash before this line begins once more, which
		// removes nothing.
		err = v.Update("", func(tx *vault.Tx) error { return tx.PutMeta(metaMirror, []byte{1}) })
	}
	return m.taker, err
}

// stillThere returns those of the rows last taken whose entries are in the vault
// or its trash. A row whose entry was removed for good is taken anew when a mirror
// begins: the file may be the last place of its secret.
func (m *mirroring) stillThere(last []secretsfile.Seen) ([]secretsfile.Seen, error) {
	trash, err := m.before.v.Trash()
	if err != nil {
		return nil, err
	}
	trashed := make(map[vault.ID]bool, len(trash))
	for _, s := range trash {
		trashed[s.ID] = true
	}
	there := make([]secretsfile.Seen, 0, len(last))
	for _, s := range last {
		if m.before.live[s.Entry] != nil || trashed[s.Entry] {
			there = append(there, s)
		}
	}
	return there, nil
}

// few is how many entries may go at once, unless they are all.
const few = 5

// weigh decides which entries go to the trash, as their rows left the file, and
// refuses to where they are too many for a person's doing.
func (m *mirroring) weigh(begins, accept bool) error {
	if begins {
		return nil // nothing can have left what was not yet equal
	}
	stays := idSet(m.entries) // by another row
	for _, pair := range m.todo.Rename {
		stays[pair.Last.Entry] = true
	}
	all := idSet(m.entries)
	for _, s := range m.todo.Gone {
		e := m.before.mirrored(s.Entry)
		if e == nil || stays[s.Entry] {
			continue
		}
		stays[s.Entry], all[s.Entry] = true, true // one with two rows counts once
		edited, err := m.before.edited(e, s)
		if err != nil {
			return err
		}
		if !edited {
			m.trash = append(m.trash, s.Entry)
		}
	}
	delete(all, vault.ID{})
	n, total := len(m.trash), len(all)+len(m.todo.Rename)
	if n > 1 && n == total || n > few && 2*n > total {
		if !accept {
			m.trash = nil
			return &heldError{held: ipc.HeldDropped, dropped: n, cause: fmt.Sprintf("%d of %d entries left the file at once", n, total)}
		}
	}
	return nil
}

// pairKey is what makes a row and an entry the same.
type pairKey struct {
	mark [16]byte
	name string
}

// match finds new rows for which there is an entry already that has no row: added
// on both sides, or written by us just before a crash.
func (m *mirroring) match() {
	if len(m.todo.Add) == 0 {
		return
	}
	rowed := idSet(m.entries)
	for _, pair := range m.todo.Rename {
		rowed[pair.Last.Entry] = true
	}
	free := map[pairKey][]vault.ID{}
	for i := range m.before.list {
		e := &m.before.list[i]
		if !rowed[e.ID] && misfit(e) == "" {
			key := pairKey{m.before.marks[e.ID], e.Name}
			free[key] = append(free[key], e.ID)
		}
	}
	m.todo.Add = slices.DeleteFunc(m.todo.Add, func(row int) bool {
		key := pairKey{m.before.v.Mark(m.rows[row].Secret.Reveal()), norm.NFC.String(rowName(m.rows[row]))}
		if len(free[key]) == 0 {
			return false
		}
		m.remember(row, free[key][0])
		free[key] = free[key][1:]
		return true
	})
	m.ids = m.ids[:len(m.todo.Add)]
}

// unmirrored returns the entries that open2fa has no place for.
func (s side) unmirrored() (others []ipc.Unmirrored) {
	for i := range s.list {
		if why := misfit(&s.list[i]); why != "" {
			others = append(others, ipc.Unmirrored{ID: s.list[i].ID.String(), Name: s.list[i].Name, Reason: why})
		}
	}
	slices.SortFunc(others, func(a, b ipc.Unmirrored) int { return strings.Compare(a.ID, b.ID) })
	return others
}
