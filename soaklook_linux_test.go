package o2fa_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/o2fa/o2fa/ipc"
)

// look compares the whole vault, or asks for a part of it.
func (s *soak) look() {
	s.read()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	now := s.ensure()
	if s.file.settled() && len(s.worlds) == 1 {
		w := s.world()
		if live, all := len(w.pick(item.live)), len(w.items); now.Vault.Entries != live || now.Vault.Trashed != all-live {
			s.fail("status counts %d entries and %d in the trash, there are %d and %d", now.Vault.Entries, now.Vault.Trashed, live, all-live)
		}
	}
	if s.odds(3) {
		if _, err := s.client.Entries(ctx, "renamed", false); err != nil {
			s.fail("search: %v", err)
		}
	}
}

// readAll reads entries, with their secrets, and the trash.
func (s *soak) readAll() (all seen, err error) {
	ctx, cancel := shortly(s.T)
	defer cancel()
	var live, trash ipc.Entries
	if s.odds(10) {
		err = s.cli(ctx, "", &live, "list", "-s")
	} else {
		live, err = s.client.Entries(ctx, "", true)
	}
	if err == nil {
		trash, err = s.client.Trash(ctx)
	}
	return seen{live.Entries, trash.Entries}, err
}

// named returns the numbers of the entries with a name.
func (w *world) named(name string) []int {
	return w.pick(func(it item) bool { return !it.trashed && it.name == name })
}

// find asks who has a name that some entry has, or had, and who has a secret.
func (s *soak) find() {
	if s.fileSettled(); len(s.worlds) > 1 {
		s.read()
	}
	name := one(s, s.names)
	if numbers := s.free(item.live); s.odds(2) && len(numbers) > 0 {
		name = s.world().items[one(s, numbers)].name
	}
	req := ipc.FindRequest{Name: name}
	want := s.world().named(name)
	if numbers := s.free(item.live); s.odds(3) && len(numbers) > 0 {
		seed := s.world().items[one(s, numbers)].seed
		req = ipc.FindRequest{Secret: derived(s.seed, seed)}
		want = s.world().pick(func(it item) bool { return !it.trashed && it.seed == seed })
	}
	var reply ipc.Entries
	s.do(request{fmt.Sprintf("find %q", req.Name), func(ctx context.Context) (err error) {
		reply, err = s.client.Find(ctx, req)
		return err
	}, same(func(w *world) error {
		var got []string
		for _, e := range reply.Entries {
			got = append(got, e.ID)
		}
		ids := s.ids(want)
		slices.Sort(ids)
		if slices.Sort(got); !slices.Equal(got, ids) {
			return fmt.Errorf("found %v, want %v", got, ids)
		}
		return nil
	})})
}

// show compares all that there is to say of one entry.
func (s *soak) show() {
	if numbers := s.free(item.live); len(numbers) > 0 {
		s.showItem(one(s, numbers))
	}
}

func (s *soak) showItem(n int) {
	var reply ipc.EntryDetail
	id := s.world().items[n].id
	s.do(request{fmt.Sprint("show ", n), func(ctx context.Context) (err error) {
		reply, err = s.client.Entry(ctx, id, true)
		return err
	}, same(func(w *world) error {
		it := w.items[n]
		if wrong := it.differs(reply.Entry, s.seed); wrong != "" || reply.Note != it.note || reply.URI == "" {
			return fmt.Errorf("%s: %s; note %q, want %q", it, wrong, reply.Note, it.note)
		}
		return nil
	})})
}

// read reads the whole vault, which has to be as one of the worlds says; the
// others are given up.
func (s *soak) read() {
	s.Helper()
	s.unlocked()
	// An intake under way may show half before and half after: then once more.
	var err error
	for deadline := time.Now().Add(patience); ; pause() {
		if err = s.tryRead(); err == nil {
			return
		}
		if s.file.settled() || time.Now().After(deadline) {
			s.fail("the vault is not what it has to be: %v", err)
		}
	}
}

// tryRead is one reading.
func (s *soak) tryRead() error {
	now, err := s.readAll()
	if err != nil {
		return err
	}
	var fit []*world
	var why error
	at := 0
	for i, rows := range s.file.pending {
		for _, w := range s.worlds {
			c := w.clone()
			if i > 0 {
				c.take(rows)
			}
			if err := c.compare(now, s.seed); err != nil {
				why = err
			} else {
				if i > at {
					fit, at = nil, i
				}
				fit = append(fit, c)
			}
		}
	}
	if len(fit) == 0 {
		return why
	}
	if fit = s.tellNotes(fit); len(fit) == 0 {
		return errors.New("the notes of entries are not what any request has made them")
	}
	s.worlds = fit
	s.file.pending = s.file.pending[at:]
	if s.file.settled() {
		s.each((*world).end)
	}
	return nil
}

// tellNotes asks for what lists do not show, where worlds differ in that alone.
func (s *soak) tellNotes(worlds []*world) []*world {
	for n, it := range worlds[0].items {
		same := func(w *world) bool { return w.items[n].note == it.note }
		if it.trashed || !slices.ContainsFunc(worlds, func(w *world) bool { return !same(w) }) {
			continue
		}
		now, err := s.client.Entry(s.Context(), it.id, false)
		if err != nil {
			s.fail("show %d: %v", n, err)
		}
		worlds = slices.DeleteFunc(slices.Clone(worlds), func(w *world) bool { return w.items[n].note != now.Note })
		if len(worlds) > 0 {
			worlds = s.tellNotes(worlds)
		}
		return worlds
	}
	return worlds
}
