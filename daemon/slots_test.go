package daemon_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/o2fa/o2fa/daemon/daemontest"
	"github.com/o2fa/o2fa/ipc"
)

func changeSlots(t *testing.T, d *daemontest.Daemon, req ipc.SlotsRequest) ipc.SlotsReply {
	t.Helper()
	reply, err := d.Client.Slots(t.Context(), req)
	if err != nil {
		t.Fatalf("%+v: %v", req.Add, err)
	}
	return reply
}

func slotTypes(v *ipc.VaultStatus) string {
	var types []string
	for _, s := range v.Slots {
		types = append(types, s.Type)
	}
	return strings.Join(types, " ")
}

// unlocks says whether a passphrase, a code, or nothing unlocks the vault.
func unlocks(t *testing.T, d *daemontest.Daemon, pass string) error {
	t.Helper()
	if _, err := d.Client.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Client.Unlock(t.Context(), ipc.UnlockRequest{Passphrase: pass}); err != nil {
		return err
	}
	_, err := d.Client.Code(t.Context(), "github", 0)
	return err
}

func TestSlots(t *testing.T) {
	d := daemontest.Run(t)
	d.Add(t, rfcSecret, "github")
	first := changeSlots(t, d, ipc.SlotsRequest{Add: "passphrase", Passphrase: "correct horse"})
	if first.Added == nil || first.Added.Type != "passphrase" || len(first.Vault.Slots) != 2 {
		t.Fatalf("%+v", first)
	}
	recovery := changeSlots(t, d, ipc.SlotsRequest{Add: "recovery"})
	if len(recovery.RecoveryCode) != 32 || len(recovery.Vault.Slots) != 3 {
		t.Fatalf("%+v", recovery.Vault)
	}
	for _, pass := range []string{"", "correct horse", recovery.RecoveryCode, strings.ToLower(recovery.RecoveryCode)} {
		if err := unlocks(t, d, pass); err != nil {
			t.Errorf("with %d characters: %v", len(pass), err)
		}
	}
	if err := unlocks(t, d, "wrong"); !errors.Is(err, ipc.ErrPassphrase) {
		t.Errorf("a wrong passphrase: %v", err)
	}
	if err := unlocks(t, d, ""); err != nil {
		t.Fatal(err)
	}
	// A new passphrase in place of the old one, in one step.
	changed := changeSlots(t, d, ipc.SlotsRequest{Add: "passphrase", Passphrase: "battery staple", Remove: []string{first.Added.ID}})
	if len(changed.Vault.Slots) != 3 || len(changed.Left) != 0 {
		t.Errorf("%+v", changed)
	}
	for pass, want := range map[string]error{"correct horse": ipc.ErrPassphrase, "battery staple": nil, recovery.RecoveryCode: nil} {
		if err := unlocks(t, d, pass); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", pass, err, want)
		}
	}
	if err := unlocks(t, d, "battery staple"); err != nil {
		t.Fatal(err)
	}
	// Without the keyring slot nothing opens by itself.
	var keyring []string
	for _, s := range changed.Vault.Slots {
		if s.Type != "passphrase" && s.Type != "recovery" {
			keyring = append(keyring, s.ID)
		}
	}
	if reply := changeSlots(t, d, ipc.SlotsRequest{Remove: keyring}); len(reply.Vault.Slots) != 2 || len(reply.Left) != 0 {
		t.Errorf("%+v", reply)
	}
	if err := unlocks(t, d, ""); err == nil {
		t.Error("it opens without passphrase or code")
	}
	d.Stop(t)
	d.Start(t)
	if err := unlocks(t, d, "battery staple"); err != nil {
		t.Error(err)
	}
}

func TestSlotsRefuse(t *testing.T) {
	d := daemontest.Run(t)
	if _, err := d.Client.Slots(t.Context(), ipc.SlotsRequest{Add: "recovery"}); !errors.Is(err, ipc.ErrUninitialized) {
		t.Errorf("without a vault: %v", err)
	}
	d.Add(t, rfcSecret, "github")
	status, err := d.Client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	only := status.Vault.Slots[0].ID
	for what, c := range map[string]struct {
		req  ipc.SlotsRequest
		want error
	}{
		"the last":                 {ipc.SlotsRequest{Remove: []string{only}}, ipc.ErrInvalid},
		"none such":                {ipc.SlotsRequest{Remove: []string{strings.Repeat("0", 32)}}, ipc.ErrNotFound},
		"an id that is none":       {ipc.SlotsRequest{Remove: []string{"x"}}, ipc.ErrBadRequest},
		"nothing":                  {ipc.SlotsRequest{}, ipc.ErrInvalid},
		"no passphrase":            {ipc.SlotsRequest{Add: "passphrase"}, ipc.ErrInvalid},
		"a passphrase for another": {ipc.SlotsRequest{Add: "recovery", Passphrase: "x"}, ipc.ErrInvalid},
		"an unknown type":          {ipc.SlotsRequest{Add: "memory"}, ipc.ErrInvalid},
	} {
		if _, err := d.Client.Slots(t.Context(), c.req); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
	if _, err := d.Client.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Client.Slots(t.Context(), ipc.SlotsRequest{Add: "recovery"}); !errors.Is(err, ipc.ErrLocked) {
		t.Errorf("while locked: %v", err)
	}
	if after, err := d.Client.Status(t.Context()); err != nil || len(after.Vault.Slots) != 1 {
		t.Errorf("%v, %v", slotTypes(after.Vault), err)
	}
}

// TestKeyfileSlotGoes shows that a key file is deleted with its slot.
func TestKeyfileSlotGoes(t *testing.T) {
	d := daemontest.Run(t)
	d.Add(t, rfcSecret, "github")
	added := changeSlots(t, d, ipc.SlotsRequest{Add: "keyfile"})
	path := filepath.Join(d.Profile.Dir, "vault.key")
	if _, err := os.Stat(path); err != nil || added.Added.Protected {
		t.Fatalf("%+v, %v", added.Added, err)
	}
	if _, err := d.Client.Slots(t.Context(), ipc.SlotsRequest{Add: "keyfile"}); err == nil {
		t.Error("a second key file over the first")
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changeSlots(t, d, ipc.SlotsRequest{Remove: []string{added.Added.ID}})
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the key file is still there: %v", err)
	}

	// A daemon that was killed before it could delete the file leaves it. It is in
	// nobody's way, and kept.
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	changeSlots(t, d, ipc.SlotsRequest{Add: "keyfile"})
	aside, _ := filepath.Glob(path + ".unused-*")
	if len(aside) != 1 {
		t.Fatalf("set aside: %v", aside)
	}
	if kept, err := os.ReadFile(aside[0]); err != nil || string(kept) != string(old) {
		t.Errorf("what was set aside is another file, %v", err)
	}
	if now, err := os.ReadFile(path); err != nil || string(now) == string(old) {
		t.Errorf("the new slot has the old key, %v", err)
	}
}

// TestChangesDuringRekey: clients change entries while everything is sealed anew,
// again and again. None of them is refused, and nothing of it is lost.
func TestChangesDuringRekey(t *testing.T) {
	d := daemontest.Run(t)
	d.Add(t, rfcSecret, "github")
	var all sync.WaitGroup
	over := make(chan struct{})
	added := make([][]string, 4)
	for n := range added {
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-over:
					return
				default:
				}
				name := fmt.Sprintf("%d of %d", i, n)
				if _, err := d.Client.Add(t.Context(), ipc.AddRequest{Name: name, Secret: rfcSecret}); err != nil {
					t.Errorf("adding %s: %v", name, err)
					return
				}
				added[n] = append(added[n], name)
			}
		})
	}
	last := changeSlots(t, d, ipc.SlotsRequest{Add: "recovery"})
	for range 10 {
		last = changeSlots(t, d, ipc.SlotsRequest{Add: "recovery", Remove: []string{last.Added.ID}})
	}
	close(over)
	all.Wait()
	list, err := d.Client.Entries(t.Context(), "", false)
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, e := range list.Entries {
		there[e.Name] = true
	}
	for _, name := range slices.Concat(added...) {
		if !there[name] {
			t.Errorf("%s was added, and is not there", name)
		}
	}
	if len(there) < 5 {
		t.Errorf("%d entries", len(there))
	}
}

// TestRekeyTakesNothingTwice: what was deleted here stays deleted, although the
// secrets file still has it and every fingerprint is compared anew.
func TestRekeyTakesNothingTwice(t *testing.T) {
	d := daemontest.New(t)
	if err := os.MkdirAll(d.Profile.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(d.Profile.Dir, "secrets.json")
	if err := os.WriteFile(file, []byte(`{"secrets": [{"secret": "`+rfcSecret+`", "name": "github"}, {"secret": "JBSWY3DPEHPK3PXP", "name": "gone"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	d.Start(t)
	list, err := d.Client.Entries(t.Context(), "gone", false)
	if err != nil || len(list.Entries) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	if _, err := d.Client.Delete(t.Context(), ipc.DeleteRequest{IDs: []string{list.Entries[0].ID}}); err != nil {
		t.Fatal(err)
	}
	added := changeSlots(t, d, ipc.SlotsRequest{Add: "recovery"})
	changeSlots(t, d, ipc.SlotsRequest{Remove: []string{added.Added.ID}})
	d.Stop(t)
	if err := os.WriteFile(file, []byte(`{"secrets": [{"secret": "`+rfcSecret+`", "name": "github"}, {"secret": "JBSWY3DPEHPK3PXP", "name": "gone"} ]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	d.Start(t)
	if list, err := d.Client.Entries(t.Context(), "", false); err != nil || len(list.Entries) != 1 || list.Entries[0].Name != "github" {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestKeyFileGone: what is lost is told while it can still be saved, at the place
// where the profile is now.
func TestKeyFileGone(t *testing.T) {
	d := daemontest.New(t)
	d.Config.Keystore, d.Config.Keyring = "keyfile", nil
	d.Start(t)
	d.Add(t, rfcSecret, "github")
	path := filepath.Join(d.Profile.Dir, "vault.key")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	status, err := d.Client.Status(t.Context())
	if err != nil || !status.Vault.Slots[0].Missing || status.Vault.Slots[0].Path != path {
		t.Errorf("%+v, %v", status.Vault, err)
	}
	if !slices.ContainsFunc(status.Warnings, func(w ipc.Warning) bool { return w.Code == "key_missing" && w.Hint == "o2fa key add recovery" }) {
		t.Errorf("%+v", status.Warnings)
	}
	// Locked, it would be lost.
	if _, err := d.Client.Lock(t.Context()); err == nil || !strings.Contains(err.Error(), "nothing would open the vault again") {
		t.Errorf("lock: %v", err)
	}
	wantState(t, d, "after that", ipc.StateReady, "")
	recovery := changeSlots(t, d, ipc.SlotsRequest{Add: "recovery"})
	again := changeSlots(t, d, ipc.SlotsRequest{Add: "keyfile", Remove: []string{status.Vault.Slots[0].ID}})
	if len(again.Left) != 0 || again.Added.Path != path+".2" {
		t.Errorf("%+v", again)
	}
	for _, pass := range []string{"", recovery.RecoveryCode} {
		if err := unlocks(t, d, pass); err != nil {
			t.Errorf("with %d characters: %v", len(pass), err)
		}
	}
}

// TestKeyFileChanges: a changed key file takes the other of two places, each time,
// and what a change left there that was interrupted is set aside, not overwritten.
func TestKeyFileChanges(t *testing.T) {
	d := daemontest.New(t)
	d.Config.Keystore, d.Config.Keyring = "keyfile", nil
	d.Start(t)
	d.Add(t, rfcSecret, "github")
	path := filepath.Join(d.Profile.Dir, "vault.key")
	if err := os.WriteFile(path+".2", []byte("left behind"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, err := d.Client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	id := status.Vault.Slots[0].ID
	for _, want := range []string{path + ".2", path, path + ".2"} {
		before, err := os.ReadFile(status.Vault.Slots[0].Path)
		if err != nil {
			t.Fatal(err)
		}
		reply := changeSlots(t, d, ipc.SlotsRequest{Add: "keyfile", Remove: []string{id}})
		after, err := os.ReadFile(want)
		if err != nil || string(after) == string(before) || len(reply.Vault.Slots) != 1 || reply.Vault.Slots[0].Path != want {
			t.Fatalf("%+v, %v", reply.Vault, err)
		}
		if _, err := os.Lstat(status.Vault.Slots[0].Path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the old key file: %v", err)
		}
		if err := unlocks(t, d, ""); err != nil {
			t.Error(err)
		}
		id, status.Vault = reply.Added.ID, &reply.Vault
	}
	kept, err := filepath.Glob(path + ".2.unused-*")
	if err != nil || len(kept) != 1 {
		t.Fatalf("set aside: %v, %v", kept, err)
	}
	if text, err := os.ReadFile(kept[0]); err != nil || string(text) != "left behind" {
		t.Errorf("%q, %v", text, err)
	}
}
