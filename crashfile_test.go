package o2fa_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/o2fa/o2fa/ipc"
)

// Kills of daemons that write secrets.json themselves.
const (
	killsSealing   = 25
	killsMirroring = 25
)

func crashSealing(t *testing.T, rng *rand.Rand, kills int) { crashFile(t, rng, kills, ipc.ModeSeal) }
func crashMirroring(t *testing.T, rng *rand.Rand, kills int) {
	crashFile(t, rng, kills, ipc.ModeMirror)
}

// crashFile kills daemons that empty the file, or keep it equal, while open2fa adds
// rows to it and o2fa entries to the vault: each secret that was given to either is
// in the file or in the vault after each kill, and in the vault after the next start.
func crashFile(t *testing.T, rng *rand.Rand, kills int, mode string) {
	p, l := newPlace(t), newLedger(rng.Uint64())
	path := p.profile.SecretsFile()
	o, _ := p.start(t, ipc.StateUninitialized)
	l.addOne(t, p) // makes the vault
	p.setMode(t, mode)
	given := map[string]bool{}
	outcomes := map[string]int{}
	for range kills {
		done := make(chan struct{})
		go func() { // open2fa: read, add, rename over it
			defer close(done)
			for range 3 {
				name := l.newName("f")
				if appendRow(path, derived(l.seed, name), name) == nil {
					l.mu.Lock()
					given[name] = true
					l.mu.Unlock()
				}
				pause()
			}
		}()
		name := l.newName("t")
		if _, err := p.client.Add(t.Context(), ipc.AddRequest{Name: name, Secret: derived(l.seed, name)}); err != nil {
			t.Fatal(err)
		}
		l.mu.Lock()
		given[name] = true
		l.mu.Unlock()
		<-time.After(time.Duration(rng.Int64N(int64(200 * time.Millisecond))))
		o.kill()
		<-done
		outcomes[p.beside(path)]++
		o, _ = p.start(t, ipc.StateReady)
		p.holdsAll(t, l, given)
	}
	o.stop(t)
	t.Logf("%d secrets, after %d kills: %v", len(given), kills, outcomes)
}

func (p *place) setMode(t *testing.T, mode string) {
	t.Helper()
	if _, err := p.client.SetSecretsFile(t.Context(), ipc.SecretsFileRequest{Mode: mode}); err != nil {
		t.Fatal(err)
	}
}

// appendRow adds a row as open2fa does.
func appendRow(path, secret, name string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		data = []byte(`{"secrets": []}`)
	}
	var file struct {
		Secrets []map[string]any `json:"secrets"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return err
	}
	file.Secrets = append(file.Secrets, map[string]any{"secret": secret, "name": name})
	if data, err = json.Marshal(file); err != nil {
		return err
	}
	return writeSecrets(path, data, true)
}

// beside says what a kill left beside the file.
func (p *place) beside(path string) string {
	switch {
	case exists(path + ".o2fa"):
		return "something aside"
	case exists(path + ".o2fa.tmp"):
		return "a new file"
	}
	return "nothing"
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// holdsAll waits until the vault, with its trash, has every secret that was given.
func (p *place) holdsAll(t *testing.T, l *ledger, given map[string]bool) {
	t.Helper()
	var missing []string
	for deadline := time.Now().Add(patience); ; pause() {
		missing = nil
		there := map[string]bool{}
		for name, e := range p.entries(t) {
			there[name] = e.Secret == derived(l.seed, name)
		}
		trash, err := p.client.Trash(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range trash.Entries {
			there[e.Name] = true
		}
		for name := range given {
			if !there[name] {
				missing = append(missing, name)
			}
		}
		if len(missing) == 0 {
			return
		}
		if time.Now().After(deadline) {
			file, _ := os.ReadFile(p.profile.SecretsFile())
			in := 0
			for _, name := range missing {
				if strings.Contains(string(file), fmt.Sprintf("%q", name)) {
					in++
				}
			}
			t.Fatalf("%d secrets are not in the vault, %d of them in the file; log:\n%s", len(missing), in, p.log())
		}
	}
}
