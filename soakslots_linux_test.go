package o2fa_test

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/o2fa/o2fa/ipc"
)

// keySlot is one wrapping of the vault key.
type keySlot struct {
	kind string
	text string // passphrase or recovery code; empty where nobody heard it, and for a key file
}

func (k keySlot) opens() bool { return k.kind == "keyfile" || k.text != "" }

// opensItself says whether a daemon that starts opens the vault.
func (s *soak) opensItself() bool { return s.slotOf("keyfile") != "" }

// slotOf returns the id of a slot of a kind, or "".
func (s *soak) slotOf(kind string) string {
	for _, id := range slices.Sorted(maps.Keys(s.slots)) {
		if s.slots[id].kind == kind {
			return id
		}
	}
	return ""
}

// unlock opens the vault, by one slot or another.
func (s *soak) unlock() {
	s.Helper()
	var ways []string
	for _, id := range slices.Sorted(maps.Keys(s.slots)) {
		if k := s.slots[id]; k.opens() && (k.kind != "passphrase" || len(s.slots) == 1 || s.odds(5)) { // which takes half a second
			ways = append(ways, k.text)
		}
	}
	if len(ways) == 0 {
		ways = []string{s.slots[s.slotOf("passphrase")].text}
	}
	way := one(s, ways)
	if s.odds(10) {
		if _, err := s.client.Unlock(s.Context(), ipc.UnlockRequest{Passphrase: "it is not this one"}); err == nil || errors.Is(err, ipc.ErrUnavailable) {
			s.fail("unlocking with a wrong passphrase: %v", err)
		}
	}
	var now ipc.Status
	var err error
	if way == "" && s.byCLI() == nil {
		err = s.cli(s.Context(), "", &now, "unlock")
	} else {
		now, err = s.client.Unlock(s.Context(), ipc.UnlockRequest{Passphrase: way})
	}
	if err != nil || now.State != ipc.StateReady {
		s.fail("unlocking: state %s, %v; slots %v", now.State, err, s.slots)
	}
	s.locked = false
}

// changeSlots adds, removes or replaces a key slot, and at times kills the
// daemon meanwhile: then all of the change was made, or nothing.
func (s *soak) changeSlots() {
	s.fileSettled()
	s.unlocked()
	req := s.slotsRequest()
	if req.Add == "" && len(req.Remove) == 0 {
		return
	}
	s.note("  add %q, remove %v", req.Add, req.Remove)
	kill := s.odds(3)
	type answer struct {
		reply ipc.SlotsReply
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		reply, err := s.staying().Slots(s.Context(), req)
		answers <- answer{reply, err}
	}()
	meanwhile := s.several(s.rng.IntN(8)) // clients that know nothing of it
	errs := make([]error, len(meanwhile))
	var all sync.WaitGroup
	for i, r := range meanwhile {
		late := time.Duration(s.rng.Int64N(int64(30 * time.Millisecond)))
		all.Go(func() {
			<-time.After(late)
			errs[i] = r.send(s.Context())
		})
	}
	if kill {
		most := 60 * time.Millisecond
		if req.Add == "passphrase" {
			most = time.Second
		}
		<-time.After(time.Duration(s.rng.Int64N(int64(most))))
		s.kill()
	}
	a := <-answers
	all.Wait()
	if len(meanwhile) > 1 {
		s.each((*world).begin)
	}
	for i, r := range meanwhile {
		s.settle(r, errs[i], kill)
	}
	s.each((*world).end)
	if a.err != nil && (!kill || !errors.Is(a.err, ipc.ErrUnavailable)) {
		s.fail("changing the key slots: %v", a.err)
	}
	s.takeSlots(req, a.reply, a.err == nil)
	s.read()
}

// slotsRequest chooses a change after which, made or not, the vault can be
// opened.
func (s *soak) slotsRequest() (req ipc.SlotsRequest) {
	ids := slices.Sorted(maps.Keys(s.slots))
	slow := s.odds(5) // a vault that a passphrase alone opens takes its time at each start
	if removable := slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		return !slices.ContainsFunc(ids, func(other string) bool {
			return other != id && s.slots[other].opens() && (slow || s.slots[other].kind != "passphrase")
		})
	}); len(removable) > 0 && s.odds(2) || len(ids) > 4 {
		req.Remove = []string{one(s, removable)}
	}
	if len(ids) > 4 {
		return req
	}
	switch {
	case s.slotOf("keyfile") == "" && (s.odds(2) || len(ids) == 1):
		req.Add = "keyfile"
	case s.slotOf("passphrase") == "" && s.odds(4):
		req.Add, req.Passphrase = "passphrase", "a passphrase of four words"
	case len(req.Remove) == 0 || s.odds(2):
		req.Add = "recovery"
	}
	return req
}

// takeSlots takes over what a change has come to, and tries an old code.
func (s *soak) takeSlots(req ipc.SlotsRequest, reply ipc.SlotsReply, answered bool) {
	ctx, cancel := shortly(s.T)
	defer cancel()
	now, err := s.client.Status(ctx)
	if err != nil || now.Vault == nil {
		s.fail("status: %v, %+v", err, now.Problem)
	}
	is := map[string]keySlot{}
	var added string
	for _, slot := range now.Vault.Slots {
		k, old := s.slots[slot.ID]
		if !old {
			added, k = slot.ID, keySlot{slot.Type, cmp.Or(req.Passphrase, reply.RecoveryCode)}
		}
		is[slot.ID] = k
	}
	made := (added != "") == (req.Add != "") && (added == "" || is[added].kind == req.Add) && len(is) == len(s.slots)-len(req.Remove)+min(len(req.Add), 1) &&
		!slices.ContainsFunc(req.Remove, func(id string) bool { _, there := is[id]; return there })
	if !made && (answered || !maps.Equal(is, s.slots)) {
		s.fail("the slots %v became %v by %+v, answered: %t", s.slots, is, req, answered)
	}
	before := s.slots
	s.slots = is
	if now.PID != s.pid {
		s.pid, s.locked = now.PID, !s.opensItself()
	}
	if made && len(req.Remove) > 0 && before[req.Remove[0]].kind == "recovery" && before[req.Remove[0]].text != "" {
		s.unlocked()
		if _, err := s.client.Lock(ctx); err != nil {
			s.fail("lock: %v", err)
		}
		if _, err := s.client.Unlock(ctx, ipc.UnlockRequest{Passphrase: before[req.Remove[0]].text}); !errors.Is(err, ipc.ErrPassphrase) && !errors.Is(err, ipc.ErrInvalid) {
			s.fail("a recovery code that was removed opens the vault: %v", err)
		}
		s.locked = true
	}
	s.unlocked()
}
