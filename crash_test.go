package o2fa_test

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/o2fa/o2fa/ipc"
)

// Kills of one run. O2FA_TEST_KILLS=1000 makes a long night of them.
const (
	killsServing  = 50 // of a busy daemon, each with changes under way
	killsCreating = 25 // while the first change makes the vault
	killsStarting = 15 // before it is ready
	killsTaking   = 6  // while it takes a large secrets.json in
	killsRekeying = 15
	killsBackups  = 15
)

// TestCrash kills a real o2fad with SIGKILL at random instants and looks, after
// each restart, for anything that was acknowledged and is not there, is there
// and was never whole, or keeps the next daemon from its work.
//
// The kernel survives a kill, so nothing of this needs the disk to be synced;
// that is for the durability tests.
func TestCrash(t *testing.T) {
	seed := rand.Uint64()
	if text := os.Getenv("O2FA_TEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("O2FA_TEST_SEED: %v", err)
		}
	}
	t.Logf("seed %d; the same kills and requests, as far as the scheduler lets: O2FA_TEST_SEED=%d go test -run '^TestCrash$' .", seed, seed)
	for i, c := range []struct {
		name  string
		run   func(*testing.T, *rand.Rand, int)
		kills int
	}{{"serving", crashServing, killsServing}, {"creating", crashCreating, killsCreating}, {"starting", crashStarting, killsStarting},
		{"taking", crashTaking, killsTaking}, {"rekeying", crashRekeying, killsRekeying},
		{"sealing", crashSealing, killsSealing}, {"mirroring", crashMirroring, killsMirroring},
		{"key file", crashKeyFile, killsRekeying}, {"backups", crashBackingUp, killsBackups}} {
		t.Run(c.name, func(t *testing.T) {
			c.run(t, rand.New(rand.NewPCG(seed, uint64(i))), kills(t, c.kills))
		})
	}
}

func kills(t *testing.T, usual int) int {
	text := os.Getenv("O2FA_TEST_KILLS")
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("O2FA_TEST_KILLS is not a number of kills")
	}
	return n
}

func crashServing(t *testing.T, rng *rand.Rand, kills int) {
	p, l := newPlace(t), newLedger(rng.Uint64())
	o, _ := p.start(t, ipc.StateUninitialized)
	var hits, unanswered, idle int
	for hits < kills {
		n := killUnderLoad(t, l, p, o, rng)
		if n > 0 {
			hits++
		} else if idle++; idle > kills {
			t.Fatalf("%d of %d kills met no change under way", idle, idle+hits)
		}
		unanswered += n
		o = restart(t, l, p)
	}
	o.stop(t)
	t.Logf("%d kills with changes under way, %d without; %d changes acknowledged, %d without an answer, %d rows in the file",
		hits, idle, l.changes, unanswered, len(l.rows))
}

// killUnderLoad keeps the daemon busy, kills it at a random instant and returns
// how many changes had no answer by then.
func killUnderLoad(t *testing.T, l *ledger, p *place, o *agent, rng *rand.Rand) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	b := begin(ctx, l, p, rng)
	select {
	case <-b.first:
	case <-ctx.Done():
	}
	// Mostly soon, sometimes late enough for a look at secrets.json.
	wait := time.Duration(rng.ExpFloat64() * float64(40*time.Millisecond))
	<-time.After(min(wait, 300*time.Millisecond))
	b.killed.Store(true)
	o.kill()
	b.all.Wait()
	return len(l.pending)
}

// restart starts the daemon again and checks all that it holds.
func restart(t *testing.T, l *ledger, p *place) *agent {
	t.Helper()
	o, s := p.start(t, ipc.StateReady)
	if s.Problem != nil {
		t.Errorf("problem after a kill: %v", s.Problem)
	}
	if len(l.file) > 0 {
		await(t, "the intake of secrets.json", func() bool {
			f := p.status(t, o).SecretsFile
			return f.TakenAt != "" && f.Rows == len(l.file) && f.Problem == "" && len(f.Rejected) == 0
		})
	}
	now := p.entries(t)
	l.reconcile(now)
	if s := p.status(t, o); s.Vault.Entries != len(now) {
		t.Errorf("status counts %d entries, there are %d", s.Vault.Entries, len(now))
	}
	if list := p.leftovers(t); len(list) > 0 {
		t.Errorf("left over: %v", list)
	}
	for _, complaint := range l.wrong {
		t.Error(complaint)
	}
	if t.Failed() {
		t.Fatalf("the daemon's log:\n%s", p.log())
	}
	return o
}

// crashCreating kills daemons while they make their first vault, and sees that
// the next one can go on or begin anew.
func crashCreating(t *testing.T, rng *rand.Rand, kills int) {
	whole := timeToCreate(t)
	outcomes := map[string]int{}
	for range kills {
		p := newPlace(t)
		l := newLedger(rng.Uint64())
		o, _ := p.start(t, ipc.StateUninitialized)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		b := begin(ctx, l, p, rng)
		<-time.After(time.Duration(rng.Int64N(int64(2 * whole))))
		b.killed.Store(true)
		o.kill()
		b.all.Wait()
		cancel()
		outcomes[afterCreating(t, l, p)]++
	}
	t.Logf("making a vault takes %v; after %d kills: %v", whole, kills, outcomes)
}

// addOne adds an entry, which has to work.
func (l *ledger) addOne(t *testing.T, p *place) {
	t.Helper()
	name := l.newName("t")
	request := ipc.AddRequest{Name: name, Secret: derived(l.seed, name), Digits: digitsOf(name)}
	if _, err := p.client.Add(t.Context(), request); err != nil {
		t.Fatalf("adding %s: %v", name, err)
	}
	l.accounts[name] = &account{name: name, added: true}
}

// timeToCreate measures how long the first change takes.
func timeToCreate(t *testing.T) time.Duration {
	p := newPlace(t)
	o, _ := p.start(t, ipc.StateUninitialized)
	began := time.Now()
	p.add(t, derived(0, "x"), "x")
	took := time.Since(began)
	o.stop(t)
	return took
}

// afterCreating restarts the daemon of a vault that was perhaps made, and says
// what it found.
func afterCreating(t *testing.T, l *ledger, p *place) string {
	t.Helper()
	_, statErr := os.Stat(p.profile.VaultFile())
	outcome := "no vault"
	if statErr == nil {
		outcome = "a vault"
	}
	acknowledged := l.changes
	// The next daemon may make the vault itself, for the sake of secrets.json.
	o := p.launch(t)
	s := p.status(t, o)
	if outcome == "no vault" && acknowledged > 0 {
		t.Fatalf("%d changes were acknowledged, and there is no vault", acknowledged)
	}
	if s.State != ipc.StateReady && (s.State != ipc.StateUninitialized || outcome == "a vault") {
		t.Fatalf("state %s (%v) with %s; log:\n%s", s.State, s.Problem, outcome, p.log())
	}
	l.addOne(t, p)
	o.stop(t)
	restart(t, l, p).stop(t)
	return outcome
}

// crashStarting kills daemons that open a vault and take in a changed file.
func crashStarting(t *testing.T, rng *rand.Rand, kills int) {
	p, l := newPlace(t), newLedger(rng.Uint64())
	began := time.Now()
	o, _ := p.start(t, ipc.StateUninitialized)
	l.addOne(t, p)
	whole := time.Since(began)
	o.stop(t)
	for range kills {
		for range 20 {
			row := &fileRow{stem: l.newName("f")}
			l.rows[row.stem], l.file = row, append(l.file, row)
		}
		if err := writeSecrets(p.profile.SecretsFile(), secretsJSON(l.seed, l.file), true); err != nil {
			t.Fatal(err)
		}
		o := p.launch(t)
		<-time.After(time.Duration(rng.Int64N(int64(2 * whole))))
		o.kill()
	}
	restart(t, l, p).stop(t)
}

// rowsTaking is how many rows of secrets.json are more than one change takes.
const rowsTaking = 20_000

// crashTaking kills daemons that take a large file in, piece by piece: the next
// one takes what is left, and no row twice.
func crashTaking(t *testing.T, rng *rand.Rand, kills int) {
	var whole time.Duration
	var halfway int
	for n := range kills + 1 {
		p, l := newPlace(t), newLedger(rng.Uint64())
		o, _ := p.start(t, ipc.StateUninitialized)
		l.addOne(t, p) // makes the vault
		for range rowsTaking {
			row := &fileRow{stem: l.newName("f")}
			l.rows[row.stem], l.file = row, append(l.file, row)
		}
		began := time.Now()
		if err := writeSecrets(p.profile.SecretsFile(), secretsJSON(l.seed, l.file), true); err != nil {
			t.Fatal(err)
		}
		taken := func() int { return p.status(t, o).Vault.Entries - 1 }
		if n == 0 { // how long it takes if nobody disturbs
			await(t, "the intake of secrets.json", func() bool { return taken() == rowsTaking })
			whole = time.Since(began)
		} else {
			<-time.After(whole/4 + time.Duration(rng.Int64N(int64(whole))))
		}
		if got := taken(); got > 0 && got < rowsTaking {
			halfway++
		}
		o.kill()
		restart(t, l, p).stop(t)
	}
	t.Logf("taking %d rows takes %v; %d of %d kills came halfway", rowsTaking, whole, halfway, kills)
}
