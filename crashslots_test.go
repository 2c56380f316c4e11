package o2fa_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/o2fa/o2fa/ipc"
)

// entriesRekeying make a rekeying long enough to be killed in its middle.
const entriesRekeying = 2000

// crashRekeying kills daemons that change a recovery code, for which everything
// is sealed anew: afterwards either the old code opens the vault or the new one,
// never both and never none, and every entry is there.
func crashRekeying(t *testing.T, rng *rand.Rand, kills int) {
	p, l := newPlace(t), newLedger(rng.Uint64())
	for range entriesRekeying {
		row := &fileRow{stem: l.newName("f")}
		l.rows[row.stem], l.file = row, append(l.file, row)
	}
	if err := p.profile.MakeDir(); err != nil {
		t.Fatal(err)
	}
	if err := writeSecrets(p.profile.SecretsFile(), secretsJSON(l.seed, l.file), true); err != nil {
		t.Fatal(err)
	}
	o := p.launch(t)
	p.status(t, o)
	if _, err := p.client.Entries(t.Context(), "", false); err != nil {
		t.Fatal(err)
	}
	first := p.slots(t, ipc.SlotsRequest{Add: "recovery"})
	began := time.Now()
	next := p.slots(t, ipc.SlotsRequest{Add: "recovery", Remove: []string{first.Added.ID}})
	whole := time.Since(began)
	code, id := next.RecoveryCode, next.Added.ID
	outcomes := map[string]int{}
	for range kills {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		answered := make(chan *ipc.SlotsReply, 1)
		go func() {
			reply, err := p.client.Slots(ctx, ipc.SlotsRequest{Add: "recovery", Remove: []string{id}})
			if err != nil {
				answered <- nil
				return
			}
			answered <- &reply
		}()
		<-time.After(time.Duration(rng.Int64N(int64(whole) * 3 / 2)))
		o.kill()
		reply := <-answered
		cancel()
		o = p.launch(t)
		s := p.status(t, o)
		if s.State != ipc.StateReady || s.Vault.Entries != entriesRekeying || len(s.Vault.Slots) != 2 {
			t.Fatalf("state %s (%v), %d entries, %d slots; log:\n%s", s.State, s.Problem, s.Vault.Entries, len(s.Vault.Slots), p.log())
		}
		if list, err := p.client.Entries(t.Context(), "", true); err != nil || len(list.Entries) != entriesRekeying {
			t.Fatalf("%d entries open, %v", len(list.Entries), err)
		}
		now := recoverySlot(t, s)
		switch {
		case reply != nil && now != reply.Added.ID:
			t.Fatal("a change that was acknowledged is not there")
		case reply != nil:
			outcomes["acknowledged"]++
			p.mustOpen(t, reply.RecoveryCode, code)
			code, id = reply.RecoveryCode, now
		case now == id:
			outcomes["not made"]++
			p.mustOpen(t, code, "")
		default:
			outcomes["made, and nobody heard"]++
			p.mustOpen(t, "", code)
			fresh := p.slots(t, ipc.SlotsRequest{Add: "recovery", Remove: []string{now}})
			code, id = fresh.RecoveryCode, fresh.Added.ID
		}
	}
	o.stop(t)
	t.Logf("sealing %d entries anew takes %v; after %d kills: %v", entriesRekeying, whole, kills, outcomes)
}

// crashKeyFile kills daemons that change the key file: afterwards the file of one
// slot, the old one or the new one, opens the vault by itself, and every entry is
// there. The next change works, whatever the killed one left.
func crashKeyFile(t *testing.T, rng *rand.Rand, kills int) {
	p := newPlace(t)
	o := p.launch(t)
	p.status(t, o)
	const entries = 200
	for i := range entries {
		if _, err := p.client.Add(t.Context(), ipc.AddRequest{Secret: "GEZDGNBVGY3TQOJQ", Name: fmt.Sprintf("entry %d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	id := p.slots(t, ipc.SlotsRequest{Add: "keyfile", Remove: []string{p.status(t, o).Vault.Slots[0].ID}}).Added.ID
	whole := time.Since(began)
	outcomes := map[string]int{}
	for range kills {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		answered := make(chan string, 1)
		go func() {
			reply, err := p.client.Slots(ctx, ipc.SlotsRequest{Add: "keyfile", Remove: []string{id}})
			if err != nil || reply.Added == nil {
				answered <- ""
				return
			}
			answered <- reply.Added.ID
		}()
		<-time.After(time.Duration(rng.Int64N(int64(whole) * 5)))
		o.kill()
		acknowledged := <-answered
		cancel()
		o = p.launch(t)
		s := p.status(t, o)
		if s.State != ipc.StateReady || s.Vault.Entries != entries || len(s.Vault.Slots) != 1 {
			t.Fatalf("state %s (%v), %d entries, %d slots; log:\n%s", s.State, s.Problem, s.Vault.Entries, len(s.Vault.Slots), p.log())
		}
		switch now := s.Vault.Slots[0].ID; {
		case acknowledged != "" && now != acknowledged:
			t.Fatal("a change that was acknowledged is not there")
		case acknowledged != "":
			outcomes["acknowledged"]++
		case now == id:
			outcomes["not made"]++
		default:
			outcomes["made, and nobody heard"]++
		}
		id = s.Vault.Slots[0].ID
	}
	id = p.slots(t, ipc.SlotsRequest{Add: "keyfile", Remove: []string{id}}).Added.ID
	if _, err := p.client.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.client.Unlock(t.Context(), ipc.UnlockRequest{}); err != nil {
		t.Fatal(err)
	}
	o.stop(t)
	t.Logf("changing the key file of %d entries takes %v; after %d kills: %v", entries, whole, kills, outcomes)
}

// slots changes the key slots, which has to work.
func (p *place) slots(t *testing.T, req ipc.SlotsRequest) ipc.SlotsReply {
	t.Helper()
	reply, err := p.client.Slots(t.Context(), req)
	if err != nil {
		t.Fatalf("changing the key slots: %v; log:\n%s", err, p.log())
	}
	return reply
}

func recoverySlot(t *testing.T, s ipc.Status) string {
	t.Helper()
	for _, slot := range s.Vault.Slots {
		if slot.Type == "recovery" {
			return slot.ID
		}
	}
	t.Fatal("there is no recovery slot")
	return ""
}

// mustOpen wants the vault to open by one code and not by another, where they
// are given, and leaves it open.
func (p *place) mustOpen(t *testing.T, right, wrong string) {
	t.Helper()
	for code, want := range map[string]error{right: nil, wrong: ipc.ErrPassphrase} {
		if code == "" {
			continue
		}
		if _, err := p.client.Lock(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := p.client.Unlock(t.Context(), ipc.UnlockRequest{Passphrase: code}); !errors.Is(err, want) {
			t.Fatalf("unlocking: %v, want %v", err, want)
		}
	}
	if _, err := p.client.Unlock(t.Context(), ipc.UnlockRequest{}); err != nil {
		t.Fatal(err)
	}
}
