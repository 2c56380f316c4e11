package o2fa_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/o2fa/o2fa/ipc"
)

// spoil makes a vault with two entries, stops its daemon and lets change write
// another content over vault.db. It returns the good content.
func (p *place) spoil(t *testing.T, change func(good []byte) []byte) (good []byte, names map[string]bool) {
	t.Helper()
	o, _ := p.start(t, ipc.StateUninitialized)
	names = p.furnish(t)
	o.stop(t)
	good, err := os.ReadFile(p.profile.VaultFile())
	if err != nil {
		t.Fatal(err)
	}
	p.put(t, change(bytes.Clone(good)))
	return good, names
}

// put writes vault.db in place.
func (p *place) put(t *testing.T, content []byte) {
	t.Helper()
	if err := os.WriteFile(p.profile.VaultFile(), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// unusable checks a daemon whose vault cannot be used: it answers, says why to
// every request, and touches nothing.
func (p *place) unusable(t *testing.T, want error) *agent {
	t.Helper()
	before := snapshot(t, p.profile.Dir)
	o, s := p.start(t, ipc.StateFailed)
	wire := p.fail(t, "status", s.Problem, want)
	failed := map[string]error{"add": p.tryAdd(t, "late")}
	_, failed["code"] = p.client.Code(t.Context(), "a", 0)
	_, failed["entries"] = p.client.Entries(t.Context(), "", true)
	_, failed["init"] = p.client.Init(t.Context(), ipc.InitRequest{})
	_, failed["unlock"] = p.client.Unlock(t.Context(), ipc.UnlockRequest{})
	_, failed["unlock with a passphrase"] = p.client.Unlock(t.Context(), ipc.UnlockRequest{Passphrase: "correct horse"})
	_, failed["undo"] = p.client.Undo(t.Context())
	for what, err := range failed {
		p.fail(t, what, err, want)
	}
	p.prints(t, wire, "code", "a")
	p.prints(t, wire, "add", secretOf("late"), "late")
	p.prints(t, wire, "init")
	if stdout, stderr, exit := p.o2fa(t, "status"); exit != 0 || !strings.Contains(stdout+stderr, wire.Message) {
		t.Errorf("o2fa status, exit code %d, does not tell %q:\n%s%s", exit, wire.Message, stdout, stderr)
	}
	p.untouched(t, before)
	return o
}

func (p *place) untouched(t *testing.T, before map[string]string) {
	t.Helper()
	after := snapshot(t, p.profile.Dir)
	for name, content := range before {
		if after[name] != content {
			t.Errorf("%s has changed", name)
		}
	}
	if len(after) != len(before) {
		t.Errorf("%d files, before %d", len(after), len(before))
	}
}

// mended checks that the same daemon works once the good file is back.
func (p *place) mended(t *testing.T, o *agent, good []byte, names map[string]bool) {
	t.Helper()
	p.put(t, good)
	if _, stderr, exit := p.o2fa(t, "unlock"); exit != 0 {
		t.Errorf("o2fa unlock with the file put back: exit code %d, %s", exit, stderr)
	}
	p.holds(t, names)
	p.codeIs(t, "a")
	p.add(t, secretOf("new"), "new")
	o.stop(t)
}

// The format number stands in clear, and no checksum covers it.
func newerFormat(t *testing.T, r *room) {
	p := r.place(t, r.open)
	good, names := p.spoil(t, func(b []byte) []byte {
		was, is := []byte("format\x00\x00\x00\x01"), []byte("format\x00\x00\x00\x02")
		if !bytes.Contains(b, was) {
			t.Fatal("the format number is not where it was")
		}
		return bytes.ReplaceAll(b, was, is)
	})
	p.mended(t, p.unusable(t, ipc.ErrNewerFormat), good, names)
}

func truncated(t *testing.T, r *room) {
	p := r.place(t, r.open)
	good, names := p.spoil(t, func(b []byte) []byte { return b[:0] })
	p.mended(t, p.unusable(t, ipc.ErrCorrupt), good, names)
	used := len(bytes.TrimRight(good, "\x00")) // the file may be larger
	for _, size := range []int{1, 100, pageSize - 1, pageSize, 2 * pageSize, 3 * pageSize, used / 2, used - pageSize, used - 1} {
		p.put(t, good[:size])
		p.unusable(t, ipc.ErrCorrupt).stop(t)
		if t.Failed() {
			t.Fatalf("with %d bytes of %d", size, used)
		}
	}
	p.put(t, []byte(strings.Repeat("this never was a vault\n", 1000)))
	p.unusable(t, ipc.ErrCorrupt).stop(t)
}

// pageSize is that of a vault on a machine with small pages.
var pageSize = os.Getpagesize()

// damagedPage spoils each page of a vault in several ways, one at a time. Most
// damage shows at once or where it is met; what is shown in spite of it is right.
func damagedPage(t *testing.T, r *room) {
	p := r.place(t, r.open)
	o, _ := p.start(t, ipc.StateUninitialized)
	names := p.furnish(t)
	for n := range 24 {
		name := fmt.Sprintf("n%d", n)
		p.add(t, secretOf(name), name)
		names[name] = true
	}
	o.stop(t)
	good, err := os.ReadFile(p.profile.VaultFile())
	if err != nil {
		t.Fatal(err)
	}
	tally := map[string]int{}
	for at := 0; at < len(good); at += pageSize {
		for how, spoil := range map[string]func(page []byte){
			"flipped": func(page []byte) {
				for i := range page {
					page[i] ^= 0xff
				}
			},
			"zeroed":     func(page []byte) { clear(page) },
			"head only":  func(page []byte) { page[8] ^= 0x07 },                         // its kind
			"count":      func(page []byte) { page[10] ^= 0x05 },                        // of its elements
			"one record": func(page []byte) { page[len(page)/8] ^= 0x40 },               // often a key or an offset
			"swapped":    func(page []byte) { copy(page, good[4*pageSize:5*pageSize]) }, // another page's content
		} {
			bad := bytes.Clone(good)
			spoil(bad[at : at+pageSize])
			p.put(t, bad)
			tally[p.damaged(t, good, names)]++
			if t.Failed() {
				t.Fatalf("page %d of %d, %s; log:\n%s", at/pageSize, len(good)/pageSize, how, p.log())
			}
		}
	}
	if tally["failed"] == 0 || tally["ready, with errors"] == 0 {
		t.Errorf("kinds of outcome: %v", tally)
	}
	t.Logf("%d pages: %v", len(good)/pageSize, tally)
	p.put(t, good)
	o, _ = p.start(t, ipc.StateReady)
	p.holds(t, names)
	o.stop(t)
}

// damaged uses a vault with damage somewhere, puts the good one back, and says
// what came of it. If the damage is in one of the two pages that say which state
// is the last, the vault may be as it was before its last change: status says
// so, and that entry is not asked for here.
func (p *place) damaged(t *testing.T, good []byte, names map[string]bool) string {
	t.Helper()
	before := snapshot(t, p.profile.Dir)
	o := p.launch(t)
	s := p.status(t, o)
	if s.Problem != nil && s.State != ipc.StateReady {
		p.fail(t, "status", s.Problem, ipc.ErrCorrupt)
	}
	met := s.State != ipc.StateReady
	list, err := p.client.Entries(t.Context(), "", true)
	if err != nil {
		met = true
		p.damage(t, "entries", err, s.State)
	}
	if err == nil && len(list.Entries) < len(names) && s.Problem == nil {
		t.Errorf("a list of %d entries instead of %d, and no error", len(list.Entries), len(names))
	}
	for _, e := range list.Entries {
		if !names[e.Name] || e.Secret != secretOf(e.Name) {
			t.Errorf("entry %s has a secret that was never its own", e.Name)
		}
	}
	for _, name := range []string{"a", "n3", "n11", "n22"} {
		want := codeOf(t, name)
		code, err := p.client.Code(t.Context(), name, 0)
		switch {
		case err != nil:
			met = true
			p.damage(t, "code of "+name, err, s.State)
		case code.Code != want && code.Code != codeOf(t, name):
			t.Errorf("the code of %s is wrong", name)
		}
	}
	if s, err := p.client.Status(t.Context()); err != nil {
		t.Errorf("status: %v", err)
	} else if met && s.State == ipc.StateReady && s.Problem == nil {
		t.Error("damage was met, and status does not tell")
	}
	p.untouched(t, before)
	if err := p.tryAdd(t, "late"); err != nil {
		p.damage(t, "add", err, s.State)
		p.untouched(t, before)
	}
	p.restore(t, good)
	if _, stderr, exit := p.o2fa(t, "unlock"); exit != 0 {
		t.Errorf("o2fa unlock with the file put back: exit code %d, %s", exit, stderr)
	}
	p.holds(t, names)
	o.stop(t)
	switch {
	case s.State == ipc.StateFailed, s.State == ipc.StateLocked:
		return string(s.State)
	case met:
		return "ready, with errors"
	}
	return "ready"
}

// restore puts a copy of the vault in its place, as mv does.
func (p *place) restore(t *testing.T, good []byte) {
	t.Helper()
	copied := filepath.Join(p.env["HOME"], "copy")
	if err := os.WriteFile(copied, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(copied, p.profile.VaultFile()); err != nil {
		t.Fatal(err)
	}
}

// replaced puts an older copy under a daemon that has the vault open: what it
// would write now would be lost with the file that has no name any more.
func replaced(t *testing.T, r *room) {
	p := r.place(t, r.open)
	o, _ := p.start(t, ipc.StateUninitialized)
	names := p.furnish(t)
	older := []byte(snapshotOf(t, p.profile.VaultFile()))
	p.add(t, secretOf("late"), "late")
	p.restore(t, older)
	var wire *ipc.Error
	for what, err := range p.changes(t) {
		wire = p.fail(t, what, err, ipc.ErrReplaced)
	}
	p.prints(t, wire, "add", secretOf("new"), "new")
	p.codeIs(t, "a")
	if _, stderr, exit := p.o2fa(t, "unlock"); exit != 0 {
		t.Errorf("o2fa unlock: exit code %d, %s", exit, stderr)
	}
	p.holds(t, names)
	p.worksAgain(t, o, names)
}

// damage checks the error of a request to a damaged vault.
func (p *place) damage(t *testing.T, what string, err error, state ipc.State) {
	t.Helper()
	if state == ipc.StateLocked && errors.Is(err, ipc.ErrLocked) {
		return
	}
	p.fail(t, what, err, ipc.ErrCorrupt)
}

func snapshotOf(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
