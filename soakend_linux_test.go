package o2fa_test

import (
	"bytes"
	"encoding/base32"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/o2fa/o2fa/ipc"
)

// shownText is what the programs have shown without being asked for a secret.
type shownText struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (t *shownText) add(texts ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, text := range texts {
		t.text.WriteString(text)
	}
}

// point is what a daemon costs at one step.
type point struct {
	step, entries, trashed int
	anonKB, files, threads int // anonKB is memory of its own, without the files that it has mapped
	vaultKB                int64
	pid                    int
}

// begin makes the vault.
func (s *soak) begin() {
	s.setClock()
	made, err := s.client.Init(s.Context(), ipc.InitRequest{})
	if err != nil {
		s.fail("init: %v", err)
	}
	for _, slot := range made.Vault.Slots {
		s.slots[slot.ID] = keySlot{kind: slot.Type}
	}
	for range soakLive {
		s.do(s.addRequest(s.client))
	}
	s.read()
}

// soakCalm is the part of a run, in tenths, after which the process lives on, so
// that what it collects would show.
const soakCalm = 7

// milestone comes ten times. It measures, mostly a daemon at work.
func (s *soak) milestone() {
	tenth := s.step * 10 / s.steps
	s.calm = tenth >= soakCalm
	s.fileSettled()
	s.read()
	s.observe()
	p := s.measure(tenth == 1 || tenth > soakCalm)
	s.points = append(s.points, p)
	s.Logf("step %5d, %3.0f s: %3d entries, %3d in the trash, vault.db %4d KiB, daemon %5d KiB, %2d files, %2d threads",
		p.step, time.Since(s.began).Seconds(), p.entries, p.trashed, p.vaultKB, p.anonKB, p.files, p.threads)
}

// measure looks what the daemon costs, when it rests or as it is.
func (s *soak) measure(rested bool) point {
	now := s.ensure()
	if rested {
		<-time.After(soakRest*2 + time.Second)
	}
	p := point{step: s.step, entries: now.Vault.Entries, trashed: now.Vault.Trashed, pid: now.PID}
	proc := fmt.Sprintf("/proc/%d", s.pid)
	status, err := os.ReadFile(proc + "/status")
	if err != nil {
		s.fail("%v", err)
	}
	field := func(name string) int {
		m := regexp.MustCompile(`(?m)^` + name + `:\s+(\d+)`).FindSubmatch(status)
		if m == nil {
			s.fail("no %s in %s/status", name, proc)
		}
		n, _ := strconv.Atoi(string(m[1]))
		return n
	}
	p.anonKB, p.threads = field("RssAnon"), field("Threads")
	if files, err := os.ReadDir(proc + "/fd"); err == nil {
		p.files = len(files) // root alone may look
	}
	if info, err := os.Stat(s.profile.VaultFile()); err == nil {
		p.vaultKB = info.Size() >> 10
	}
	return p
}

// What a daemon may have grown by between two looks at rest.
const (
	growthKB      = 4 << 10
	growthFiles   = 3
	growthThreads = 4
)

// theEnd looks at everything once more.
func (s *soak) theEnd() {
	s.step = s.steps
	s.fileSettled()
	s.read()
	for _, w := range s.worlds { // they may differ in what undo would do
		if !slices.Equal(sortedItems(w), sortedItems(s.world())) {
			s.fail("%d different vaults would be right", len(s.worlds))
		}
	}
	s.flat()
	for _, n := range s.world().pick(item.live) {
		s.showItem(n)
	}
	s.lockAndUnlock()
	s.read()
	s.backup()
	s.kill()
	s.read()
	s.look()
	s.observe()
	s.terminate()
	s.leftOver()
	s.secretsStayed()
	s.strays()
	var steps []string
	for _, kind := range stepKinds() {
		steps = append(steps, fmt.Sprintf("%d %s", s.tally[kind.name], kind.name))
	}
	s.Logf("%d steps in %.0f s, seed %d: %s; %d requests without an answer, %d refused on a full disk", s.steps, time.Since(s.began).Seconds(), s.seed,
		strings.Join(steps, ", "), s.tally[noAnswer], s.tally[onFullDisk])
}

// flat compares what the daemon costs with what it cost before: the same process
// since a fifth of the run, and one at the beginning.
func (s *soak) flat() {
	last := s.points[len(s.points)-1]
	for _, before := range s.points[:len(s.points)-1] {
		if before.step*10/s.steps == soakCalm+1 && before.pid != last.pid {
			s.fail("the process has changed from %d to %d in the calm part", before.pid, last.pid)
		}
		rested := before.step*10/s.steps == 1 || before.pid == last.pid && before.step*10/s.steps > soakCalm
		if !rested {
			continue
		}
		if last.anonKB > before.anonKB+growthKB || last.files > before.files+growthFiles || last.threads > before.threads+growthThreads {
			s.fail("the daemon has grown: %+v, then %+v", before, last)
		}
	}
}

// leftOver looks for files that nobody needs.
func (s *soak) leftOver() {
	for _, path := range s.leftovers(s.T) {
		// A change of the slots that was interrupted leaves a key that opens nothing.
		if base := filepath.Base(path); base != "config.toml" && !strings.HasPrefix(base, "vault.key") {
			s.Errorf("left over: %s", path)
		}
	}
}

// secretsStayed looks for every secret that ever was in all files but
// secrets.json, in their names, and in what was printed.
func (s *soak) secretsStayed() {
	needles := map[[8]byte]string{}
	for n := range s.numbers + 1 {
		for _, kind := range []string{"e", "s", "f"} {
			seed := fmt.Sprint(kind, n)
			raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(derived(s.seed, seed))
			if err != nil {
				s.fail("%v", err)
			}
			for form, needle := range canaryForms(raw) {
				needles[[8]byte(needle)] = seed + " as " + form
			}
		}
	}
	search := func(where string, data []byte) {
		for i := 0; i+8 <= len(data); i++ {
			if what, found := needles[[8]byte(data[i:])]; found {
				s.Errorf("%s tells the secret of %s", where, what)
				return
			}
		}
	}
	search("what was printed", s.shown.text.Bytes())
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(d.Name(), "elsewhere") || d.Name() == "secrets.json" || filepath.Dir(path) == s.programs {
			return err
		}
		data, err := os.ReadFile(path)
		search(path, data)
		return err
	})
	if err != nil {
		s.Errorf("searching for secrets: %v", err)
	}
	if other := s.file.now(); len(other) > 0 { // the search can find
		found := false
		data, _ := os.ReadFile(s.profile.SecretsFile())
		for i := 0; i+8 <= len(data) && !found; i++ {
			_, found = needles[[8]byte(data[i:])]
		}
		if !found {
			s.Error("the search does not find what is in secrets.json")
		}
	}
}

// observe keeps what the system shows of the daemon to others.
func (s *soak) observe() {
	for _, name := range []string{"cmdline", "environ"} {
		data, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.pid), name))
		s.shown.add(string(data))
	}
}

// strays looks for processes of the programs that run yet.
func (s *soak) strays() {
	await(s.T, "the end of all processes", func() bool { return len(s.processes()) == 0 })
}

// processes returns the pids of our programs; ended ones have no command line.
func (s *soak) processes() (pids []int) {
	list, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range list {
		data, _ := os.ReadFile(path)
		if bytes.HasPrefix(data, []byte(s.programs+"/")) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// endDaemons ends what a run that failed has left.
func (s *soak) endDaemons() {
	for _, pid := range s.processes() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// finish says of a run that failed how it came to that, and keeps the profile.
func (s *soak) finish() {
	if !s.Failed() {
		return
	}
	if s.small {
		s.writable(true)
	}
	kept, err := os.MkdirTemp("", "o2fa-soak-failed")
	if err == nil {
		err = exec.Command("cp", "-a", s.profile.Dir, kept).Run()
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(kept, "steps"), []byte(strings.Join(s.steplog, "\n")), 0o600)
	}
	last := s.steplog[max(0, len(s.steplog)-150):]
	first := slices.IndexFunc(last, func(line string) bool { return !strings.HasPrefix(line, fmt.Sprintf("%5d", s.step-50)) })
	s.Errorf("seed %d, step %d of %d; the profile is kept in %s (%v); the last steps:\n%s\nthe daemon's log:\n%s",
		s.seed, s.step, s.steps, kept, err, strings.Join(last[max(0, first):], "\n"), s.log())
}
