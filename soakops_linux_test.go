package o2fa_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/ipc"
)

// soakLive is about how many entries there are.
const soakLive = 150

// cli runs o2fa and decodes what it prints with --json.
func (s *soak) cli(ctx context.Context, stdin string, reply any, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(s.programs, "o2fa"), append(args, "--json", "--no-input")...)
	cmd.Env, cmd.Stdin = s.environ(), strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	s.shown.add(fmt.Sprintf("%q", args), stderr.String())
	if !slices.Contains(args, "-s") && !slices.Contains(args, "key") {
		s.shown.add(stdout.String())
	}
	if err != nil {
		var failure ipc.ErrorReply
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		if json.Unmarshal([]byte(lines[len(lines)-1]), &failure) == nil && failure.Error != nil {
			return failure.Error
		}
		return fmt.Errorf("o2fa %q: %w: %s", args, err, &stderr)
	}
	return json.Unmarshal(stdout.Bytes(), reply)
}

// newItem invents an entry.
func (s *soak) newItem() (int, item) {
	n := s.number()
	it := item{seed: fmt.Sprint("e", n), algo: "SHA1", digits: 6, period: 30}
	it.name = fmt.Sprint(one(s, []string{"n", "Bücher ", "git hub ", "日本 ", "o'neil\t\"q\" ", "ÉCOLE-"}), n)
	if s.odds(3) {
		it.algo, it.digits, it.period = one(s, []string{"SHA1", "SHA256", "SHA512"}), 6+s.rng.IntN(4), one(s, []int{15, 30, 60})
	}
	if s.odds(4) {
		it.issuer, it.account = fmt.Sprint("Issuer", n%7), fmt.Sprint("me@", n)
	}
	if s.odds(5) {
		it.tags, it.note, it.pinned = "work home", fmt.Sprint("note of ", n), s.odds(2)
	}
	if it.hotp = s.odds(4); it.hotp {
		it.period, it.counter = 0, s.rng.Uint64N(1<<40)
	}
	return n, it
}

func (s *soak) addRequest(c *client.Client) request {
	n, it := s.newItem()
	req := ipc.AddRequest{Type: "totp", Name: it.name, Secret: derived(s.seed, it.seed), Issuer: it.issuer, Account: it.account, Algorithm: it.algo,
		Digits: it.digits, Period: it.period, Counter: it.counter, Tags: strings.Fields(it.tags), Note: it.note, Pinned: it.pinned}
	if it.hotp {
		req.Type = "hotp"
	}
	byHand := c == nil && it.algo == "SHA1" && !it.hotp && it.issuer+it.tags == "" && it.digits == 6 && it.period == 30
	s.names = append(s.names, it.name)
	var reply ipc.AddReply
	return request{"add " + it.name, func(ctx context.Context) (err error) {
		if byHand {
			return s.cli(ctx, req.Secret+"\n", &reply, "add", "-", it.name)
		}
		reply, err = cmp.Or(c, s.client).Add(ctx, req)
		return err
	}, alter(func(w *world) { w.add(n, it) }, func(*world) error {
		if it.id = reply.Entry.ID; reply.Existed || reply.Entry.Name != it.name {
			return fmt.Errorf("the reply is %+v", reply)
		}
		return nil
	})}
}

func (s *soak) add() {
	if len(s.world().pick(item.live)) > soakLive*5/4 {
		s.delete()
		return
	}
	s.do(s.addRequest(s.byCLI()))
}

// byCLI returns nil, for the command line, or the client.
func (s *soak) byCLI() *client.Client {
	if s.odds(6) {
		return nil
	}
	return s.client
}

func (it item) live() bool { return !it.trashed }

// free returns the items that suit, that can be named by their id, and that no
// change of secrets.json is about to touch.
func (s *soak) free(suits func(item) bool) (numbers []int) {
	busy := s.file.busy(s.world())
	return slices.DeleteFunc(s.world().pick(func(it item) bool { return it.id != "" && suits(it) }), func(n int) bool { return busy[n] })
}

// some returns a few of the numbers, in any order.
func (s *soak) some(numbers []int, most int) []int {
	s.rng.Shuffle(len(numbers), func(i, j int) { numbers[i], numbers[j] = numbers[j], numbers[i] })
	return numbers[:min(len(numbers), 1+s.rng.IntN(most))]
}

func (s *soak) ids(numbers []int) (ids []string) {
	for _, n := range numbers {
		ids = append(ids, s.world().items[n].id)
	}
	return ids
}

func (s *soak) deleteRequest(c *client.Client, numbers []int) request {
	ids := s.ids(numbers)
	var reply ipc.DeleteReply
	return request{fmt.Sprint("delete ", numbers), func(ctx context.Context) (err error) {
		if c == nil && len(ids) == 1 {
			return s.cli(ctx, "", &reply, "delete", "--force", ids[0])
		}
		reply, err = cmp.Or(c, s.client).Delete(ctx, ipc.DeleteRequest{IDs: ids})
		return err
	}, alter(func(w *world) { w.trash(numbers...) }, func(*world) error {
		if reply.Deleted != len(ids) {
			return fmt.Errorf("%d deleted of %d", reply.Deleted, len(ids))
		}
		return nil
	})}
}

func (s *soak) delete() {
	numbers := s.free(item.live)
	if len(numbers) < soakLive/4 {
		return
	}
	s.do(s.deleteRequest(s.byCLI(), s.some(numbers, 1+len(numbers)/30)))
}

// editRequest changes one to three fields, at times the secret.
func (s *soak) editRequest(c *client.Client, n int) request {
	id, mark := s.world().items[n].id, s.number()
	req := ipc.EditRequest{ID: id}
	text := func(format string) *string { v := fmt.Sprintf(format, mark); return &v }
	var changes []func(*item)
	change := func(f func(*item)) { changes = append(changes, f) }
	if s.odds(2) {
		req.Name = text("renamed %d")
		s.names = append(s.names, *req.Name)
		change(func(it *item) { it.name = *req.Name })
	}
	if s.odds(3) {
		req.Note = text("note %d")
		change(func(it *item) { it.note = *req.Note })
	}
	if s.odds(4) {
		seed := fmt.Sprint("s", mark)
		secret := derived(s.seed, seed)
		req.Secret = &secret
		change(func(it *item) { it.seed = seed })
	}
	if len(changes) == 0 {
		req.Issuer, req.Tags = text("issuer %d"), &[]string{fmt.Sprint("t", mark)}
		change(func(it *item) { it.issuer, it.tags = *req.Issuer, (*req.Tags)[0] })
	}
	var reply ipc.EditReply
	return request{fmt.Sprint("edit ", n), func(ctx context.Context) (err error) {
		if c == nil && req.Name != nil && len(changes) == 1 {
			return s.cli(ctx, "", &reply, "edit", "--name", *req.Name, id)
		}
		reply, err = cmp.Or(c, s.client).Edit(ctx, req)
		return err
	}, alter(func(w *world) {
		w.edit(n, func(it *item) {
			for _, f := range changes {
				f(it)
			}
		})
	}, func(*world) error {
		if len(reply.Changed) < len(changes) {
			return fmt.Errorf("changed %v", reply.Changed)
		}
		return nil
	})}
}

func (s *soak) edit() {
	if numbers := s.free(item.live); len(numbers) > 0 {
		s.do(s.editRequest(s.byCLI(), one(s, numbers)))
	}
}

func (it item) inTrash() bool { return it.trashed }

func (s *soak) restore() {
	s.fileSettled()
	numbers := s.free(item.inTrash)
	if len(numbers) == 0 {
		return
	}
	n := one(s, numbers)
	id := s.ids([]int{n})
	s.do(request{fmt.Sprint("restore ", n), func(ctx context.Context) error {
		var reply ipc.RestoreReply
		if s.byCLI() == nil {
			return s.cli(ctx, "", &reply, "trash", "restore", id[0])
		}
		_, err := s.client.Restore(ctx, ipc.RestoreRequest{IDs: id})
		return err
	}, alter(func(w *world) { w.restore(n) }, nil)})
}

// empty removes entries for good, at times all that are in the trash.
func (s *soak) empty() {
	s.fileSettled()
	numbers := s.free(item.inTrash)
	if len(numbers) == 0 {
		return
	}
	req, reply := ipc.EmptyRequest{}, ipc.EmptyReply{}
	if !s.odds(4) {
		numbers = s.some(numbers, len(numbers))
		req.IDs = s.ids(numbers)
	} else if s.read(); len(s.worlds) > 1 {
		return // what all is has to be certain
	}
	s.do(request{fmt.Sprint("empty ", numbers), func(ctx context.Context) (err error) {
		reply, err = s.client.Empty(ctx, req)
		return err
	}, alter(func(w *world) { w.purge(numbers...) }, func(*world) error {
		if reply.Removed != len(numbers) {
			return fmt.Errorf("%d removed of %d", reply.Removed, len(numbers))
		}
		return nil
	})})
}

func (s *soak) undoRequest(c *client.Client) request {
	var reply ipc.UndoReply
	var nothing bool
	return request{"undo", func(ctx context.Context) (err error) {
		if c == nil {
			err = s.cli(ctx, "", &reply, "undo")
		} else {
			reply, err = c.Undo(ctx)
		}
		if nothing = errors.Is(err, ipc.ErrNothing); nothing {
			return nil
		}
		return err
	}, func(w *world, answered bool) (after []*world, err error) {
		switch {
		case !answered:
			return w.undo(nil), nil
		case nothing:
			after = w.undoNothing()
		default:
			after = w.undo(&reply)
		}
		if len(after) == 0 {
			err = fmt.Errorf("the reply is %+v (nothing: %t); the last changes are %v", reply, nothing, w.journal[max(0, len(w.journal)-2):])
		}
		return after, err
	}}
}

func (s *soak) undo() {
	for range 1 + s.rng.IntN(3) {
		s.fileSettled()
		if len(s.worlds) > 1 {
			s.read()
		}
		if len(s.world().journal) == 0 {
			return // there may be changes before those that are known
		}
		s.do(s.undoRequest(s.byCLI()))
	}
}

// code takes the code of an entry, by its id or its name.
func (s *soak) code() {
	numbers := s.free(func(it item) bool { return !it.trashed && !it.hotp })
	if len(numbers) == 0 {
		return
	}
	n := one(s, numbers)
	name := s.world().items[n].id
	if s.odds(2) && s.file.settled() && len(s.worlds) == 1 && len(s.world().named(s.world().items[n].name)) == 1 {
		name = s.world().items[n].name
	}
	var reply ipc.Code
	var from, to time.Time
	s.do(request{fmt.Sprint("code ", n), func(ctx context.Context) (err error) {
		from = s.now()
		if s.byCLI() == nil {
			err = s.cli(ctx, "", &reply, "code", name)
		} else {
			reply, err = s.client.Code(ctx, name, 0)
		}
		to = s.now()
		return err
	}, same(func(w *world) error {
		if want := w.items[n].codesIn(s.seed, from, to); !slices.Contains(want, reply.Code) {
			return fmt.Errorf("%s: the code is %s, want one of %v", w.items[n], reply.Code, want)
		}
		return nil
	})})
}

// counterRequest takes a code of an hotp entry, which never comes again.
func (s *soak) counterRequest(c *client.Client, n int) request {
	id := s.world().items[n].id
	var reply ipc.Code
	return request{fmt.Sprint("counter ", n), func(ctx context.Context) (err error) {
		if c == nil {
			return s.cli(ctx, "", &reply, "code", id)
		}
		reply, err = c.Code(ctx, id, 0)
		return err
	}, alter(func(w *world) {
		it := w.items[n]
		it.counter++
		w.items[n] = it
	}, func(w *world) error {
		it := w.items[n]
		if reply.Counter == nil || *reply.Counter != it.counter || reply.Code != it.codeAt(s.seed, it.counter) {
			return fmt.Errorf("%s: the code %+v, want that of counter %d", it, reply, it.counter)
		}
		return nil
	})}
}

func (s *soak) counter() {
	if numbers := s.free(func(it item) bool { return it.hotp && !it.trashed }); len(numbers) > 0 {
		s.do(s.counterRequest(s.byCLI(), one(s, numbers)))
	}
}
