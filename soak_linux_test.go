package o2fa_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/o2fa/o2fa/client"
	"github.com/o2fa/o2fa/ipc"
)

// soakSteps are those of a run without O2FA_SOAK_STEPS; "make soak" makes 10,000.
const soakSteps = 400

// TestSoak lives with a vault for thousands of random steps: entries come, go and
// change, secrets.json is stormed, the vault is locked and keyed anew, the daemon
// is killed, stopped, doubled and starved of disk. It drives the programs that
// people get; only the clock of o2fad and the time after which it rests can be
// set. After each kill, and at the end, everything that was acknowledged has to
// be there, and nothing else; the memory has to be flat, and nothing left over.
//
// A failure prints the seed, the step and the last steps, and keeps the profile.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a while")
	}
	dir := soakRoom(t)
	if dir == "" {
		return // it ran in a process of its own
	}
	s := newSoak(t, dir, envNumber(t, "O2FA_SOAK_SEED", rand.Uint64()), int(envNumber(t, "O2FA_SOAK_STEPS", soakSteps)))
	t.Logf("seed %d; the same steps, as far as the scheduler lets: O2FA_SOAK_SEED=%d O2FA_SOAK_STEPS=%d go test -run '^TestSoak$' .", s.seed, s.seed, s.steps)
	defer s.finish()
	s.begin()
	for s.step = 1; s.step <= s.steps; s.step++ {
		s.next()
		if s.step%max(s.steps/10, 1) == 0 {
			s.milestone()
		}
	}
	s.theEnd()
}

func envNumber(t *testing.T, name string, usual uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// What may become of a request, in tally.
const (
	noAnswer   = "requests without an answer"
	onFullDisk = "refused on a full disk"
)

// soak is one run.
type soak struct {
	*testing.T
	*place
	dir         string // of everything
	seed        uint64
	rng         *rand.Rand
	step, steps int
	tally       map[string]int // steps, and what became of them
	steplog     []string       // what was done
	began       time.Time

	worlds  []*world // what may be true; never empty
	numbers int      // of items that were ever thought of
	names   []string // that entries ever had
	slots   map[string]keySlot
	locked  bool          // by command, or since no slot opens by itself
	calm    bool          // no step ends the process from now on
	ahead   time.Duration // of the daemon's clock
	small   bool          // there is a small disk
	full    bool          // it is
	pid     int           // of the daemon; 0 after its end

	file   secretsState
	shown  shownText
	points []point
}

func newSoak(t *testing.T, dir string, seed uint64, steps int) *soak {
	t.Helper()
	small := mountSoakDisk(t, dir)
	t.Setenv(envPrograms, soakPrograms(t, dir))
	p := newPlaceIn(t, dir, filepath.Join(dir, "disk", "p"))
	p.client = &client.Client{Profile: &p.profile, Daemon: filepath.Join(p.programs, "o2fad"), Environ: p.environ()}
	s := &soak{T: t, place: p, dir: dir, seed: seed, rng: rand.New(rand.NewPCG(seed, 0)), steps: steps, tally: map[string]int{},
		small: small, worlds: []*world{newWorld()}, slots: map[string]keySlot{}, began: time.Now()}
	s.file.pending = []secretsRows{{}}
	t.Cleanup(s.endDaemons)
	return s
}

// stepKind is one kind of step, and how often it comes.
type stepKind struct {
	name   string
	weight int
	rough  bool // it may end the process
	run    func(*soak)
}

func stepKinds() []stepKind {
	return []stepKind{
		{"add", 150, false, (*soak).add},
		{"edit", 90, false, (*soak).edit},
		{"delete", 90, false, (*soak).delete},
		{"restore", 25, false, (*soak).restore},
		{"undo", 55, false, (*soak).undo},
		{"empty", 10, false, (*soak).empty},
		{"code", 150, false, (*soak).code},
		{"counter", 90, false, (*soak).counter},
		{"look", 60, false, (*soak).look},
		{"show", 20, false, (*soak).show},
		{"find", 40, false, (*soak).find},
		{"together", 40, false, func(s *soak) { s.together(false) }},
		{"storm", 45, false, (*soak).storm},
		{"config", 12, false, (*soak).config},
		{"clock", 12, false, (*soak).clock},
		{"stop and go", 8, false, (*soak).stopAndGo},
		{"lock", 20, true, (*soak).lock},
		{"kill", 35, true, func(s *soak) { s.together(true) }},
		{"kill at rest", 8, true, (*soak).killAtRest},
		{"kill while locking", 5, true, (*soak).killWhileLocking},
		{"end", 6, true, (*soak).terminate},
		{"many daemons", 5, true, (*soak).manyDaemons},
		{"slots", 8, true, (*soak).changeSlots},
		{"backup", 6, false, (*soak).backup},
		{"disk full", 4, false, (*soak).diskFull},
		{"read-only", 3, true, (*soak).readOnlyVault},
	}
}

// next makes one step.
func (s *soak) next() {
	var kinds []stepKind
	sum := 0
	for _, k := range stepKinds() {
		if !s.calm || !k.rough {
			kinds = append(kinds, k)
			sum += k.weight
		}
	}
	at := s.rng.IntN(sum)
	for _, k := range kinds {
		if at -= k.weight; at < 0 {
			s.note("%s", k.name)
			s.tally[k.name]++
			k.run(s)
			return
		}
	}
}

// note remembers what is done, for the message of a failure.
func (s *soak) note(format string, args ...any) {
	s.steplog = append(s.steplog, fmt.Sprintf("%5d  %s", s.step, fmt.Sprintf(format, args...)))
}

// request is one that changes something, or may.
type request struct {
	what string
	send func(context.Context) error
	// apply returns the worlds that w becomes when the change is made; reply says
	// that send has stored an answer, which then has to fit.
	apply func(w *world, reply bool) ([]*world, error)
}

// same is for a request that changes nothing, and may judge the answer.
func same(judge func(w *world) error) func(*world, bool) ([]*world, error) {
	return func(w *world, reply bool) ([]*world, error) {
		if reply {
			if err := judge(w); err != nil {
				return nil, err
			}
		}
		return []*world{w}, nil
	}
}

// alter is for a request that changes a world in one way.
func alter(change func(w *world), judge func(w *world) error) func(*world, bool) ([]*world, error) {
	return func(w *world, reply bool) ([]*world, error) {
		if reply && judge != nil {
			if err := judge(w); err != nil {
				return nil, err
			}
		}
		c := w.clone()
		change(c)
		return []*world{c}, nil
	}
}

// do makes a request, which has to work unless the disk is full.
func (s *soak) do(r request) (done bool) {
	s.Helper()
	if s.locked || s.pid == 0 && !s.opensItself() {
		s.unlocked()
	}
	ctx, cancel := shortly(s.T)
	defer cancel()
	return s.settle(r, r.send(ctx), false)
}

// settle takes over what a request has come to. Without an answer from a daemon
// that was killed it may have been carried out or not.
func (s *soak) settle(r request, err error, killed bool) (done bool) {
	s.Helper()
	switch {
	case err == nil:
		s.note("  %s: done", r.what)
		s.become(r, true, false)
		return true
	case killed && errors.Is(err, ipc.ErrUnavailable):
		s.note("  %s: no answer", r.what)
		s.tally[noAnswer]++
		s.become(r, false, true)
	case s.full && errors.Is(err, ipc.ErrDiskFull):
		s.note("  %s: disk full", r.what)
		s.tally[onFullDisk]++
	default:
		s.fail("%s: %v", r.what, err)
	}
	return false
}

// become replaces the worlds by those after a request, and keeps those before
// if it may not have been carried out.
func (s *soak) become(r request, reply, maybe bool) {
	s.Helper()
	var next []*world
	var why error
	for _, w := range s.worlds {
		after, err := r.apply(w, reply)
		if err != nil {
			why = err
		}
		next = append(next, after...)
		if maybe && !slices.Contains(after, w) {
			next = append(next, w)
		}
	}
	if len(next) == 0 {
		s.fail("%s: %v", r.what, why)
	}
	s.worlds = next
}

// world is the likeliest of those that may be true, for choosing what to do.
func (s *soak) world() *world { return s.worlds[0] }

// each changes all worlds.
func (s *soak) each(change func(*world)) {
	for _, w := range s.worlds {
		change(w)
	}
}

// number returns the number of a new item.
func (s *soak) number() int {
	s.numbers++
	return s.numbers
}

// odds is true once in n times.
func (s *soak) odds(n int) bool { return s.rng.IntN(n) == 0 }

// one returns one of a list.
func one[T any](s *soak, list []T) T { return list[s.rng.IntN(len(list))] }

// fail ends the run. finish says the rest.
func (s *soak) fail(format string, args ...any) {
	s.Helper()
	s.Fatalf("step %d of %d, seed %d: %s", s.step, s.steps, s.seed, fmt.Sprintf(format, args...))
}
